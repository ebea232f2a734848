//! V15, V51, V54 and V55: networks that are slow, that hold back and that stop, in virtual time.

use std::time::Duration;

use talkback::{
    AcceptError, CloseCause, CloseCode, DeflateParameters, Error, Keepalive, Limits, Role,
    WebSocket, accept,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use crate::support::fault_proxy::{FaultProxy, Pace, Plan, pass};
use crate::support::fault_session::{Outcome, Session, ask, echo, every_message_agreed};

/// The buffer of each transport: what a kernel would take.
const BUFFER: usize = 4096;

/// One that holds less than a message, so that writes have to wait.
const BUFFER_MIN: usize = 64;

/// A day of virtual time: whoever waits longer hangs.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Runs a session in memory through a proxy.
async fn run(session: &Session, plan: Plan) -> Outcome {
    run_over(BUFFER, None, session, plan).await
}

/// The same over transports with this buffer, and compressed so.
async fn run_over(
    buffer: usize,
    deflate: Option<&DeflateParameters>,
    session: &Session,
    plan: Plan,
) -> Outcome {
    let (near, mut to_client) = duplex(buffer);
    let (far, mut to_server) = duplex(buffer);
    let socket = |io: DuplexStream, role| {
        WebSocket::from_upgraded(io, role)
            .with_limits(session.limits.clone())
            .with_deflate(deflate)
    };
    let client = ask(socket(near, Role::Client), session);
    let server = echo(socket(far, Role::Server), session);
    let passing = async {
        let (passed, _) = pass(&mut to_client, &mut to_server, &plan).await;
        drop((to_client, to_server));
        passed
    };
    // A direction that stops never ends; the session does.
    let talking = async { tokio::join!(client, server) };
    let all = async {
        tokio::pin!(talking, passing);
        tokio::select! {
            (client, server) = &mut talking => Outcome { client, server, passed: Default::default() },
            passed = &mut passing => {
                let (client, server) = talking.await;
                Outcome { client, server, passed }
            }
        }
    };
    let ended = timeout(LIMIT, all).await;
    ended.unwrap_or_else(|_| panic!("hangs with {plan:?}"))
}

const A_BYTE_A_SECOND: Pace = Pace::Bytes(Duration::from_secs(1));

#[tokio::test(start_paused = true)]
async fn v54_a_byte_a_second_loses_nothing() {
    let mut session = Session::small();
    session.limits = session.limits.close_timeout(Duration::from_secs(60));
    let plan = Plan::pace(A_BYTE_A_SECOND);
    for deflate in [None, Some(&every_message_agreed())] {
        let begin = Instant::now();
        let outcome = run_over(BUFFER, deflate, &session, plan).await;
        outcome.assert_complete(&session, &plan);
        let seconds = begin.elapsed().as_secs();
        assert_eq!(
            seconds > 1_000,
            deflate.is_none(),
            "{seconds} of virtual time"
        );
        assert!(seconds > 300, "{seconds} of virtual time");
    }
}

#[tokio::test(start_paused = true)]
async fn x12_a_byte_a_second_does_not_put_off_the_close_timeout() {
    // The close frame alone takes 16 s, and the close timeout is 10 s.
    let session = Session::small();
    let plan = Plan::pace(A_BYTE_A_SECOND);
    let outcome = run(&session, plan).await;
    outcome.assert_sound(&session, &plan);
    let info = outcome.client.info.unwrap();
    assert_eq!(outcome.client.received, session.messages);
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
}

#[tokio::test(start_paused = true)]
async fn v15_an_opening_handshake_of_a_byte_a_second_is_over_in_time() {
    let (mut near, mut to_client) = duplex(BUFFER);
    let (far, mut to_server) = duplex(BUFFER);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    near.write_all(request.as_bytes()).await.unwrap();
    let begin = Instant::now();
    let plan = Plan::pace(A_BYTE_A_SECOND);
    let error = tokio::select! {
        outcome = accept(far) => outcome.map(drop).unwrap_err(),
        _ = pass(&mut to_client, &mut to_server, &plan) => unreachable!("nobody ends"),
    };
    assert!(matches!(error, AcceptError::Timeout(_)), "{error}");
    assert_eq!(begin.elapsed().as_secs(), 10, "of virtual time");
    // Not one byte of an answer.
    drop((to_client, to_server));
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn v54_segments_held_back_for_seconds_lose_nothing() {
    for (session, seeds) in [(Session::small(), 30), (Session::large(), 3)] {
        for seed in 0..seeds {
            let plan = Plan::pace(Pace::Segments {
                seed,
                delay_max: Duration::from_secs(4),
            });
            run(&session, plan).await.assert_complete(&session, &plan);
        }
    }
}

/// Holds what becomes of a session whose network stops.
fn assert_found_dead(outcome: &Outcome, session: &Session, plan: &Plan) {
    outcome.assert_sound(session, plan);
    let infos = [&outcome.client, &outcome.server].map(|side| side.info.as_ref().unwrap());
    for info in infos {
        let is_apt = match info.cause {
            CloseCause::ClosingHandshake => info.clean,
            CloseCause::KeepaliveTimeout | CloseCause::CloseTimeout => !info.clean,
            // The other end found out first, and its going is seen where bytes still pass.
            CloseCause::Transport(_) => !info.clean,
            _ => false,
        };
        assert!(is_apt, "{plan:?}: {info:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn v55_a_window_that_closes_after_any_byte_is_found_dead() {
    let mut session = Session::small();
    session.keepalive = Keepalive::default();
    let agreed = every_message_agreed();
    let mut tried = 0;
    // Every third byte of the longer direction, and three ways to stop.
    for size in (0..1_300).step_by(3) {
        let stop = Pace::StopsAfter(size);
        let deflate = (size % 2 == 0).then_some(&agreed);
        for (to_server, to_client) in [(stop, Pace::Whole), (Pace::Whole, stop), (stop, stop)] {
            let plan = Plan {
                cut: None,
                to_server,
                to_client,
            };
            let begin = Instant::now();
            let outcome = run_over(BUFFER_MIN, deflate, &session, plan).await;
            assert_found_dead(&outcome, &session, &plan);
            // Ping interval, its timeout and the close timeout, one behind the other at most.
            assert!(begin.elapsed().as_secs() <= 50, "{plan:?}");
            tried += 1;
        }
    }
    assert!(tried > 1_000);
}

/// With real sockets, whose buffers fill up, and a peer that reads nothing.
#[tokio::test]
async fn v51_a_zero_window_holds_back_the_sender_and_close_ends_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = FaultProxy::listen().await;
    let plan = Plan::pace(Pace::StopsAfter(1_000));
    let front = proxy.address();
    let passing = tokio::spawn(async move { proxy.run(address, plan).await });
    let stream = tokio::net::TcpStream::connect(front);
    let (stream, accepted) = tokio::join!(stream, listener.accept());
    let limits = Limits::default().close_timeout(Duration::from_millis(200));
    let mut socket =
        WebSocket::from_upgraded(stream.unwrap(), Role::Client).with_limits(limits.clone());
    // As long as the kernel takes bytes, this goes on; in the end it waits.
    let pause = Duration::from_millis(300);
    while let Ok(fed) = timeout(pause, socket.feed(vec![0; 70_000])).await {
        fed.unwrap();
    }
    assert!(socket.buffered_amount() > 0, "nothing is held back");
    assert!(socket.buffered_amount() <= limits.write_buffer_limit() + 70_014);
    let info = timeout(Duration::from_secs(20), socket.close()).await;
    let info = info.expect("close ends");
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
    let error = socket.recv().await.unwrap_err();
    assert!(matches!(error, Error::Closed(_)), "{error}");
    drop(accepted);
    passing.abort();
}
