//! `upgrade` where another response is sent than its own: a connection that was refused is no WebSocket.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as AxumRequest;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use talkback::{AcceptError, Error, UpgradeBody, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

type Outcomes = mpsc::UnboundedReceiver<Result<(), AcceptError>>;

/// What a server gives a client that it lets in.
const SECRET: &str = "secret";

/// The answer to a request, and what becomes of its WebSocket.
#[derive(Clone)]
struct Handler(mpsc::UnboundedSender<Result<(), AcceptError>>);

impl Handler {
    fn new() -> (Self, Outcomes) {
        let (outcomes, received) = mpsc::unbounded_channel();
        (Self(outcomes), received)
    }

    fn answer<B>(&self, request: &mut Request<B>) -> Response<UpgradeBody> {
        let (response, upgrading) = talkback::upgrade(request).answer();
        let outcomes = self.0.clone();
        tokio::spawn(async move {
            let opened = upgrading.await;
            let _ = outcomes.send(opened.as_ref().map(|_| ()).map_err(Clone::clone));
            if let Ok(mut socket) = opened {
                let _ = socket.send(SECRET).await;
                socket.close().await;
            }
        });
        response
    }
}

/// Serves what hyper makes of these responses.
async fn hyper_server<B>(
    answer: impl Fn(Response<UpgradeBody>) -> Response<B> + Clone + Send + 'static,
) -> (SocketAddr, Outcomes)
where
    B: hyper::body::Body<Data = bytes::Bytes, Error = Infallible> + Send + 'static,
{
    let (handler, outcomes) = Handler::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (handler, answer) = (handler.clone(), answer.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                let response = answer(handler.answer(&mut request));
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    (address, outcomes)
}

async fn axum_server(
    layer: impl Fn(axum::response::Response) -> axum::response::Response + Clone + Send + Sync + 'static,
) -> (SocketAddr, Outcomes) {
    let (handler, outcomes) = Handler::new();
    let open = move |mut request: AxumRequest| async move { handler.answer(&mut request) };
    let layer = middleware::from_fn(move |request: AxumRequest, next: Next| {
        let layer = layer.clone();
        async move { layer(next.run(request).await) }
    });
    let router = Router::new().route("/", get(open)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, outcomes)
}

/// What a client reads that asks for a WebSocket with these options, sends a message, and ends.
async fn ask(address: SocketAddr, options: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: {options}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn is_no_websocket((address, mut outcomes): (SocketAddr, Outcomes), status: u16) {
    for options in ["Upgrade", "Upgrade, close", "close, upgrade"] {
        let answer = ask(address, options).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(!answer.contains(SECRET), "{options}: {answer:?}");
        let error = outcomes.recv().await.unwrap().unwrap_err();
        assert!(matches!(error, AcceptError::Lost(_)), "{error}");
        assert!(
            error.to_string().contains("another response was sent"),
            "{error}"
        );
    }
}

async fn is_websocket((address, mut outcomes): (SocketAddr, Outcomes)) -> Result<(), Error> {
    let mut client = connect(format!("ws://{address}/")).await.unwrap();
    assert_eq!(client.recv().await?, Some(SECRET.into()));
    assert_eq!(client.recv().await?, None);
    outcomes.recv().await.unwrap().unwrap();
    Ok(())
}

#[tokio::test]
async fn s23_a_layer_that_refuses_leaves_no_websocket_open() {
    let denied = |_| (StatusCode::FORBIDDEN, "denied").into_response();
    is_no_websocket(axum_server(denied).await, 403).await;
    let closing = |_| (StatusCode::FORBIDDEN, [("Connection", "close")], "denied").into_response();
    is_no_websocket(axum_server(closing).await, 403).await;
}

#[tokio::test]
async fn s23_a_handler_that_returns_another_response_has_no_websocket() {
    let other = |_| Response::new(Full::new(bytes::Bytes::from_static(b"no")));
    is_no_websocket(hyper_server(other).await, 200).await;
}

#[tokio::test]
async fn a_body_that_is_wrapped_still_tells() -> Result<(), Error> {
    is_websocket(hyper_server(|response| response.map(BodyExt::boxed)).await).await?;
    let wrap = |response: axum::response::Response| {
        response.map(|body| Body::new(body.map_err(|error| error)))
    };
    is_websocket(axum_server(wrap).await).await
}

#[tokio::test]
async fn a_body_that_is_turned_into_another_is_trusted() -> Result<(), Error> {
    is_websocket(hyper_server(|response| response.map(|body| Full::new(body.into()))).await)
        .await?;
    is_websocket(hyper_server(|response| response.map(String::from)).await).await
}
