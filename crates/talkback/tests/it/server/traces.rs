//! What `tracing` is told of served connections.

use talkback_testing::secrets::SECRET;
use talkback_testing::traces::Told;

use super::*;

#[tokio::test(start_paused = true)]
async fn mt5_a_connection_has_a_span_with_its_close_and_its_handlers_traces() {
    let told = Told::default();
    let _guard = told.listen();
    let connections = Connections::new().max(1);
    let (connection, mut peer) = open_from(&connections, "192.0.2.1:7".parse().ok());
    connections.admit(None).unwrap_err();
    connections.run(connection, |mut connection| async move {
        tracing::info!("the program's own");
        while let Ok(Some(_)) = connection.recv().await {}
    });
    peer.send(SECRET).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    peer.close_with(4000, SECRET).await.unwrap();
    settle().await;
    assert!(connections.is_empty());
    let text = told.text();
    assert!(!text.contains(SECRET), "{text}");
    let span = "connection{id=0 peer=192.0.2.1:7}: ";
    let within: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(span))
        .collect();
    let events: Vec<_> = within.iter().map(|(_, event)| *event).collect();
    let expected = [
        "talkback: new",
        "talkback: open",
        "it::server::traces: the program's own",
        "talkback: closed code=4000 by=\"peer\" seconds=7",
        "talkback: close",
    ];
    assert_eq!(events, expected, "{text}");
    assert!(text.contains("talkback: refused reason=\"full\""), "{text}");
}

#[tokio::test]
async fn mt5_behind_a_proxy_the_span_has_the_clients_own_address() {
    let told = Told::default();
    let _guard = told.listen();
    let connections = Connections::new().trusted_proxies(["10.0.0.1".parse().unwrap()]);
    let (near, far) = duplex(4096);
    let peer: SocketAddr = "10.0.0.1:7".parse().unwrap();
    let accepting = talkback::accept(far).peer(peer).admit(&connections);
    let connecting = talkback::connect("ws://a.example/").header("X-Forwarded-For", "192.0.2.1");
    let (client, connection) = tokio::join!(connecting.over(near), accepting);
    drop((client.unwrap(), connection.unwrap()));
    let text = told.text();
    let span = "connection{id=0 peer=10.0.0.1:7 client=192.0.2.1}: ";
    assert!(text.contains(span), "{text}");
}

#[tokio::test(start_paused = true)]
async fn mt5_a_handler_that_panics_is_told_at_error() {
    let told = Told::default();
    let _guard = told.listen();
    let connections = Connections::new();
    let (connection, mut peer) = open(&connections);
    connections.run(connection, |mut connection| async move {
        let _ = connection.recv().await;
        panic!("the handler's own");
    });
    peer.send("now").await.unwrap();
    assert!(peer.recv().await.is_err());
    settle().await;
    let text = told.text();
    let line = "ERROR connection{id=0}: talkback: closed code=1011 by=\"us\" seconds=0\n";
    assert!(text.contains(line), "{text}");
}
