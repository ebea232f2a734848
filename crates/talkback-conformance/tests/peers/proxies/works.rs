//! What works behind each of them.

use talkback::{CloseCode, Initiator, Message, WebSocketChannel};

use super::backend::{self, Backend};
use super::site::{self, CLIENT, Kind, Site, Socket};

async fn ask(socket: &mut Socket, question: &str) -> String {
    socket.send(question).await.unwrap();
    let answer = socket.recv().await.unwrap();
    answer
        .expect("it is open")
        .as_text()
        .expect("text")
        .to_owned()
}

async fn messages_and_their_ends(kind: Kind) {
    let mut backend = Backend::start().await;
    let site = Site::start(kind, "messages", backend.port, &[]);
    let mut socket = site
        .open("/ws/", |connect| connect.subprotocol("chat"))
        .await
        .unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    assert!(socket.has_deflate());
    let lines: String = (0..40_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    let noise = (0..1_u32 << 20).map(|number| number.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]);
    let noise: Vec<u8> = noise.collect();
    let messages = [
        Message::text("안녕하세요 🙂"),
        Message::text(""),
        Message::binary(&b""[..]),
        Message::binary(noise),
        Message::text(lines),
    ];
    for message in messages {
        socket.send(&message).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message));
    }
    let mut greeted = site.open("/ws/greeting", |connect| connect).await.unwrap();
    assert_eq!(greeted.recv().await.unwrap(), Some("welcome".into()));
    // It ends with the pong.
    let greeted = WebSocketChannel::from(greeted);
    greeted.ping("are you there").await.unwrap();
    assert!(greeted.close().await.unwrap().clean);
    assert!(backend.end().await.clean);

    assert_eq!(ask(&mut socket, "path").await, "/ws/");

    let info = socket.close_with(4002, "안녕").await.unwrap();
    assert!(info.clean, "{info}");
    let seen = backend.end().await;
    assert_eq!((seen.code.number(), seen.reason.as_str()), (4002, "안녕"));
    assert!(seen.clean, "{seen}");

    let mut socket = site.open("/ws/", |connect| connect).await.unwrap();
    socket.send("bye").await.unwrap();
    assert!(socket.recv().await.is_err());
    let info = socket.close_info().unwrap();
    assert_eq!((info.code.number(), info.reason.as_str()), (4001, "bye"));
    assert_eq!(info.initiator, Initiator::Remote);
    assert!(info.clean, "{info}");
    assert!(backend.end().await.clean);
}

async fn own_pages_and_no_others(kind: Kind) {
    let backend = Backend::start().await;
    let site = Site::start(kind, "origins", backend.port, &[]);
    for (rest, origin) in [
        ("/ws/", "https://chat.example.com"),
        ("/ws/", "https://Chat.Example.Com:443"),
        (":8443/ws/", "https://chat.example.com:8443"),
    ] {
        let opened = site.open(rest, |connect| connect.origin(origin)).await;
        assert!(opened.is_ok(), "{origin}: {opened:?}");
    }
    for (rest, origin) in [
        ("/ws/", "https://example.com"),
        ("/ws/", "https://chat.example.com:8443"),
        (":8443/ws/", "https://chat.example.com"),
        ("/ws/", "null"),
    ] {
        let status = site.refused(rest, |connect| connect.origin(origin)).await;
        assert_eq!(status, 403, "{rest} {origin}");
    }
}

async fn the_client_is_known(kind: Kind) {
    let backend = Backend::start().await;
    let site = Site::start(kind, "address", backend.port, &[]);
    let mut socket = site
        .open("/ws/room/7", |connect| {
            connect.header("X-Forwarded-For", "192.0.2.1")
        })
        .await
        .unwrap();
    let expected = format!("Some({CLIENT})");
    assert_eq!(ask(&mut socket, "address").await, expected);
    assert_eq!(ask(&mut socket, "path").await, "/ws/room/7");
}

#[tokio::test]
async fn haproxy_tells_the_address_by_its_protocol() {
    let backend = Backend::with_proxy_protocol().await;
    let old = "server chat 127.0.0.1:9001";
    let changes = [(old, "server chat 127.0.0.1:9001 send-proxy")];
    let site = Site::start(Kind::Haproxy, "protocol", backend.port, &changes);
    let mut socket = site.open("/ws/", |connect| connect).await.unwrap();
    let expected = format!("Some({CLIENT})");
    assert_eq!(ask(&mut socket, "address").await, expected);
}

async fn pages_beside_it(kind: Kind) {
    let backend = Backend::start().await;
    let site = Site::start(kind, "pages", backend.port, &[]);
    let own = match kind {
        Kind::Haproxy => backend::PAGE,
        _ => site::PAGE,
    };
    assert_eq!(site.get("/").await.unwrap(), (200, own.to_owned()));
    let page = (200, backend::PAGE.to_owned());
    assert_eq!(site.get("/ws/health").await.unwrap(), page);
    let status = site.refused("/elsewhere", |connect| connect).await;
    assert_eq!(status, 404);
}

async fn a_server_that_is_gone(kind: Kind) {
    let backend = Backend::start().await;
    let site = Site::start(kind, "gone", backend.port, &[]);
    let mut socket = site.open("/ws/", |connect| connect).await.unwrap();
    assert_eq!(ask(&mut socket, "path").await, "/ws/");
    drop(backend);
    assert!(socket.recv().await.is_err());
    let info = socket.close_info().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);

    let error = site.open("/ws/", |connect| connect).await.unwrap_err();
    let expected = match kind {
        Kind::Haproxy => 503,
        _ => 502,
    };
    assert_eq!(error.refused().unwrap().status, expected);
    assert!(error.is_retryable());
    assert!(error.to_string().contains(&expected.to_string()), "{error}");
}

macro_rules! tests {
    ($($kind:ident $module:ident),*) => {$(
        mod $module {
            use super::Kind;
            tests! { $kind: messages_and_their_ends own_pages_and_no_others the_client_is_known
                pages_beside_it a_server_that_is_gone }
        }
    )*};
    ($kind:ident: $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            super::$name(Kind::$kind).await;
        }
    )*};
}

tests! { Nginx nginx, Haproxy haproxy, Caddy caddy }
