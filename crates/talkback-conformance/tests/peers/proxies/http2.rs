//! A page that comes to HAProxy by HTTP/2, as browsers do where they may (RFC 8441): as much of the frames
//! and of HPACK as one stream needs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::backend::Backend;
use super::site::{Kind, Site};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// SETTINGS_ENABLE_CONNECT_PROTOCOL = 1, without which a browser opens no WebSocket so.
const ENABLES_CONNECT: [u8; 6] = [0, 8, 0, 0, 0, 1];

struct Http2(TlsStream<TcpStream>);

impl Http2 {
    async fn open(site: &Site) -> Self {
        let mut stream = site.tls(&["h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        stream.write_all(PREFACE).await.unwrap();
        let mut http2 = Self(stream);
        http2.send(SETTINGS, 0, &[]).await;
        let settings = http2.recv(SETTINGS).await;
        let mut settings = settings.chunks(ENABLES_CONNECT.len());
        assert!(settings.any(|setting| setting == ENABLES_CONNECT));
        http2
    }

    async fn send(&mut self, kind: u8, stream: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).expect("a short frame");
        // END_HEADERS
        let flags = if kind == HEADERS { 4 } else { 0 };
        let header = [0, 0, length, kind, flags, 0, 0, 0, stream];
        self.0.write_all(&header).await.unwrap();
        self.0.write_all(payload).await.unwrap();
    }

    /// The payload of the next frame of this kind.
    async fn recv(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let mut header = [0; 9];
            self.0.read_exact(&mut header).await.unwrap();
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.unwrap();
            if header[3] == kind {
                return payload;
            }
        }
    }

    /// Asks for a WebSocket for a page, and gives back the header block of the answer.
    async fn connect(&mut self, origin: &str) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/ws/"),
            (":authority", "chat.example.com"),
            ("sec-websocket-version", "13"),
            ("origin", origin),
        ] {
            // Each is spelled out, and not to be remembered (RFC 7541 §6.2.2).
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).expect("a short text"));
                block.extend_from_slice(text.as_bytes());
            }
        }
        self.send(HEADERS, 1, &block).await;
        self.recv(HEADERS).await
    }
}

async fn start(name: &str) -> (Backend, Site) {
    let backend = Backend::start().await;
    let changes = [("chat.pem\n", "chat.pem alpn h2,http/1.1\n")];
    let site = Site::start(Kind::Haproxy, name, backend.port, &changes);
    (backend, site)
}

#[tokio::test]
async fn haproxy_opens_it_over_http_1_1() {
    let (_backend, site) = start("http2").await;
    let mut http2 = Http2::open(&site).await;
    let block = http2.connect("https://chat.example.com").await;
    // `:status: 200` is 8 in the table that both ends know (RFC 7541 appendix A).
    assert_eq!(block.first(), Some(&0x88), "{block:?}");
    // "hello", masked with zeros.
    http2.send(DATA, 1, b"\x81\x85\0\0\0\0hello").await;
    assert_eq!(http2.recv(DATA).await, b"\x81\x05hello");
}

#[tokio::test]
async fn a_foreign_page_is_refused() {
    let (_backend, site) = start("http2-foreign").await;
    let block = Http2::open(&site)
        .await
        .connect("https://example.com")
        .await;
    assert!(block.windows(3).any(|text| text == b"403"), "{block:?}");
}

/// A client of this library speaks HTTP/1.1 to the same port.
#[tokio::test]
async fn http_1_1_stays() {
    let (_backend, site) = start("http2-and-1").await;
    let mut socket = site.open("/ws/", |connect| connect).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
}
