//! `connector`: a transport of the program's own for each try; and what clones of a builder share.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use talkback::{Connect, ConnectError, Destination, Error, Stage, accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use crate::support::answers::{assert_timeout, failure, listen};
use crate::support::echo::echo;

/// A client of servers in memory, and their ends of its tries.
fn in_memory(url: &str) -> (Connect, UnboundedReceiver<(Destination, DuplexStream)>) {
    let (door, tries) = unbounded_channel();
    let connecting = connect(url).connector(move |destination| {
        let (near, far) = duplex(1024);
        // The test may have ended.
        let _ = door.send((destination, far));
        async move { Ok(near) }
    });
    (connecting, tries)
}

#[tokio::test]
async fn each_try_asks_the_connector_where_the_url_leads() {
    for (url, host, port, is_secure) in [
        ("ws://A.example/room", "a.example", 80, false),
        ("wss://a.example", "a.example", 443, true),
        ("ws://192.0.2.1:9001/", "192.0.2.1", 9001, false),
        ("wss://[2001:db8::1]:9001/", "2001:db8::1", 9001, true),
    ] {
        let (connecting, mut tries) = in_memory(url);
        for _ in 0..2 {
            let connecting = connecting.clone();
            let trying = tokio::spawn(async move { connecting.await.map(drop) });
            let (destination, _) = tries.recv().await.unwrap();
            assert_eq!((destination.host(), destination.port()), (host, port));
            assert_eq!(destination.is_secure(), is_secure);
            // Without TLS at the other end, and without HTTP.
            trying.await.unwrap().unwrap_err();
        }
        assert!(tries.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_channel_and_a_socket_are_opened_over_it() {
    let (connecting, mut tries) = in_memory("ws://a.example:81/room?key=7");
    let connecting = connecting.subprotocol("chat");
    let mut channel = connecting.clone().channel();
    let (_, far) = tries.recv().await.unwrap();
    let mut server = accept(far).subprotocols(["chat"]).await.unwrap();
    assert_eq!(server.request().headers()["host"], "a.example:81");
    assert_eq!(server.request().uri(), "/room?key=7");
    channel.send("Hello!").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("Hello!".into()));
    server.send("안녕").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("안녕".into()));
    let (info, _) = tokio::join!(channel.close(), server.recv());
    assert!(info.unwrap().clean);

    let opening = tokio::spawn(async move { connecting.await.unwrap() });
    let (_, far) = tries.recv().await.unwrap();
    let mut server = accept(far).subprotocols(["chat"]).await.unwrap();
    let mut client = opening.await.unwrap();
    assert_eq!((client.peer(), client.subprotocol()), (None, Some("chat")));
    let address = client.transport().unwrap().peer_addr();
    assert_eq!(address.unwrap_err().kind(), io::ErrorKind::Unsupported);
    let address = client.transport().unwrap().local_addr();
    assert_eq!(address.unwrap_err().kind(), io::ErrorKind::Unsupported);
    client.send("Hello!").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("Hello!".into()));
}

#[tokio::test]
async fn tcp_that_a_connector_gives_is_tcp() {
    let url = echo().await;
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let address: std::net::SocketAddr = address.parse().unwrap();
    let connecting = connect("ws://a.example/").connector(move |_| TcpStream::connect(address));
    let mut socket = connecting.await.unwrap();
    assert_eq!(socket.peer(), Some(address));
    let transport = socket.transport().unwrap();
    assert_eq!(transport.peer_addr().unwrap(), address);
    assert!(transport.local_addr().unwrap().ip().is_loopback());
    socket.send("Hello!").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello!".into()));
}

#[tokio::test]
async fn its_error_is_that_of_tcp_and_keeps_its_source() {
    let url = "ws://user:hunter2@a.example/?hunter2";
    let error = failure(connect(url).connector(|_| async {
        Err::<DuplexStream, _>(io::Error::new(
            io::ErrorKind::TimedOut,
            "the tunnel is shut",
        ))
    }))
    .await;
    assert_eq!(
        error.to_string(),
        "could not connect to ws://a.example/?…: the tunnel is shut. Nobody answers: check the host, the port and firewalls between"
    );
    assert!(error.is_retryable());
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);

    let connecting = connect(url)
        .connector(|_| async { Err::<DuplexStream, _>(io::ErrorKind::ConnectionRefused.into()) });
    let error = connecting.channel().ready().await.unwrap_err();
    assert!(
        matches!(&error, Error::Connect(ConnectError::Tcp { error, .. }) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{error}"
    );
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn one_timeout_is_over_the_connector_and_the_handshake() {
    let connecting = |pause: u64| {
        let connecting = connect("ws://a.example/").timeout(Duration::from_secs(3));
        connecting.connector(move |_| async move {
            let (near, far) = duplex(1024);
            sleep(Duration::from_secs(pause)).await;
            // A server that says nothing as long as the client is there.
            tokio::spawn(async move {
                let (mut read, _write) = tokio::io::split(far);
                tokio::io::copy(&mut read, &mut tokio::io::sink()).await
            });
            Ok(near)
        })
    };
    for (pause, stage) in [(2, Stage::Handshake), (3600, Stage::Tcp)] {
        let began = Instant::now();
        let error = failure(connecting(pause)).await;
        assert_timeout(&error, stage);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        let began = Instant::now();
        let error = connecting(pause).channel().ready().await.unwrap_err();
        assert!(
            matches!(&error, Error::Connect(ConnectError::Timeout { stage: at, .. }) if *at == stage),
            "{error}"
        );
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_drops_the_connectors_future_and_its_stream() {
    struct Held(Arc<AtomicUsize>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&dropped);
    let connecting = connect("ws://a.example/").connector(move |_| {
        let held = Held(Arc::clone(&counter));
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(duplex(1).0)
        }
    });
    let trying = timeout(Duration::from_secs(1), connecting.clone().into_future());
    assert!(trying.await.is_err());
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    failure(connecting.clone()).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    let channel = connecting.channel();
    sleep(Duration::from_secs(1)).await;
    drop(channel);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 3);

    // The same with what it gave, in the midst of the opening handshake.
    let (connecting, mut tries) = in_memory("ws://a.example/");
    let channel = connecting.channel();
    let (_, mut far) = tries.recv().await.unwrap();
    far.read_u8().await.unwrap();
    drop(channel);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"\r\n\r\n"));
}

// ── What it stands in for ────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn nothing_is_looked_up_and_none_waited_for() {
    let lookups = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&lookups);
    let (connecting, mut tries) = in_memory("ws://server.invalid/");
    let connecting = connecting
        .in_turn()
        .address(([192, 0, 2, 1], 9))
        .local_address([192, 0, 2, 2])
        .resolver(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Err(io::ErrorKind::NotFound.into()) }
        });
    let opening = tokio::spawn(async move { connecting.await.map(drop) });
    let (_, far) = tries.recv().await.unwrap();
    accept(far).await.unwrap();
    opening.await.unwrap().unwrap();
    assert_eq!(lookups.load(Ordering::Relaxed), 0);
}

/// Whoever wants one must not go past it unknowingly.
#[tokio::test]
async fn px20_an_explicit_proxy_beside_it_is_an_error() {
    let (connecting, mut tries) = in_memory("ws://server.invalid/");
    let error = failure(connecting.proxy("http://user:hunter2@127.0.0.1:1")).await;
    assert!(matches!(error, ConnectError::Option { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the option `connector` cannot be used: no proxy is asked beside it: leave `proxy` out, or connect to \
         the proxy in it"
    );
    assert!(tries.try_recv().is_err());
    // To go without is what it does anyway.
    let (connecting, mut tries) = in_memory("ws://server.invalid/");
    let opening = tokio::spawn(async move { connecting.proxy(None).await.map(drop) });
    accept(tries.recv().await.unwrap().1).await.unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn it_is_asked_again_for_each_redirect() {
    let (connecting, mut tries) = in_memory("ws://a.example/old");
    let connecting = connecting.redirects(2);
    let opening = tokio::spawn(async move { connecting.await.map(drop) });
    for (host, location) in [("a.example", "/new"), ("a.example", "ws://b.example/")] {
        let (destination, mut far) = tries.recv().await.unwrap();
        assert_eq!(destination.host(), host);
        let answer =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        far.write_all(answer.as_bytes()).await.unwrap();
    }
    let (destination, far) = tries.recv().await.unwrap();
    assert_eq!(destination.host(), "b.example");
    accept(far).await.unwrap();
    opening.await.unwrap().unwrap();
    assert!(tries.try_recv().is_err());
}

#[tokio::test]
async fn options_are_checked_before_it_is_asked() {
    let (connecting, mut tries) = in_memory("ws://a.example/#top");
    assert!(matches!(failure(connecting).await, ConnectError::Url(_)));
    let (connecting, mut other_tries) = in_memory("ws://a.example/");
    let error = failure(connecting.header("X-Evil", "a\r\nb")).await;
    assert!(matches!(error, ConnectError::Header { .. }));
    assert!(tries.try_recv().is_err() && other_tries.try_recv().is_err());
}

// ── A transport of any kind ──────────────────────────────────────────────────────────────────

/// A peer that ends the connection while nobody reads is heard, as over TCP (L7).
#[tokio::test(start_paused = true)]
async fn l7_an_end_behind_unread_messages_is_heard_over_it() {
    let (connecting, mut tries) = in_memory("ws://a.example/");
    let channel = connecting.channel();
    let (_, far) = tries.recv().await.unwrap();
    let mut server = accept(far).await.unwrap();
    let flood = async { while server.send("x".repeat(1000)).await.is_ok() {} };
    assert!(timeout(Duration::from_secs(60), flood).await.is_err());
    assert!(channel.try_send("1").is_ok());
    // That one is written, so that no failed write tells.
    sleep(Duration::from_secs(1)).await;
    drop(server);
    sleep(Duration::from_secs(60)).await;
    assert!(channel.try_send("2").is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_one() {
    let streams = Arc::new(Mutex::new(Vec::new()));
    let (near, far) = tokio::net::UnixStream::pair().unwrap();
    streams.lock().unwrap().push(near);
    let connecting = connect("ws://localhost/").connector(move |_| {
        let stream = streams.lock().unwrap().pop();
        async move { stream.ok_or_else(|| io::ErrorKind::NotFound.into()) }
    });
    let (client, server) = tokio::join!(connecting.clone(), accept(far));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    let text = "x".repeat(1 << 20);
    let (sent, received) = tokio::join!(client.send(&*text), server.recv());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap().as_text(), Some(&*text));
    // The next try has none.
    let error = failure(connecting).await;
    assert!(matches!(error, ConnectError::Tcp { .. }), "{error}");
}

#[tokio::test]
async fn what_it_says_is_read_to_the_end() {
    let (connecting, mut tries) = in_memory("ws://a.example/");
    let opening = tokio::spawn(async move { failure(connecting).await });
    let (_, mut far) = tries.recv().await.unwrap();
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\ngo away";
    far.write_all(answer).await.unwrap();
    let refused = crate::support::answers::refused(opening.await.unwrap());
    assert_eq!(refused.body, "go away");
}

// ── TLS ──────────────────────────────────────────────────────────────────────────────────────

#[cfg(feature = "tls")]
mod tls {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::HandshakeKind;

    use super::*;
    use crate::support::certificates::{Authority, VERSIONS, connect_to, say_hello};

    #[tokio::test]
    async fn tls_goes_on_top_and_checks_the_name_in_the_url() {
        let authority = Authority::new("A root");
        let config = Arc::new(authority.issue("a.example").server());
        for (url, is_right) in [("wss://a.example/", true), ("wss://b.example/", false)] {
            let (connecting, mut tries) = in_memory(url);
            let config = Arc::clone(&config);
            let server = async move {
                let (_, far) = tries.recv().await.unwrap();
                let stream = TlsAcceptor::from(config).accept(far).await?;
                let name = stream.get_ref().1.server_name().map(str::to_owned);
                crate::support::certificates::echo(accept(stream).await.unwrap()).await;
                io::Result::Ok(name)
            };
            let server = tokio::spawn(server);
            let connecting = connecting.tls_roots(authority.pem.as_str());
            if is_right {
                say_hello(connecting).await;
                let name = server.await.unwrap().unwrap();
                assert_eq!(name.as_deref(), Some("a.example"));
            } else {
                let error = failure(connecting).await;
                assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
                assert!(!error.is_retryable());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stalls_in_tls_costs_the_timeout() {
        let (connecting, mut tries) = in_memory("wss://a.example/");
        let trying = tokio::spawn(failure(connecting.danger_accept_any_certificate()));
        let _far = tries.recv().await.unwrap();
        assert_timeout(&trying.await.unwrap(), Stage::Tls);
    }

    /// How the server's sessions began.
    async fn serve(
        version: usize,
    ) -> (std::net::SocketAddr, String, Arc<Mutex<Vec<HandshakeKind>>>) {
        let authority = Authority::new("A root");
        let config = authority.issue("127.0.0.1").server_with(VERSIONS[version]);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listen().await;
        let kinds = Arc::<Mutex<Vec<HandshakeKind>>>::default();
        let noted = Arc::clone(&kinds);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = acceptor.accept(stream).await.unwrap();
                let kind = stream.get_ref().1.handshake_kind().unwrap();
                noted.lock().unwrap().push(kind);
                let socket = accept(stream).await.unwrap();
                tokio::spawn(crate::support::certificates::echo(socket));
            }
        });
        (address, authority.pem, kinds)
    }

    #[tokio::test]
    async fn clones_share_their_sessions_until_an_option_of_tls_differs() {
        for version in [0, 1] {
            let (address, pem, kinds) = serve(version).await;
            let connecting = connect_to("127.0.0.1", address).tls_roots(pem.as_str());
            let other = connecting.clone();
            say_hello(connecting.clone()).await;
            say_hello(other).await;
            say_hello(connecting.clone().subprotocol("chat")).await;
            // Other roots are another trust.
            say_hello(connecting.clone().tls_roots(pem.as_str())).await;
            say_hello(connecting).await;
            let is_resumed = |kind: &HandshakeKind| *kind == HandshakeKind::Resumed;
            let resumed: Vec<_> = kinds.lock().unwrap().iter().map(is_resumed).collect();
            assert_eq!(resumed, [false, true, true, false, true]);
        }
    }
}
