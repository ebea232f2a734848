//! The server's way, with a secret in what the client sends and in what the check says.

use std::convert::Infallible;
use std::future::IntoFuture as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::SET_COOKIE;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use talkback::server::{Connections, Drain, Identity, IdentityError, Network, ServeError, Server};
use talkback::{AcceptError, Approval, Refusal, accept};
use talkback_testing::secrets::{SECRET, Shown};
use talkback_testing::shown_variant;
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio::sync::mpsc;

use super::{chain, pem, shown_connect_error, value, with_secrets};
use crate::support::certificates;

pub(super) async fn accepting(shown: &mut Shown) {
    let (mut near, far) = duplex(64 * 1024);
    near.write_all(b"GET /?hunter2 HTTP/1.1\r\nCookie: hunter2\r\n")
        .await
        .unwrap();
    let mut accepting = accept(far).into_future();
    assert!((&mut accepting).now_or_never().is_none());
    shown.debug(&accepting);
}

fn shown_accept_error(shown: &mut Shown, error: AcceptError) {
    shown_variant!(shown, error => AcceptError: Refused, Answered, Lost, Timeout);
    shown.unwrap(Err::<(), AcceptError>(error));
}

pub(super) async fn accept_errors(shown: &mut Shown) {
    type Check = fn() -> Result<Approval, Refusal>;
    let checks: [Check; 3] = [
        || {
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "log in first")
                .with_header(SET_COOKIE, value()))
        },
        || Ok(Approval::default().subprotocol("other-hunter2")),
        || Ok(Approval::default().header(http::header::UPGRADE, value())),
    ];
    for check in checks {
        let (near, far) = duplex(64 * 1024);
        let accepting = accept(far).check(async move |_| check());
        let connecting = with_secrets("ws", "a.example").over(near);
        let (client, server) = tokio::join!(connecting, accepting);
        shown_connect_error(shown, client.map(drop).unwrap_err());
        shown_accept_error(shown, server.map(drop).unwrap_err());
    }
    for request in [
        "GET /?hunter2 HTTP/1.1\r\n",
        "hunter2\r\n\r\n",
        "GET /?hunter2 HTTP/1.1\r\nHost: a\r\nCookie: hunter2\r\n\r\n",
        "GET /?hunter2 HTTP/1.1\r\nhunter2\r\n\r\n",
        "GET /?hunter2 HTTP/1.1\r\nHost: hunter2@\r\n\r\n",
    ] {
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(request.as_bytes()).await.unwrap();
        near.shutdown().await.unwrap();
        let accepting = accept(far).otherwise(|_| Response::new(Bytes::from_static(b"page")));
        shown_accept_error(shown, accepting.await.map(drop).unwrap_err());
    }
    let (_near, far) = duplex(64 * 1024);
    let late = accept(far).timeout(Duration::ZERO).await;
    shown_accept_error(shown, late.map(drop).unwrap_err());
}

/// A connection of a server's, and how it is let go of.
pub(super) async fn served(shown: &mut Shown) {
    let connections = Connections::new();
    let (near, far) = duplex(64 * 1024);
    let accepting = accept(far).subprotocols([SECRET]).admit(&connections);
    let connecting = with_secrets("ws", "a.example").over(near);
    let (client, connection) = tokio::join!(connecting, accepting);
    drop(client.unwrap());
    shown.debug(&connection.unwrap());
    shown.debug(&Drain::now().close_with(4000, SECRET).unwrap());
}

/// `upgrade` of hyper's requests over memory, once opened, once refused.
pub(super) async fn upgrades(shown: &mut Shown) {
    let (sending, mut received) = mpsc::unbounded_channel();
    for origin in ["http://a.example", "http://b.example"] {
        let (near, far) = duplex(64 * 1024);
        let sending = sending.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (response, upgrading) = talkback::upgrade(&mut request)
                .subprotocols([SECRET])
                .answer();
            sending.send(upgrading).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(serving.with_upgrades());
        let opened = with_secrets("ws", "a.example")
            .origin(origin)
            .over(near)
            .await;
        let upgrading = received.recv().await.unwrap();
        shown.debug(&upgrading);
        match opened {
            Ok(mut client) => {
                client.send(SECRET).await.unwrap();
                let socket = upgrading.await.unwrap();
                shown.debug(&socket);
                shown.debug(socket.transport().unwrap());
                let mut request = socket.request().headers().clone();
                request.remove("x-api-key");
                shown.text("the request", &format!("{request:?}"));
            }
            Err(error) => {
                shown_connect_error(shown, error);
                shown_accept_error(shown, upgrading.await.map(drop).unwrap_err());
            }
        }
    }
    let request = Request::get("/?hunter2").header("cookie", SECRET);
    let mut request = request
        .header("sec-websocket-protocol", SECRET)
        .body(())
        .unwrap();
    let upgrade = talkback::upgrade(&mut request).subprotocols([SECRET]);
    shown.debug(&upgrade);
    let (response, upgrading) = upgrade.answer();
    shown.debug(response.body());
    shown_accept_error(shown, upgrading.await.map(drop).unwrap_err());
}

fn shown_serve_error(shown: &mut Shown, error: ServeError) {
    shown_variant!(shown, error => ServeError: Limit);
    shown.unwrap(Err::<(), ServeError>(error));
}

fn shown_identity_error(shown: &mut Shown, error: IdentityError) {
    shown_variant!(shown, error => IdentityError: Certificate, Key);
    shown.unwrap(Err::<(), IdentityError>(error));
}

/// Servers with a listener of their own, with a secret in what they are to show who they are by.
pub(super) async fn servers(shown: &mut Shown) {
    let broken = pem("PRIVATE KEY", SECRET).replace('\n', "");
    let endless = pem("PRIVATE KEY", SECRET).replace("-----END", "END");
    for (chain, key) in [
        (broken.clone(), chain()),
        (chain(), broken),
        (chain(), endless),
        (chain(), pem("PRIVATE KEY", "hunter2%")),
        (chain(), pem("PRIVATE KEY", "aHVudGVyMg==")),
        (chain(), SECRET.to_owned()),
    ] {
        shown_identity_error(shown, Identity::from_pem(chain, key).unwrap_err());
    }
    let own = certificates::Identity::self_signed("localhost");
    let identity = Identity::from_pem(own.chain_pem, own.key_pem).unwrap();
    shown.debug(&identity);
    let server = Server::bind("127.0.0.1:0").await.unwrap().tls(identity);
    shown.debug(&server);
    // What is no network is shown: it is no secret.
    shown.unwrap("10.0.0.0/33".parse::<Network>());
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let failed = server.serve(&Connections::new().max(0), |_| async {}).await;
    shown_serve_error(shown, failed.unwrap_err());
}
