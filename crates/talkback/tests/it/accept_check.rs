//! `check` of `accept`: it may wait, choose the subprotocol, add headers, and refuse; and what a transport
//! has to be.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, SET_COOKIE};
use talkback::{
    Accept, AcceptError, Accepting, Approval, Connect, ConnectError, Refusal, Transport, WebSocket,
    accept, connect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::support::answers::refused;
use crate::support::local::Local;

type Ends = (
    Result<WebSocket<Transport<DuplexStream>>, ConnectError>,
    Result<WebSocket<DuplexStream>, AcceptError>,
);

/// What becomes of both ends of an opening handshake in memory.
async fn open(
    ask: impl FnOnce(Connect) -> Connect,
    answer: impl FnOnce(Accept<DuplexStream>) -> Accept<DuplexStream>,
) -> Ends {
    let (near, far) = duplex(4096);
    let connecting = ask(connect("ws://a.example/room/7")).over(near);
    tokio::join!(connecting, answer(accept(far)))
}

fn offering(names: &[&str]) -> impl FnOnce(Connect) -> Connect {
    move |connecting| {
        names
            .iter()
            .fold(connecting, |all, name| all.subprotocol(*name))
    }
}

#[tokio::test]
async fn l30_a_check_may_wait_for_others_and_choose_the_subprotocol() {
    // As a relay that asks its upstream.
    let (asking, mut asked) = mpsc::channel::<(String, oneshot::Sender<String>)>(1);
    tokio::spawn(async move {
        let (path, answering) = asked.recv().await.unwrap();
        assert_eq!(path, "/room/7");
        answering.send("v1".to_owned()).unwrap();
    });
    let (client, server) = open(offering(&["v2", "v1"]), |accepting| {
        // What it holds, it may move on: it is asked once.
        accepting.subprotocols(["v2"]).check(|request| async move {
            let (answering, answered) = oneshot::channel();
            let path = request.uri().path().to_owned();
            asking.send((path, answering)).await.unwrap();
            Ok(Approval::default().subprotocol(answered.await.unwrap()))
        })
    })
    .await;
    assert_eq!(client.unwrap().subprotocol(), Some("v1"));
    assert_eq!(server.unwrap().subprotocol(), Some("v1"));
}

#[tokio::test]
async fn an_approval_adds_headers_and_leaves_the_rest_as_it_is() {
    let (client, server) = open(offering(&["v2", "v1"]), |accepting| {
        accepting.subprotocols(["v1"]).check(async |_| {
            let cookie = |text| HeaderValue::from_static(text);
            let approval = Approval::default().header(SET_COOKIE, cookie("a=1"));
            let approval = approval.header(SET_COOKIE, cookie("hunter2"));
            assert!(!format!("{approval:?}").contains("hunter2"));
            Ok(approval)
        })
    })
    .await;
    let client = client.unwrap();
    let cookies: Vec<_> = client
        .response()
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .collect();
    assert_eq!(cookies, ["a=1", "hunter2"]);
    assert_eq!(client.subprotocol(), Some("v1"));
    // A check that keeps the request does not take it away.
    assert_eq!(server.unwrap().request().uri(), "/room/7");
}

#[tokio::test]
async fn a_request_that_the_check_keeps_is_the_sockets_too() {
    let (keeping, mut kept) = mpsc::unbounded_channel();
    let (_client, server) = open(offering(&[]), |accepting| {
        accepting.check(move |request| {
            keeping.send(request).unwrap();
            std::future::ready(Ok(()))
        })
    })
    .await;
    let server = server.unwrap();
    assert_eq!(
        kept.recv().await.unwrap().headers(),
        server.request().headers()
    );
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_refused_with_500() {
    let (client, server) = open(offering(&["v1"]), |accepting| {
        accepting.check(async |_| Ok(Approval::default().subprotocol("v2")))
    })
    .await;
    assert_eq!(refused(client.map(drop).unwrap_err()).status, 500);
    let error = server.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("did not offer the subprotocol that was chosen, of 2 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_header_of_the_handshake_is_refused_with_500() {
    for name in [
        "upgrade",
        "sec-websocket-accept",
        "content-length",
        "transfer-encoding",
    ] {
        let (client, server) = open(offering(&[]), |accepting| {
            accepting.check(async move |_| {
                let value = HeaderValue::from_static("1");
                Ok(Approval::default().header(HeaderName::from_static(name), value))
            })
        })
        .await;
        assert_eq!(refused(client.map(drop).unwrap_err()).status, 500);
        let error = server.map(drop).unwrap_err().to_string();
        assert!(
            error.contains(&format!("the header {name} belongs")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client() {
    let (client, server) = open(offering(&[]), |accepting| {
        accepting.check(
            async |request| match request.headers().get("authorization") {
                Some(_) => Ok(()),
                None => Err(Refusal::new(StatusCode::UNAUTHORIZED, "send a token")),
            },
        )
    })
    .await;
    let refused = refused(client.map(drop).unwrap_err());
    assert_eq!(
        (refused.status.as_u16(), &*refused.body),
        (401, &b"send a token\n"[..])
    );
    assert!(matches!(server, Err(AcceptError::Refused(_))));
}

/// Tells when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_dropped_at_the_timeout() {
    let (dropping, dropped) = oneshot::channel();
    let dropping = Dropped(Some(dropping));
    let began = Instant::now();
    let (client, server) = open(offering(&[]), |accepting| {
        let accepting = accepting.timeout(Duration::from_secs(3));
        accepting.check(|_| async move {
            sleep(Duration::from_secs(60)).await;
            drop(dropping);
            Ok(())
        })
    })
    .await;
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert!(matches!(server, Err(AcceptError::Timeout(after)) if after.as_secs() == 3));
    assert!(matches!(client, Err(ConnectError::Lost { .. })));
    dropped.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_always_busy_is_dropped_at_the_timeout() {
    let (near, far) = duplex(4096);
    let accepting = accept(far)
        .timeout(Duration::from_secs(3))
        .check(|_| async {
            // As one that takes from a queue that is never empty: tokio stops it for others to run, and
            // would stop a timer that is looked at behind it.
            loop {
                tokio::task::consume_budget().await;
            }
            #[expect(unreachable_code, reason = "it says what the check gives")]
            Ok(())
        });
    let accepting = tokio::spawn(std::future::IntoFuture::into_future(accepting));
    let connecting = tokio::spawn(connect("ws://a.example/").over(near));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!accepting.is_finished());
    tokio::time::advance(Duration::from_secs(4)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(accepting.is_finished(), "the timeout holds");
    let outcome = accepting.await.unwrap();
    assert!(matches!(outcome, Err(AcceptError::Timeout(_))));
    assert!(connecting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_check_is_not_asked_about_what_is_refused_anyway() {
    let (client, _) = open(
        |connecting| connecting.origin("https://page.example"),
        |accepting| {
            accepting.check(|_| -> std::future::Ready<Result<(), Refusal>> { panic!("asked") })
        },
    )
    .await;
    assert_eq!(refused(client.map(drop).unwrap_err()).status, 403);
}

#[tokio::test]
async fn a_transport_need_be_neither_send_nor_static() {
    let (near, mut far) = duplex(1024);
    let mut accepting = pin_local(Local::new(&mut far));
    let connecting = connect("ws://a.example/").over(near);
    let (client, server) = tokio::join!(connecting, &mut accepting);
    client.unwrap().send("Hello!").await.unwrap();
    let message = server.unwrap().recv().await.unwrap();
    assert_eq!(message, Some("Hello!".into()));
}

/// The future has a name, and needs no box.
fn pin_local<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: T) -> Accepting<T> {
    std::future::IntoFuture::into_future(accept(stream))
}

#[test]
fn the_future_is_send_where_the_transport_is() {
    fn is_send<T: Send>() {}
    is_send::<Accepting<DuplexStream>>();
}

#[tokio::test]
async fn what_stands_behind_the_request_waits_for_the_check() {
    let (mut near, far) = duplex(4096);
    let (approving, approved) = oneshot::channel::<()>();
    let accepting = accept(far).check(|_| async move {
        approved.await.unwrap();
        Ok(())
    });
    let accepting = tokio::spawn(std::future::IntoFuture::into_future(accepting));
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    near.write_all(request).await.unwrap();
    // Masked with a key of zeros.
    near.write_all(b"\x81\x85\0\0\0\0Hello").await.unwrap();
    tokio::task::yield_now().await;
    approving.send(()).unwrap();
    let mut socket = accepting.await.unwrap().unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello".into()));
    assert_eq!(near.read_u8().await.unwrap(), b'H');
}
