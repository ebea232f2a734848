//! A relay that is built on the library: what its client asks for, it asks its upstream for first.

use talkback::{Approval, Incoming, Refusal, Role, WebSocket, WebSocketChannel, accept, connect};
use tokio::io::duplex;
use tokio::sync::oneshot;

/// The subprotocol is the upstream's choice, the page's origin is passed on by its own option, and each of
/// the two connections is kept alive and measured by pings of its own, which end at each hop.
#[tokio::test]
async fn l30_a_relay_asks_its_upstream_before_it_answers() {
    let (client_end, relay_end) = duplex(64 * 1024);
    let (relay_out, upstream_end) = duplex(64 * 1024);

    let upstream = tokio::spawn(async move {
        let any = talkback::OriginPolicy::Any;
        let accepting = accept(upstream_end).origin_policy(any).subprotocols(["v1"]);
        let mut socket = accepting.await.unwrap();
        let origin = socket.request().headers()["origin"].clone();
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
        origin
    });

    let relay = tokio::spawn(async move {
        let (opened, opening) = oneshot::channel();
        let any = talkback::OriginPolicy::Any;
        let accepting = accept(relay_end).origin_policy(any).check(async |request| {
            let header = |name| request.headers().get(name)?.to_str().ok();
            let mut connecting = connect("ws://upstream.example/");
            for name in header("sec-websocket-protocol").unwrap().split(", ") {
                connecting = connecting.subprotocol(name);
            }
            let connecting = connecting.origin(header("origin").unwrap());
            let socket = connecting
                .over(relay_out)
                .await
                .map_err(|error| Refusal::new(http::StatusCode::BAD_GATEWAY, error.to_string()))?;
            let chosen = socket.subprotocol().map(str::to_owned);
            let _ = opened.send(socket);
            Ok(match chosen {
                Some(name) => Approval::default().subprotocol(name),
                None => Approval::default(),
            })
        });
        let inside = WebSocketChannel::from(accepting.await.unwrap());
        let outside = WebSocketChannel::from(opening.await.unwrap());
        // The one that pings learns of the hop that it pings.
        outside.ping("out").await.unwrap();
        inside.ping("in").await.unwrap();
        let (outwards, inwards) = (outside.split(), inside.split());
        let (out_sender, mut out_receiver) = outwards;
        let (in_sender, mut in_receiver) = inwards;
        let there = async {
            while let Ok(Some(message)) = in_receiver.recv().await {
                out_sender.send(message).await.unwrap();
            }
            let _ = out_sender.close().await;
        };
        let back = async {
            while let Ok(Some(message)) = out_receiver.recv().await {
                in_sender.send(message).await.unwrap();
            }
        };
        tokio::join!(there, back);
    });

    let connecting = connect("ws://relay.example/")
        .subprotocol("v2")
        .subprotocol("v1");
    let connecting = connecting.origin("https://app.example").over(client_end);
    let mut client = connecting.await.unwrap();
    assert_eq!(client.subprotocol(), Some("v1"));
    client.send("Hello!").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("Hello!".into()));
    assert!(client.close().await.clean);
    relay.await.unwrap();
    assert_eq!(upstream.await.unwrap(), "https://app.example");
}

/// A relay sees pings and pongs, though the library has answered the pings, and may pass them on.
#[tokio::test]
async fn l30_a_relay_passes_pings_and_pongs_on() {
    let pair = || {
        let (client, server) = duplex(64 * 1024);
        (
            WebSocket::from_upgraded(client, Role::Client),
            WebSocket::from_upgraded(server, Role::Server),
        )
    };
    let (mut client, mut inside) = pair();
    let (mut outside, mut server) = pair();
    let relay = tokio::spawn(async move {
        while let Some(incoming) = inside.recv_incoming().await.unwrap() {
            match incoming {
                Incoming::Message(message) => outside.send(message).await.unwrap(),
                Incoming::Ping(payload) => outside.ping(payload).await.unwrap(),
                other => panic!("{other:?}"),
            }
        }
        // What the server's end has answered to the ping comes first.
        let pong = outside.recv_incoming().await.unwrap();
        outside.close().await;
        pong
    });
    let serving = tokio::spawn(async move {
        let ping = server.recv_incoming().await.unwrap();
        let message = server.recv_incoming().await.unwrap();
        assert_eq!(server.recv_incoming().await.unwrap(), None);
        (ping, message)
    });
    client.ping("are you there?").await.unwrap();
    client.send("안녕하세요").await.unwrap();
    let answered = client.recv_incoming().await.unwrap();
    assert_eq!(answered, Some(Incoming::Pong("are you there?".into())));
    client.close().await;
    let (ping, message) = (
        Incoming::Ping("are you there?".into()),
        Incoming::Message("안녕하세요".into()),
    );
    assert_eq!(serving.await.unwrap(), (Some(ping), Some(message)));
    assert_eq!(
        relay.await.unwrap(),
        Some(Incoming::Pong("are you there?".into()))
    );
}
