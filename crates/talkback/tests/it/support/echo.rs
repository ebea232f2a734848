//! An echo server on loopback.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use talkback::Connect;
use tokio::net::TcpListener;

/// An echo server on a port of its own, as a task; its address as a URL.
pub(crate) async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = talkback::accept(stream)
                    .subprotocols(["chat"])
                    .await
                    .unwrap();
                while let Ok(Some(message)) = socket.recv().await {
                    let _ = socket.feed(message).await;
                }
            });
        }
    });
    url
}

/// The same on a thread of its own.
pub(crate) fn echo_thread() -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            sender.send(echo().await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}

/// The address of an [`echo`] server.
pub(crate) async fn echo_address() -> SocketAddr {
    let url = echo().await;
    let authority = url.trim_start_matches("ws://").trim_end_matches('/');
    authority.parse().unwrap()
}

/// Connects to a server that echoes, and has it do so.
pub(crate) async fn say_hello(connecting: Connect) {
    let mut socket = connecting.await.unwrap_or_else(|error| panic!("{error}"));
    socket.send("Hello!").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello!".into()));
}
