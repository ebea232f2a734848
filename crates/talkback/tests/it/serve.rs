//! A server with a listener of its own, over TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use talkback::server::{self, Connections, Drain, Server, ServerConnection};
use talkback::{Connect, Transport, connect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::certificates::{Identity, connect_to, say_hello};

/// A server at a port of 127.0.0.1.
struct Site {
    address: SocketAddr,
    connections: Connections,
    serving: JoinHandle<()>,
}

impl Site {
    async fn start(connections: &Connections, options: impl FnOnce(Server) -> Server) -> Self {
        let server = options(Server::bind("127.0.0.1:0").await.unwrap());
        let address = server.local_addr();
        let connections = connections.clone();
        let serving = {
            let connections = connections.clone();
            tokio::spawn(async move { server.serve(&connections, echo).await.unwrap() })
        };
        Self {
            address,
            connections,
            serving,
        }
    }

    fn connect(&self) -> Connect {
        connect(format!("ws://{}/", self.address))
    }
}

async fn echo(mut connection: ServerConnection<Transport>) {
    while let Ok(Some(message)) = connection.recv().await {
        if connection.feed(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_serves_until_it_is_drained() {
    let connections = Connections::new();
    let site = Site::start(&connections, |server| {
        server.accepting(|accept| accept.subprotocols(["chat"]))
    })
    .await;
    say_hello(site.connect()).await;
    let mut client = site.connect().subprotocol("chat").await.unwrap();
    assert_eq!(client.subprotocol(), Some("chat"));
    let mut peers = Vec::new();
    connections.each(|connection| peers.extend(connection.peer()));
    let local = client.transport().unwrap().local_addr().unwrap();
    assert!(peers.contains(&local), "{peers:?}");
    let draining = tokio::spawn(async move { connections.drain(Drain::default()).await });
    assert!(client.recv().await.is_err());
    assert_eq!(client.close_info().unwrap().code.number(), 1012);
    site.serving.await.unwrap();
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.cut), (1, 0));
    assert!(site.connections.is_empty());
    let refused = TcpStream::connect(site.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn localhost_is_listened_on_where_it_leads_and_a_port_that_is_taken_is_told() {
    let server = Server::bind("localhost:0").await.unwrap();
    let address = server.local_addr();
    assert!(address.ip().is_loopback());
    let error = Server::bind(address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("could not listen on {address}: ")),
        "{text}"
    );
    // What the operating system says stands alone, too.
    let source = error.get_ref().and_then(|error| error.source()).unwrap();
    assert!(text.ends_with(&format!(": {source}")), "{text}");
    for none in ["127.0.0.1", ""] {
        let error = Server::bind(none).await.unwrap_err();
        let text = error.to_string();
        let word = "no address to listen on, such as 127.0.0.1:8080: ";
        assert!(text.starts_with(word), "{text}");
    }
    tokio::spawn(async move { server.serve(&Connections::new(), echo).await });
    say_hello(connect(format!("ws://localhost:{}/", address.port()))).await;
}

#[tokio::test]
async fn ordinary_requests_are_for_health_and_then_for_the_programs_pages() {
    let site = Site::start(&Connections::new(), |server| {
        server.accepting(|accept| {
            accept.otherwise(|request| http::Response::new(request.uri().path().to_owned().into()))
        })
    })
    .await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    for path in ["/health", "/ready", "/page"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let bodies = ["\r\n\r\nok\n", "\r\n\r\nready\n", "\r\n\r\n/page"];
    let mut rest = answers.as_str();
    for body in bodies {
        let (_, behind) = rest.split_once(body).unwrap_or_else(|| panic!("{answers}"));
        rest = behind;
    }
    assert_eq!(rest, "");
    // Without a Host.
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let opened = connect(format!("ws://{}/health", site.address)).await;
    opened.expect("it is no ordinary request");
}

#[tokio::test]
async fn it_speaks_tls_by_pem_and_no_http_2() {
    let identity = Identity::self_signed("localhost");
    let own = server::Identity::from_pem(&identity.chain_pem, &identity.key_pem).unwrap();
    let site = Site::start(&Connections::new(), |server| server.tls(own)).await;
    say_hello(connect_to("localhost", site.address).tls_roots(identity.chain_pem.as_str())).await;
    for (protocols, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["h2"], None),
    ] {
        let connector = connector(&identity, protocols);
        let stream = TcpStream::connect(site.address).await.unwrap();
        let secured = connector.connect("localhost".try_into().unwrap(), stream);
        let secured = secured.await.ok();
        let protocol = secured
            .as_ref()
            .and_then(|it| it.get_ref().1.alpn_protocol());
        assert_eq!(protocol, agreed);
        // Who speaks nothing else is told so.
        assert_eq!(secured.is_some(), agreed.is_some());
    }
    // In plain text it speaks with nobody.
    let error = site.connect().await.map(drop).unwrap_err();
    assert_eq!(
        error.refused().map(|it| it.status),
        None::<StatusCode>,
        "{error}"
    );
}

/// Of a client that trusts this server, and speaks these protocols within TLS.
fn connector(identity: &Identity, protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(identity.chain_pem.as_bytes());
    roots.add(root.unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    Arc::new(config).into()
}

#[cfg(feature = "rustls-0-23")]
#[tokio::test]
async fn it_speaks_tls_as_a_configuration_of_the_programs_own_says() {
    use tokio_rustls::rustls::version;

    use crate::support::certificates::Authority;

    let (authority, server) = (
        Authority::new("Clients"),
        Identity::self_signed("localhost"),
    );
    let config = server.server_for_clients_of(&authority, &version::TLS13);
    let site = Site::start(&Connections::new(), |server| {
        server.rustls_0_23(Arc::new(config))
    })
    .await;
    let connecting = || connect_to("localhost", site.address).tls_roots(server.chain_pem.as_str());
    let client = authority.issue("client.example");
    say_hello(connecting().tls_client_certificate(client.chain_pem, client.key_pem)).await;
    connecting()
        .await
        .map(drop)
        .expect_err("it shows no certificate");
}

/// What `serve` says, of connections and of a server with these options.
async fn told(connections: Connections, options: impl FnOnce(Server) -> Server) -> String {
    let server = options(Server::bind("127.0.0.1:0").await.unwrap());
    server
        .serve(&connections, echo)
        .await
        .unwrap_err()
        .to_string()
}

#[tokio::test]
async fn a_server_that_cannot_serve_says_what_to_change() {
    let with_0 = "with 0 nobody is let in: give at least 1, or leave it out";
    let error = told(Connections::new().max(0), |server| server).await;
    assert_eq!(error, format!("`max` cannot be: {with_0}"));
    let error = told(Connections::new().max_per_address(0), |server| server).await;
    assert_eq!(error, format!("`max_per_address` cannot be: {with_0}"));
    let error = told(Connections::new(), |server| server.handshakes_max(0)).await;
    assert_eq!(error, format!("`handshakes_max` cannot be: {with_0}"));
}

#[test]
fn a_server_that_cannot_say_who_it_is_says_what_to_give() {
    let (one, other) = (
        Identity::self_signed("a.example"),
        Identity::self_signed("a.example"),
    );
    let (chain, key) = (one.chain_pem.as_str(), other.key_pem.as_str());
    let certificate = "Give certificates in PEM, which begins with -----BEGIN CERTIFICATE-----";
    let private_key = "Give the certificate's own private key in PEM, which begins with -----BEGIN PRIVATE KEY-----, not encrypted";
    for (chain, key, text) in [
        (
            "",
            key,
            format!("the server's certificate cannot be used: there is none in it. {certificate}"),
        ),
        (
            chain,
            "",
            format!("the server's private key cannot be used: there is none in it. {private_key}"),
        ),
        (
            chain,
            key,
            format!(
                "the server's private key cannot be used: it is not the certificate's. {private_key}"
            ),
        ),
    ] {
        let error = server::Identity::from_pem(chain, key).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn more_connections_than_there_are_descriptors_for_are_refused_with_the_number_that_would_work()
 {
    let most = usize::MAX - 1;
    let error = told(Connections::new().max(most), |server| server).await;
    // No number stands for none.
    let greatest = told(Connections::new().max(usize::MAX), |server| server).await;
    assert_eq!(greatest, error);
    let room = error.strip_prefix("`max` cannot be: this process has descriptors for ");
    let (room, rest) = room
        .unwrap_or_else(|| panic!("{error}"))
        .split_once(' ')
        .unwrap();
    assert_eq!(
        rest,
        format!(
            "connections, and not for {most}: give at most {room}, or raise its limit of open files (`ulimit -n`)"
        )
    );
    let connections = Connections::new().max(room.parse().unwrap());
    say_hello(Site::start(&connections, |server| server).await.connect()).await;
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn li6_that_local_peers_have_no_limit_is_told_once() {
    use talkback_testing::traces::Told;

    let told = Told::default();
    let _guard = told.listen();
    let connections = Connections::new().max_per_address(1);
    let site = Site::start(&connections, |server| server).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(site.connect().await.unwrap());
    }
    let text = told.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
    let line = "a client of 127.0.0.1 is not counted by its address, as it may be a proxy: if it is, list it by `trusted_proxies`";
    assert!(lines.len() == 1 && lines[0].ends_with(line), "{text}");
}
