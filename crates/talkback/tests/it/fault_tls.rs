//! V54 within TLS: a session that is cut without close_notify, by FIN and by RST, and one over a slow
//! network.

use std::sync::Arc;
use std::time::Duration;

use talkback::{DeflateOffer, DeflatePolicy, Role, WebSocket, connect};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::time::{Instant, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::certificates::Authority;
use crate::support::fault_proxy::{Chance, Direction, End, Pace, Plan, pass};
use crate::support::fault_session::{
    Opening, Outcome, Session, accept_on, ask, cut_after, echo, every_message,
    every_message_agreed, run,
};

/// Both ends within TLS; every message is compressed, or none is.
fn secured(compression: Option<(DeflateOffer, DeflatePolicy)>) -> Opening {
    let (offer, policy) = compression.unzip();
    let authority = Authority::new("A root");
    let config = authority.issue("127.0.0.1").server();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let roots = authority.pem;
    Opening {
        client: Arc::new(move |address| {
            let connecting = connect(format!("wss://{address}/")).compression(offer);
            connecting.tls_roots(roots.as_str())
        }),
        server: Arc::new(move |stream| {
            let acceptor = acceptor.clone();
            Box::pin(async move {
                let secured = acceptor.accept(stream).await;
                let stream = secured.map_err(|error| error.to_string())?;
                accept_on(Box::new(stream), policy).await
            })
        }),
    }
}

/// Cuts after every byte.
async fn cut(end: End, opening: Opening) {
    let session = Session::small();
    let plan = Plan::default();
    let outcome = run(&session, &opening, plan).await;
    outcome.assert_complete(&session, &plan);
    for (direction, size) in [
        (Direction::ToServer, outcome.passed.to_server.len()),
        (Direction::ToClient, outcome.passed.to_client.len()),
    ] {
        let cuts = (0..=size).map(|after| (direction, after));
        let tried = cut_after(cuts, end, &session, &opening).await;
        println!("{direction:?}, {end:?}: {tried} cuts");
        assert_eq!(tried, size + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_fin_without_close_notify() {
    cut(End::Fin, secured(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_fin_without_close_notify_in_a_compressed_session() {
    cut(End::Fin, secured(Some(every_message()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_reset() {
    cut(End::Reset, secured(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_half_open_without_close_notify() {
    cut(End::HalfFin, secured(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_cuts_of_large_messages() {
    let (session, opening) = (Session::large(), secured(Some(every_message())));
    let mut chance = Chance(54);
    for direction in [Direction::ToServer, Direction::ToClient] {
        for end in [End::Fin, End::Reset, End::HalfFin] {
            let cuts: Vec<_> = (0..10)
                .map(|_| (direction, chance.below(280_000) as usize))
                .collect();
            cut_after(cuts, end, &session, &opening).await;
        }
    }
}

#[tokio::test]
async fn v17_segments_and_single_bytes_lose_nothing() {
    let opening = secured(Some(every_message()));
    let segments = |seed| Pace::Segments {
        seed,
        delay_max: Duration::from_micros(300),
    };
    for (session, pace) in [
        (Session::small(), segments(1)),
        (Session::small(), segments(2)),
        (Session::large(), segments(3)),
        (Session::small(), Pace::Bytes(Duration::ZERO)),
    ] {
        let plan = Plan::pace(pace);
        let outcome = run(&session, &opening, plan).await;
        outcome.assert_complete(&session, &plan);
    }
}

/// In memory and in virtual time, TLS's own handshake included.
#[tokio::test(start_paused = true)]
async fn v54_a_byte_a_second_loses_nothing() {
    let authority = Authority::new("A root");
    let acceptor = TlsAcceptor::from(Arc::new(authority.issue("127.0.0.1").server()));
    let connector = TlsConnector::from(Arc::new(authority.client()));
    let mut session = Session::small();
    session.limits = session.limits.close_timeout(Duration::from_secs(600));
    let session = &session;
    let plan = Plan::pace(Pace::Bytes(Duration::from_secs(1)));
    for deflate in [None, Some(&every_message_agreed())] {
        let begin = Instant::now();
        let (near, mut to_client) = duplex(4096);
        let (far, mut to_server) = duplex(4096);
        let client = async {
            let host = "127.0.0.1".try_into().unwrap();
            let stream = connector.connect(host, near).await.unwrap();
            let socket = upgraded(stream, Role::Client, session).with_deflate(deflate);
            ask(socket, session).await
        };
        let server = async {
            let stream = acceptor.accept(far).await.unwrap();
            let socket = upgraded(stream, Role::Server, session).with_deflate(deflate);
            echo(socket, session).await
        };
        let passing = async {
            let (passed, _) = pass(&mut to_client, &mut to_server, &plan).await;
            drop((to_client, to_server));
            passed
        };
        let day = Duration::from_secs(24 * 3600);
        let all = timeout(day, async { tokio::join!(client, server, passing) });
        let (client, server, passed) = all.await.expect("the session ends");
        let seconds = begin.elapsed().as_secs();
        // TLS's handshake, and a record's 22 bytes around what is sent; the last record, TLS's own end, is
        // not waited for.
        assert!(seconds > 1_450, "{seconds} of virtual time");
        let outcome = Outcome {
            client,
            server,
            passed,
        };
        outcome.assert_complete(session, &plan);
    }
}

/// An end whose opening handshake somebody else has done.
fn upgraded<T>(stream: T, role: Role, session: &Session) -> WebSocket<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    WebSocket::from_upgraded(stream, role).with_limits(session.limits.clone())
}
