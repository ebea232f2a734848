//! Servers over streams in memory, in virtual time.

mod dropped;
mod handshakes;
mod requests;

use std::future::IntoFuture as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

use super::*;
use crate::connect::connect;
use crate::error::connect::ConnectError;
use crate::server::drain::{Drain, DrainReport};

type Arrival = io::Result<(DuplexStream, SocketAddr)>;
type Socket = crate::websocket::WebSocket<Transport<DuplexStream>>;

/// What is accepted, in order; and how many were.
struct Script {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    accepted: Arc<AtomicUsize>,
}

impl Listen for Script {
    type Stream = DuplexStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        match self.arrivals.poll_recv(cx) {
            Poll::Ready(Some(arrival)) => {
                self.accepted.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(arrival)
            }
            _ => Poll::Pending,
        }
    }
}

/// A server that echoes over the streams that it is sent, and how many it has accepted.
fn server(
    connections: &Connections,
    handshakes_max: usize,
    change: impl FnOnce(&mut Service<DuplexStream, Handler>),
) -> (
    mpsc::UnboundedSender<Arrival>,
    Arc<AtomicUsize>,
    impl Future<Output = ()> + Send + 'static,
) {
    let (arrivals, receiver) = mpsc::unbounded_channel();
    let accepted = Arc::new(AtomicUsize::new(0));
    let script = Script {
        arrivals: receiver,
        accepted: Arc::clone(&accepted),
    };
    let mut service = Service {
        accepting: Arc::new(|accept| accept),
        unopened: Arc::new(trace::not_opened),
        http: None,
        readiness: None,
        #[cfg(feature = "tls")]
        tls: None,
        connections: connections.clone(),
        kept: Arc::new(Semaphore::new(KEPT_MAX)),
        turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
        handler: echo as Handler,
    };
    change(&mut service);
    let serving = serve(script, handshakes_max, Arc::new(service));
    (arrivals, accepted, serving)
}

/// Such a server in a task.
struct Site {
    connections: Connections,
    arrivals: mpsc::UnboundedSender<Arrival>,
    accepted: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Site {
    fn start(connections: Connections) -> Self {
        Self::with(connections, HANDSHAKES_MAX, |_| {})
    }

    fn with(
        connections: Connections,
        handshakes_max: usize,
        change: impl FnOnce(&mut Service<DuplexStream, Handler>),
    ) -> Self {
        let (arrivals, accepted, serving) = server(&connections, handshakes_max, change);
        Self {
            connections,
            arrivals,
            accepted,
            serving: tokio::spawn(serving),
        }
    }

    /// The client's end of a stream from this address.
    fn arrive(&self, peer: &str) -> DuplexStream {
        let (near, far) = duplex(16 * 1024);
        let peer: IpAddr = peer.parse().unwrap();
        let arrival = Ok((far, SocketAddr::new(peer, 1)));
        // Nobody may listen any more: the client sees the end then.
        let _ = self.arrivals.send(arrival);
        near
    }

    async fn open(&self, peer: &str) -> Result<Socket, ConnectError> {
        connect("ws://a.example/").over(self.arrive(peer)).await
    }

    /// As [`open`](Self::open), through a proxy at this address that says where the client is.
    async fn open_by(&self, proxy: &str, told: &str) -> Result<Socket, ConnectError> {
        let connecting = connect("ws://a.example/").header("X-Forwarded-For", told);
        connecting.over(self.arrive(proxy)).await
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Begins a drain.
    async fn drain(&self, drain: Drain) -> JoinHandle<DrainReport> {
        let connections = self.connections.clone();
        let draining = tokio::spawn(async move { connections.drain(drain).await });
        while !self.connections.is_draining() {
            tokio::task::yield_now().await;
        }
        draining
    }
}

type Handler = fn(ServerConnection<Transport<DuplexStream>>) -> Handling;
type Handling = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn echo(mut connection: ServerConnection<Transport<DuplexStream>>) -> Handling {
    Box::pin(async move {
        while let Ok(Some(message)) = connection.recv().await {
            let _ = connection.feed(message).await;
        }
    })
}

/// The status, and how many seconds to wait.
fn refused(outcome: Result<Socket, ConnectError>) -> (u16, Option<u64>) {
    let error = outcome.map(drop).unwrap_err();
    let refused = error.refused().unwrap_or_else(|| panic!("{error}"));
    let after = refused.headers.get("retry-after");
    let after = after.map(|it| it.to_str().unwrap().parse().unwrap());
    (refused.status.as_u16(), after)
}

/// What a page is answered with, on a connection that stays open or not: status, and all that came up to the
/// end of its content.
async fn get(stream: &mut DuplexStream, path: &str, content: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(&format!("\r\n\r\n{content}")) {
        let byte = stream.read_u8().await;
        answer.push(byte.unwrap_or_else(|_| panic!("{answer}")).into());
    }
    answer
}

fn limited() -> Connections {
    Connections::new().max_per_address(2)
}

#[tokio::test(start_paused = true)]
async fn li3_an_address_has_so_many_connections_and_others_have_theirs() {
    let site = Site::start(limited());
    let first = site.open("1.2.3.4").await.unwrap();
    let _second = site.open("1.2.3.4").await.unwrap();
    let (status, after) = refused(site.open("1.2.3.4").await);
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS.as_u16());
    assert!((5..=15).contains(&after.unwrap()), "{after:?}");
    let _other = site.open("1.2.3.5").await.unwrap();
    assert_eq!(site.connections.len(), 3);
    drop(first);
    while site.connections.len() > 2 {
        tokio::task::yield_now().await;
    }
    site.open("1.2.3.4").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn li4_li5_one_client_of_two_addresses_is_one() {
    for peers in [
        ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304"],
        ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"],
    ] {
        let site = Site::start(limited());
        let _first = site.open(peers[0]).await.unwrap();
        let _second = site.open(peers[1]).await.unwrap();
        assert_eq!(refused(site.open(peers[2]).await).0, 429);
        site.open("2001:db8:0:1::1").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn li6_any_number_comes_from_this_machine_while_no_proxies_are_listed() {
    let site = Site::start(limited());
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(site.open("127.0.0.1").await.unwrap());
    }
    assert_eq!(site.connections.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn li7_what_a_client_says_of_itself_does_not_count() {
    let site = Site::start(limited());
    let _first = site.open_by("1.2.3.4", "9.9.9.1").await.unwrap();
    let _second = site.open_by("1.2.3.4", "9.9.9.2").await.unwrap();
    assert_eq!(refused(site.open_by("1.2.3.4", "9.9.9.3").await).0, 429);
}

fn behind_proxies() -> Connections {
    limited().trusted_proxies(["10.0.0.0/8".parse().unwrap()])
}

#[tokio::test(start_paused = true)]
async fn li8_behind_a_proxy_each_client_counts_as_itself() {
    let site = Site::start(behind_proxies());
    let mut open = Vec::new();
    for client in 1..=20 {
        for forged in ["", "8.8.8.8, ", "evil, "] {
            let told = format!("{forged}1.2.3.{client}");
            open.push(site.open_by("10.0.0.1", &told).await);
        }
        assert_eq!(refused(open.pop().unwrap()).0, 429, "{client}");
    }
    assert_eq!(site.connections.len(), 40);
    assert!(open.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn li9_a_proxy_that_tells_no_client_counts_as_itself_unless_it_is_local() {
    let site = Site::start(behind_proxies());
    let mut open = Vec::new();
    for told in ["evil", "unknown", "1.2.3.4, -"] {
        open.push(site.open_by("10.0.0.1", told).await.unwrap());
        open.push(site.open("10.0.0.1").await.unwrap());
    }
    let public = limited().trusted_proxies(["5.5.5.0/24".parse().unwrap()]);
    let site = Site::start(public);
    open.push(site.open_by("5.5.5.5", "evil").await.unwrap());
    open.push(site.open("5.5.5.5").await.unwrap());
    assert_eq!(refused(site.open_by("5.5.5.5", "evil").await).0, 429);
}

/// Lets all tasks run that can.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn co10_while_descriptors_are_short_health_is_told_on_connections_that_are_open() {
    let site = Site::start(Connections::new());
    let mut probe = site.arrive("1.2.3.4");
    let answer = get(&mut probe, "/health", "ok\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let begin = Instant::now();
    let too_many_files = if cfg!(windows) { 10024 } else { 24 };
    for _ in 0..3 {
        let error = io::Error::from_raw_os_error(too_many_files);
        site.arrivals.send(Err(error)).unwrap();
    }
    let waiting = site.arrive("1.2.3.4");
    settle().await;
    get(&mut probe, "/ready", "ready\n").await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    connect("ws://a.example/").over(waiting).await.unwrap();
    // 50, 100 and 200 ms.
    assert_eq!(begin.elapsed().as_millis(), 350);
    get(&mut probe, "/ready", "ready\n").await;
    // And a WebSocket comes of it, too.
    let mut socket = connect("ws://a.example/").over(probe).await.unwrap();
    socket.send("still").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("still".into()));
}

#[tokio::test(start_paused = true)]
async fn co10_a_connection_that_stays_open_is_no_handshake_and_ends_when_it_is_silent() {
    let site = Site::with(Connections::new(), 1, |_| {});
    let begin = Instant::now();
    let mut probe = site.arrive("1.2.3.4");
    get(&mut probe, "/health", "ok\n").await;
    site.open("1.2.3.4").await.unwrap();
    // Two requests in one segment.
    let request = "GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n";
    probe.write_all(request.as_bytes()).await.unwrap();
    get(&mut probe, "/health", "ok\n").await;
    get(&mut probe, "/", "").await;
    let mut rest = Vec::new();
    probe.read_to_end(&mut rest).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let mut probe = site.arrive("1.2.3.4");
    get(&mut probe, "/health", "ok\n").await;
    assert_eq!(probe.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begin.elapsed(), KEPT_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn co10_a_server_that_is_full_says_how_it_is_and_refuses() {
    let site = Site::start(Connections::new().max(1));
    let _open = site.open("1.2.3.4").await.unwrap();
    assert_eq!(refused(site.open("1.2.3.4").await).0, 503);
    let mut probe = site.arrive("1.2.3.4");
    for (path, content) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = get(&mut probe, path, content).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(refused(site.open("1.2.3.4").await).0, 503);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_websocket_is_told_of_and_a_probe_as_answered() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let site = Site::with(Connections::new().max(1), HANDSHAKES_MAX, |service| {
        service.accepting = Arc::new(|accept| {
            let peer = accept.peer_addr().unwrap();
            assert_eq!(peer.port(), 1);
            accept
        });
        service.unopened = Arc::new(move |peer, error| {
            let what = match error {
                AcceptError::Refused(refusal) => refusal.status(),
                AcceptError::Answered(status) => *status,
                error => panic!("{error}"),
            };
            told.send((peer.ip().to_string(), what.as_u16())).unwrap();
        });
    });
    let _open = site.open("1.2.3.4").await.unwrap();
    assert_eq!(refused(site.open("1.2.3.5").await).0, 503);
    let mut probe = site.arrive("1.2.3.6");
    get(&mut probe, "/health", "ok\n").await;
    drop(probe);
    for expected in [("1.2.3.5", 503), ("1.2.3.6", 200)] {
        let (peer, status) = heard.recv().await.unwrap();
        assert_eq!((&*peer, status), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn dr6_who_asks_for_a_websocket_while_the_server_drains_is_refused() {
    let site = Site::start(Connections::new());
    let _open = site.open("1.2.3.4").await.unwrap();
    let early = site.arrive("1.2.3.4");
    settle().await;
    let draining = site.drain(Drain::default()).await;
    settle().await;
    let (status, after) = refused(connect("ws://a.example/").over(early).await);
    assert_eq!(status, 503);
    assert!((1..=5).contains(&after.unwrap()), "{after:?}");
    let report = draining.await.unwrap();
    assert_eq!((report.refused, report.cut), (1, 1));
    site.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dr7_a_lame_duck_is_not_ready_and_still_accepts() {
    let site = Site::start(Connections::new());
    let begin = Instant::now();
    let lame_duck = Duration::from_secs(5);
    let draining = site.drain(Drain::default().lame_duck(lame_duck)).await;
    let mut probe = site.arrive("1.2.3.4");
    let answer = get(&mut probe, "/ready", "draining\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let answer = get(&mut probe, "/health", "ok\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    advance(lame_duck - Duration::from_millis(1)).await;
    let mut late = site.open("1.2.3.4").await.unwrap();
    assert!(!site.arrivals.is_closed());
    assert_eq!(code(&mut late).await, 1012);
    assert_eq!(begin.elapsed().as_secs(), 5);
    // It listens no more.
    site.arrivals.closed().await;
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert!(site.open("1.2.3.4").await.is_err());
    assert_eq!(draining.await.unwrap().closed, 1);
    site.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dr8_a_handshake_in_flight_completes_and_is_closed_behind_the_others() {
    let asked = Arc::new(Notify::new());
    let answered = Arc::new(Notify::new());
    let (in_check, out) = (Arc::clone(&asked), Arc::clone(&answered));
    let site = Site::with(Connections::new(), HANDSHAKES_MAX, move |service| {
        service.accepting = Arc::new(move |accept| {
            let (asked, answered) = (Arc::clone(&in_check), Arc::clone(&out));
            accept.check(move |request| async move {
                if request.uri().path() == "/slow" {
                    asked.notify_one();
                    answered.notified().await;
                }
                Ok(())
            })
        });
    });
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(site.open("1.2.3.4").await.unwrap());
    }
    let slow = connect("ws://a.example/slow").over(site.arrive("1.2.3.4"));
    let slow = tokio::spawn(slow.into_future());
    asked.notified().await;
    let begin = Instant::now();
    let draining = site.drain(Drain::default()).await;
    // Long before the last is closed it listens no more.
    site.arrivals.closed().await;
    answered.notify_one();
    let mut slow = slow.await.unwrap().unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let ends: Vec<_> = open.into_iter().map(|socket| end(socket, begin)).collect();
    assert_eq!(code(&mut slow).await, 1012);
    let last = begin.elapsed();
    for earlier in ends {
        assert!(earlier.await.unwrap() <= last);
    }
    assert_eq!(draining.await.unwrap().closed, 21);
    site.serving.await.unwrap();
}

/// The code that a connection is closed with.
async fn code(socket: &mut Socket) -> u16 {
    assert!(socket.recv().await.is_err());
    socket.close_info().unwrap().code.number()
}

/// When a connection is closed.
fn end(mut socket: Socket, begin: Instant) -> JoinHandle<Duration> {
    tokio::spawn(async move {
        assert_eq!(code(&mut socket).await, 1012);
        begin.elapsed()
    })
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn co9_a_client_that_says_nothing_of_tls_is_gone_and_its_place_is_given_on() {
    let identity = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let certificate = identity.cert.pem();
    let tls = Identity::from_pem(&certificate, identity.signing_key.serialize_pem());
    let acceptor = tls.unwrap().acceptor();
    let site = Site::with(Connections::new(), 1, |service| {
        service.tls = Some(acceptor);
    });
    let begin = Instant::now();
    let mut silent = site.arrive("1.2.3.4");
    let waiting = site.arrive("1.2.3.4");
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begin.elapsed().as_secs(), 10);
    let connecting = connect("wss://a.example/").tls_roots(certificate.as_bytes());
    let mut socket = connecting.over(waiting).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 10);
    socket.send("secured").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("secured".into()));
    assert_eq!(site.connections.len(), 1);
    // TLS and the opening handshake share one time.
    let (begin, stream) = (Instant::now(), site.arrive("1.2.3.4"));
    sleep(Duration::from_secs(6)).await;
    let name = "a.example".try_into().unwrap();
    let mut stream = connector(&certificate).connect(name, stream).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    // It ends without an end of TLS.
    assert!(stream.read(&mut [0]).await.is_err());
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[cfg(feature = "tls")]
fn connector(root: &str) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root.as_bytes());
    roots.add(root.unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}
