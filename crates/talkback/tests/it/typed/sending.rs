//! Values that have no form as a message.

use std::error::Error as _;
use std::io;

use talkback::{SendErrorKind, TrySendErrorKind};

use super::*;

/// A key that is no text.
type Bad = BTreeMap<(u8, u8), u8>;

/// What says no to become anything, in words that have the value in them.
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("hunter2"))
    }
}

#[tokio::test]
async fn ts8_a_value_without_a_form_is_invalid_and_the_channel_goes_on() {
    let (client, mut server) = pair();
    let mut client = client.json::<Bad, ()>();
    let bad = Bad::from([((1, 2), 3)]);
    let told = "a value was not sent: key must be a string";
    let error = client.send(&bad).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (SendErrorKind::Invalid, told)
    );
    assert!(error.source().is_none());
    assert_eq!(
        io::Error::from(error.clone()).kind(),
        io::ErrorKind::InvalidData
    );
    assert!(error.into_message().is_none());
    let error = client.try_send(&bad).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (TrySendErrorKind::Invalid, told)
    );
    assert!(!error.is_full());
    assert_eq!(error.into_message(), Message::text(""));
    let error = client.send_tracked(&bad).unwrap_err();
    assert_eq!(error.kind(), TrySendErrorKind::Invalid);
    let error = SinkExt::send(&mut client, bad).await.unwrap_err();
    assert!(matches!(&error, Error::Send(error) if error.kind() == SendErrorKind::Invalid));
    assert_eq!(error.to_string(), told);
    client.send(&Bad::new()).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(Message::text("{}")));
    assert_eq!(server.try_recv().unwrap(), None);

    client.close().await.unwrap();
    let error = client.send(&Bad::new()).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    assert_eq!(error.into_message(), Some(Message::text("{}")));
    let error = client.try_send(&Bad::new()).unwrap_err();
    assert_eq!(error.kind(), TrySendErrorKind::Closed);
}

#[tokio::test]
async fn ts8_so_is_one_over_a_socket() {
    let (client, mut server) = sockets();
    let mut client = client.json::<Bad, ()>();
    let bad = Bad::from([((1, 2), 3)]);
    for error in [
        client.send(&bad).await.unwrap_err(),
        client.feed(&bad).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), SendErrorKind::Invalid);
    }
    client.send(&Bad::new()).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(Message::text("{}")));
}

#[test]
fn ts4_a_type_that_refuses_is_not_quoted_either() {
    let (client, _server) = pair();
    let client = client.json::<Refuses, ()>();
    let error = client.blocking_send(&Refuses).unwrap_err();
    let told = "a value was not sent: its type refuses to become JSON";
    assert_eq!(error.to_string(), told);
    assert_eq!(format!("{error:?}"), format!("SendError({told})"));
}
