//! Servers that do what a test wants, in a thread of their own.

use std::future::Future;
use std::net::TcpListener;

use talkback::WebSocket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A server that does `serve` with each connection; its URL.
pub(crate) fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    format!("ws://{address}/")
}

pub(crate) async fn open(stream: TcpStream) -> WebSocket<TcpStream> {
    talkback::accept(stream).await.unwrap()
}

/// A server with the library's defaults alone; `talkback echo` opens to every page unless told.
pub(crate) fn echo_of_the_library() -> String {
    server(|stream| async {
        if let Ok(socket) = talkback::accept(stream).await {
            echo_all(socket).await;
        }
    })
}

/// Sends back what comes, until the end.
pub(crate) async fn echo_all<T: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<T>) {
    while let Ok(Some(message)) = socket.recv().await {
        // What cannot be sent shows as the end.
        let _ = socket.feed(message).await;
    }
}

/// An echo server at a Unix socket.
#[cfg(unix)]
pub(crate) fn echo_at_socket(path: &std::path::Path) {
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async { echo_all(talkback::accept(stream).await.unwrap()).await });
            }
        });
    });
}
