//! Clients that do not keep to what they agree to.

use std::time::Duration;

use talkback_echo::{EchoOptions, EchoServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// RFC 7692 §7.2.3.1 and §7.2.3.2: "Hello", and "Hello" again, which looks back at the first. Masked with
/// a key of zeros.
const HELLO: &[u8] = b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
const AGAIN: &[u8] = b"\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00";

/// As Mojolicious and Tornado do: the client takes its context over whatever it offers or is answered.
#[tokio::test]
async fn l29_a_client_that_takes_its_context_over_is_echoed() {
    let server = EchoServer::bind(EchoOptions::default()).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: {offer}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let name = "client_no_context_takeover";
        assert_eq!(head.contains(name), offer.contains(name), "{head}");
        for frame in [HELLO, AGAIN, AGAIN] {
            stream.write_all(frame).await.unwrap();
            let mut echo = [0; 7];
            let reading = timeout(Duration::from_secs(10), stream.read_exact(&mut echo));
            reading.await.expect("an echo comes").unwrap();
            assert_eq!(&echo, b"\x81\x05Hello", "{offer}");
        }
    }
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
