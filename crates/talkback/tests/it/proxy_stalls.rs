//! A way through a proxy that stalls, at each of its stages: the one timeout, and where it was.

use std::time::Duration;

use talkback::{Connect, Error, Stage, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::answers::{assert_timeout, failure};
use crate::support::proxy::{Proxy, SOCKS, http_proxy, socks_proxy};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// What none of these comes through.
const AFTER: Duration = Duration::from_millis(80);

/// A connect through this proxy, whose lookups need no network.
fn through(proxy: &str) -> Connect {
    let connecting = connect("ws://192.0.2.1/").proxy(proxy).timeout(AFTER);
    // Of the platform, there may be no roots here.
    #[cfg(feature = "tls")]
    let connecting =
        connecting.proxy_tls_roots(crate::support::certificates::Authority::new("A root").pem);
    connecting
}

/// Whether this build can go through a proxy of this scheme.
fn is_built(scheme: &str) -> bool {
    scheme != "https" || cfg!(feature = "tls")
}

/// A proxy that says this to whoever connects, and nothing else.
async fn saying(said: &'static [u8]) -> Proxy<()> {
    Proxy::start(move |mut stream: TcpStream, told| async move {
        let _ = told.send(());
        let _ = stream.write_all(said).await;
        // Until the client has gone.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

/// Its host swallows packets.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn px13_a_proxy_that_takes_no_connection_has_the_one_timeout() {
    let full = crate::support::full_queue::FullQueue::new();
    tokio::time::pause();
    let schemes = ["http", "https", "socks5", "socks5h"];
    for scheme in schemes.into_iter().filter(|scheme| is_built(scheme)) {
        let error = failure(through(&format!("{scheme}://{}", full.address))).await;
        assert_timeout(&error, Stage::Proxy);
    }
}

#[tokio::test]
async fn px13_a_proxy_that_stops_in_its_answer_has_the_one_timeout() {
    let stops = [
        ("http", &b""[..]),
        ("http", b"H"),
        ("http", b"HTTP/1.1 200 OK\r\nVia: a\r\n"),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("https", b""),
        ("https", b"\x16\x03\x03\x00\x7a\x02"),
        ("socks5", b"\x05"),
        ("socks5h", b"\x05\0\x05\0\0\x03\xff"),
    ];
    for (scheme, said) in stops.into_iter().filter(|(scheme, _)| is_built(scheme)) {
        let proxy = saying(said).await;
        let error = failure(through(&proxy.url(scheme))).await;
        assert_timeout(&error, Stage::Proxy);
        assert!(error.is_retryable());
    }
}

/// It answers, and what it leads to does not.
#[tokio::test]
async fn px13_a_server_that_says_nothing_behind_it_has_its_own_stage() {
    let silent = saying(b"").await;
    let http = http_proxy(OK, silent.address).await;
    let socks = socks_proxy(SOCKS, silent.address).await;
    for proxy in [http.url("http"), socks.url("socks5"), socks.url("socks5h")] {
        // So long that it comes through the proxy.
        let error = failure(through(&proxy).timeout(Duration::from_secs(2))).await;
        assert_timeout(&error, Stage::Handshake);
    }
}

/// The first address is one that the proxy is silent about.
#[tokio::test]
async fn px13_several_addresses_have_one_timeout_together() {
    let proxy = saying(b"").await;
    for scheme in ["http", "socks5", "socks5h"] {
        let connecting = through(&proxy.url(scheme));
        let connecting = connecting.address(([192, 0, 2, 1], 81));
        let error = failure(connecting.address(([192, 0, 2, 2], 81))).await;
        assert_timeout(&error, Stage::Proxy);
    }
}

/// Who waits for its turn waits for the proxy, as that is where it connects to.
#[tokio::test]
async fn px13_the_wait_for_a_turn_counts_as_the_proxys() {
    let mut proxy = saying(b"").await;
    let url = proxy.url("http");
    let first = through(&url).in_turn().timeout(Duration::from_secs(600));
    let first = tokio::spawn(first.into_future());
    proxy.asked().await;
    let second = failure(through(&url).in_turn()).await;
    assert_timeout(&second, Stage::Proxy);
    assert!(!first.is_finished());
    first.abort();
    proxy.assert_unasked();
}

#[tokio::test]
async fn px13_a_channel_is_told_the_same() {
    let proxy = saying(b"HTTP/1.1 ").await;
    let mut channel = through(&proxy.url("http")).channel();
    let Err(Error::Connect(error)) = channel.ready().await else {
        panic!("it is open");
    };
    assert_timeout(&error, Stage::Proxy);
    assert!(channel.recv().await.is_err());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn px13_a_proxy_that_stops_after_tls_has_the_one_timeout() {
    use std::sync::Arc;

    use crate::support::certificates::Authority;

    let authority = Authority::new("The proxy's");
    let config = Arc::new(authority.issue("localhost").server());
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let proxy = Proxy::<()>::start(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        }
    })
    .await;
    let url = format!("https://localhost:{}", proxy.address.port());
    let connecting = through(&url).proxy_tls_roots(authority.pem);
    // TLS takes its time where many tests run.
    let error = failure(connecting.timeout(Duration::from_millis(500))).await;
    assert_timeout(&error, Stage::Proxy);
}
