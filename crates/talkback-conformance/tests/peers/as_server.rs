//! The library as the server of clients that others wrote.

use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::ready;
use talkback::bytes::Bytes;
use talkback::{
    CloseCause, CloseInfo, DeflatePolicy, Initiator, Message, OriginPolicy, Refusal, WebSocket,
    WebSocketChannel, WindowBits, accept,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// How the server agrees on compression.
pub(crate) fn policies() -> [Option<DeflatePolicy>; 4] {
    let default = DeflatePolicy::default();
    let keeping = default
        .server_no_context_takeover(false)
        .client_no_context_takeover(false);
    let bits = WindowBits::new(10).expect("it is one of the sizes");
    let small = keeping
        .server_max_window_bits(bits)
        .client_max_window_bits(bits);
    [Some(default), Some(keeping), Some(small), None]
}

/// An echo server. On /bye it closes with 4001 "bye", on /cut it goes away without a close frame; on /ping it sends a
/// text once its ping is answered, on /deflate one that says whether messages are compressed, on /fragments each message
/// in fragments; /missing is a 404. It knows the
/// subprotocol `chat`, and tells how each connection on /told ended.
pub(crate) struct Server {
    pub(crate) url: String,
    ends: mpsc::Receiver<CloseInfo>,
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start(policy: Option<DeflatePolicy>) -> Self {
        let runtime = Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system gives a thread");
        let (told, ends) = mpsc::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("it can be told so");
        let address = listener.local_addr().expect("it listens");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the runtime has I/O");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, policy, told.clone()));
            }
        });
        Self {
            url: format!("ws://{address}/"),
            ends,
            _runtime: runtime,
        }
    }

    /// How a connection on /told has ended.
    pub(crate) fn told(&self) -> CloseInfo {
        let end = self.ends.recv_timeout(Duration::from_secs(30));
        end.expect("a client has connected to /told, and gone")
    }
}

async fn serve(stream: TcpStream, policy: Option<DeflatePolicy>, told: mpsc::Sender<CloseInfo>) {
    stream.set_nodelay(true).expect("it is open");
    let accepting = accept(stream)
        .subprotocols(["chat"])
        .compression(policy)
        .origin_policy(OriginPolicy::Any)
        .check(|request| {
            ready(match request.uri().path() {
                "/missing" => Err(Refusal::not_found()),
                _ => Ok(()),
            })
        });
    let Ok(mut socket) = accepting.await else {
        return;
    };
    let path = socket.request().uri().path().to_owned();
    match &*path {
        "/bye" => drop(socket.close_with(4001, "bye").await),
        "/cut" => return,
        "/deflate" => drop(socket.send(socket.has_deflate().to_string()).await),
        "/ping" => return answered(socket).await,
        _ => {}
    }
    while let Ok(Some(message)) = socket.recv().await {
        // What cannot be sent shows at the next `recv`.
        let _ = match &*path {
            "/fragments" => in_fragments(&mut socket, message).await,
            _ => socket.feed(message).await.ok(),
        };
    }
    if path == "/told" {
        let info = socket.close_info().expect("it has ended").clone();
        // The test may have ended.
        let _ = told.send(info);
    }
}

/// What cannot be sent shows at the next `recv`.
async fn in_fragments(socket: &mut WebSocket<TcpStream>, message: Message) -> Option<()> {
    let mut writer = socket.send_stream(message.kind()).ok()?;
    let bytes = message.into_bytes();
    // The first cut may be within a character.
    let head = bytes.len().min(1);
    for piece in [bytes.slice(..head), Bytes::new(), bytes.slice(head..)] {
        writer.write(piece).await.ok()?;
        writer.flush().await.ok()?;
    }
    writer.finish().await.ok()
}

/// A channel knows when its ping is answered.
async fn answered(socket: WebSocket<TcpStream>) {
    let mut channel = WebSocketChannel::from(socket);
    if channel.ping("there?").await.is_ok() {
        // The client may have gone meanwhile.
        let _ = channel.send("answered").await;
    }
    while let Ok(Some(_)) = channel.recv().await {}
}

/// Holds that the client closed with 4002 "done", and that both ends kept to the closing handshake.
pub(crate) fn is_done(info: &CloseInfo) {
    let ended = (
        info.code.number(),
        &*info.reason,
        info.initiator,
        info.clean,
    );
    assert_eq!(ended, (4002, "done", Initiator::Remote, true));
    assert_eq!(info.cause, CloseCause::ClosingHandshake);
}
