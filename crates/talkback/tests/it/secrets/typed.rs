//! What typed channels show.

use talkback::{CodecError, Endpoint, RecvError};
use talkback_testing::secrets::{SECRET, Shown};

pub(super) async fn typed(shown: &mut Shown) {
    let endpoint = Endpoint::<String, u32>::new("/orders");
    shown.debug(&endpoint);
    let (client, server) = talkback::pair();
    let (client, mut server) = (endpoint.client(client), endpoint.server(server));
    client.send(&SECRET.to_owned()).await.unwrap();
    shown.debug(&client);
    shown.debug(&server);
    assert!(server.recv().await.unwrap().is_some());
    (*client).send(SECRET).await.unwrap();
    shown.unwrap(server.recv().await);
    (*client).send(format!("[{SECRET:?}]")).await.unwrap();
    let Err(RecvError::Message { error, .. }) = server.recv().await else {
        panic!("a list is no string");
    };
    shown.error(&error);
    shown.error(&CodecError::new("a codec's own words"));
    shown.variant("RecvError::Message");
    client.close_with(4000, "").unwrap();
    shown.unwrap(server.recv().await);
    shown.variant("RecvError::Ended");
}
