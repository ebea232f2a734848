//! An app, and its tests against a scripted server.

use std::error::Error;
use std::time::Duration;

use talkback::Connect;
use tokio::time::timeout;

/// Asks for a price, and waits for it for five seconds.
async fn price(connect: Connect, name: &str) -> Result<String, Box<dyn Error>> {
    let mut channel = connect.subprotocol("prices").channel();
    channel.send(name).await?;
    match timeout(Duration::from_secs(5), channel.recv()).await {
        Ok(answer) => Ok(answer?.ok_or("the server closed")?.to_string()),
        Err(_) => Err("the server does not answer".into()),
    }
}

mod tests {
    use talkback::http::{Response, StatusCode};
    use talkback::test_util::ScriptedServer;
    use tokio::time::Instant;

    use super::*;

    /// The app at work, and the server that it talks to.
    fn ask_for_tea() -> (ScriptedServer, impl Future<Output = Result<String, String>>) {
        let server = ScriptedServer::new();
        let connect = talkback::connect("ws://prices.example/").connector(server.connector());
        let asking = async move { price(connect, "tea").await.map_err(|e| e.to_string()) };
        (server, asking)
    }

    #[tokio::test(start_paused = true)]
    async fn a_price_is_shown_as_it_came() {
        let (mut server, asking) = ask_for_tea();
        let script = async {
            let attempt = server.next_try().await;
            assert_eq!(attempt.destination().host(), "prices.example");
            let mut peer = attempt.accept().await.unwrap();
            assert_eq!(peer.request().headers()["sec-websocket-protocol"], "prices");
            assert_eq!(peer.recv().await.unwrap(), Some("tea".into()));
            peer.send("2.50").await.unwrap();
            peer
        };
        let (price, _peer) = tokio::join!(asking, script);
        assert_eq!(price.unwrap(), "2.50");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_given_up() {
        let (mut server, asking) = ask_for_tea();
        let script = async { server.next_try().await.accept().await.unwrap() };
        let began = Instant::now();
        let (price, _peer) = tokio::join!(asking, script);
        assert_eq!(price.unwrap_err(), "the server does not answer");
        assert_eq!(began.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_with_its_reason() {
        let (mut server, asking) = ask_for_tea();
        let script = async {
            let answer = Response::builder()
                .status(StatusCode::FORBIDDEN)
                .body("log in");
            let attempt = server.next_try().await;
            attempt.answer(answer.unwrap()).await.unwrap();
        };
        let (price, ()) = tokio::join!(asking, script);
        assert!(price.unwrap_err().ends_with("its answer: log in"));
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_price_is_none() {
        let (mut server, asking) = ask_for_tea();
        let script = async {
            let mut peer = server.next_try().await.accept().await.unwrap();
            peer.recv().await.unwrap();
            peer.send_raw(b"\x81\x042."); // a text message of 4 bytes, of which 2 come
            peer.cut();
        };
        let (price, ()) = tokio::join!(asking, script);
        assert!(price.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_sent_once() {
        let mut server = ScriptedServer::new();
        let connect = talkback::connect("ws://orders.example/").connector(server.connector());
        let mut channel = connect.reconnect().channel();
        channel.send("two teas").await.unwrap();
        let app = tokio::spawn(async move { while let Ok(Some(_)) = channel.recv().await {} });

        let mut peer = server.next_try().await.accept().await.unwrap();
        assert_eq!(peer.recv().await.unwrap(), Some("two teas".into()));
        peer.cut();
        // The next try comes within five seconds, and the one after it within ten.
        let attempt = timeout(Duration::from_secs(5), server.next_try()).await;
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        attempt.unwrap().refuse(busy).await.unwrap();
        let attempt = timeout(Duration::from_secs(10), server.next_try()).await;
        let mut peer = attempt.unwrap().accept().await.unwrap();
        let again = timeout(Duration::from_secs(30), peer.recv()).await;
        assert!(again.is_err(), "{again:?}");
        app.abort();
    }
}
