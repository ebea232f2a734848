//! TLS through a proxy, and TLS with the proxy itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use talkback::{Connect, ConnectError, Stage, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::support::answers::{assert_timeout, failure, read_request};
use crate::support::certificates::{Authority, Identity, say_hello, serve};
use crate::support::echo::echo;
use crate::support::proxy::{Proxy, SOCKS, connect as answer_connect, http_proxy, socks_proxy};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy of HTTP in TLS; its URL has its name. It tells what ALPN was agreed on, before the request.
async fn https_proxy(mut config: ServerConfig, server: SocketAddr) -> (Proxy<String>, String) {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let proxy = Proxy::start(move |stream, told| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let alpn = stream.get_ref().1.alpn_protocol().unwrap_or_default();
                let _ = told.send(String::from_utf8(alpn.to_vec()).unwrap());
                answer_connect(stream, OK.to_owned(), server, told).await;
            }
        }
    })
    .await;
    let url = format!("https://localhost:{}", proxy.address.port());
    (proxy, url)
}

async fn plain_server() -> SocketAddr {
    let url = echo().await;
    let authority = url.trim_start_matches("ws://").trim_end_matches('/');
    authority.parse().unwrap()
}

fn tls_error(error: &ConnectError) -> String {
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn px15_the_certificate_behind_a_proxy_is_the_servers() {
    let authority = Authority::new("A root");
    let address = serve(authority.issue("server.example").server()).await;
    let mut proxy = http_proxy(OK, address).await;
    let url = proxy.url("http");
    let to = |host: &str| {
        let connecting = connect(format!("wss://{host}/"));
        connecting.tls_roots(authority.pem.as_bytes()).proxy(&*url)
    };
    say_hello(to("server.example")).await;
    assert!(
        proxy
            .asked()
            .await
            .starts_with("CONNECT server.example:443 ")
    );
    let said = tls_error(&failure(to("other.example")).await);
    assert!(said.contains("is for another host"), "{said}");
    // By SOCKS too.
    let socks = socks_proxy(SOCKS, address).await;
    say_hello(to("server.example").proxy(&*socks.url("socks5h"))).await;
}

#[tokio::test]
async fn px15_the_name_that_is_sent_is_the_servers() {
    let mut proxy = Proxy::start(|mut stream, told| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        let mut header = [0; 5];
        stream.read_exact(&mut header).await.unwrap();
        let size = u16::from_be_bytes([header[3], header[4]]);
        let mut hello = vec![0; size.into()];
        stream.read_exact(&mut hello).await.unwrap();
        let _ = told.send((header, hello));
    })
    .await;
    let connecting = connect("wss://server.example/").danger_accept_any_certificate();
    failure(connecting.proxy(&*proxy.url("http"))).await;
    let (header, hello) = proxy.asked().await;
    assert_eq!(header[0], 0x16);
    assert!(hello.windows(14).any(|window| window == b"server.example"));
}

#[tokio::test]
async fn px16_a_proxy_in_tls_leads_to_both_kinds_of_server() {
    let (of_server, of_proxy) = (Authority::new("A root"), Authority::new("The proxy's"));
    let secure = serve(of_server.issue("server.example").server()).await;
    let config = || of_proxy.issue("localhost").server();
    for (scheme, address) in [("ws", plain_server().await), ("wss", secure)] {
        let (mut proxy, url) = https_proxy(config(), address).await;
        let connecting = connect(format!("{scheme}://server.example/"))
            .tls_roots(of_server.pem.as_bytes())
            .proxy_tls_roots(of_proxy.pem.as_bytes())
            .proxy(&*url);
        let mut socket = connecting.await.unwrap_or_else(|error| panic!("{error}"));
        for message in ["Hello!".to_owned(), "x".repeat(300_000)] {
            socket.send(&*message).await.unwrap();
            assert_eq!(
                socket.recv().await.unwrap().unwrap().as_text(),
                Some(&*message)
            );
        }
        assert_eq!(proxy.asked().await, "http/1.1");
        assert!(proxy.asked().await.starts_with("CONNECT server.example:"));
        let peer = socket.transport().unwrap().peer_addr().unwrap();
        assert_eq!(peer, proxy.address);
        socket.close().await;
    }
}

/// A connect to a server whose certificate, or whose proxy's, is bad.
#[tokio::test]
async fn px16_a_bad_certificate_names_its_leg() {
    let (of_server, of_proxy) = (Authority::new("A root"), Authority::new("The proxy's"));
    let address = serve(of_server.issue("server.example").server()).await;
    let (_proxy, url) = https_proxy(of_proxy.issue("localhost").server(), address).await;
    let to = |change: &dyn Fn(Connect) -> Connect| {
        failure(change(connect("wss://server.example/").proxy(&*url)))
    };
    // The other's root vouches for neither.
    let said = tls_error(
        &to(&|connect| {
            let connect = connect.tls_roots(of_proxy.pem.as_bytes());
            connect.proxy_tls_roots(of_proxy.pem.as_bytes())
        })
        .await,
    );
    assert!(
        said.contains("the server's certificate") && !said.contains("proxy"),
        "{said}"
    );
    let no_root =
        "No trusted root vouches for the proxy's certificate: give its root with `proxy_tls_roots`";
    let options: [&dyn Fn(Connect) -> Connect; 2] = [
        &|connect| {
            let connect = connect.tls_roots(of_server.pem.as_bytes());
            connect.proxy_tls_roots(of_server.pem.as_bytes())
        },
        // It is for the server alone.
        &|connect| {
            let connect = connect.danger_accept_any_certificate();
            connect.proxy_tls_roots(of_server.pem.as_bytes())
        },
    ];
    for change in options {
        let error = to(change).await;
        let said = error.to_string();
        assert!(matches!(error, ConnectError::Proxy { .. }), "{said}");
        let begin =
            format!("could not open wss://server.example/: the proxy {url} failed in TLS: ");
        assert!(
            said.starts_with(&begin) && said.ends_with(no_root),
            "{said}"
        );
        assert!(!error.is_retryable());
    }
    let error = to(&|connect| {
        connect
            .tls_roots(of_server.pem.as_bytes())
            .proxy_tls_roots("x")
    })
    .await;
    assert!(
        error
            .to_string()
            .starts_with("the proxy's roots cannot be used for TLS: ")
    );
}

#[tokio::test]
async fn px16_danger_is_for_the_server_alone() {
    let of_proxy = Authority::new("The proxy's");
    let address = serve(Identity::self_signed("other.example").server()).await;
    let (_proxy, url) = https_proxy(of_proxy.issue("localhost").server(), address).await;
    let connecting = connect("wss://server.example/").danger_accept_any_certificate();
    say_hello(
        connecting
            .proxy_tls_roots(of_proxy.pem.as_bytes())
            .proxy(&*url),
    )
    .await;
}

#[tokio::test]
async fn px16_a_proxy_that_speaks_no_tls_is_told() {
    let proxy = Proxy::start(|mut stream, told| async move {
        let _ = told.send(());
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let root = Authority::new("A root").pem;
    let connecting = connect("ws://server.example/").proxy_tls_roots(root);
    let error = failure(connecting.proxy(&*proxy.url("https"))).await;
    let advice = "Check that the proxy speaks TLS at this port, or use http:// in its URL";
    assert!(error.to_string().ends_with(advice), "{error}");
}

#[tokio::test]
async fn px13_tls_that_stalls_has_the_one_timeout() {
    let root = Authority::new("A root").pem;
    let silent = Proxy::<()>::start(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let connecting = |scheme: &str, after| {
        let connecting = connect(format!("{scheme}://server.example/")).timeout(after);
        connecting.tls_roots(&*root).proxy_tls_roots(&*root)
    };
    let after = Duration::from_millis(100);
    let error = failure(connecting("ws", after).proxy(&*silent.url("https"))).await;
    assert_timeout(&error, Stage::Proxy);
    let proxy = http_proxy(OK, silent.address).await;
    let error = failure(connecting("wss", after).proxy(&*proxy.url("http"))).await;
    assert_timeout(&error, Stage::Tls);
}
