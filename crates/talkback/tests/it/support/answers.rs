//! Servers that answer an opening handshake in their own way, and what a client makes of it.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;

use talkback::{Connect, ConnectError, Refused, Stage, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The error of a connect, which is one line.
pub(crate) async fn failure(connecting: Connect) -> ConnectError {
    let error = connecting.await.map(drop).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// Holds that the time ran out at this stage.
pub(crate) fn assert_timeout(error: &ConnectError, at: Stage) {
    assert!(
        matches!(error, ConnectError::Timeout { stage, .. } if *stage == at),
        "{error}"
    );
}

/// The error of a connect to a server that does this with its first client.
pub(crate) async fn failure_with<F: Future>(
    change: impl FnOnce(Connect) -> Connect,
    server: impl FnOnce(TcpStream) -> F,
) -> ConnectError {
    let (listener, address) = listen().await;
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        server(stream).await
    };
    let connecting = change(connect(format!("ws://{address}/")));
    tokio::join!(failure(connecting), serving).0
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(char::from(stream.read_u8().await.unwrap()));
    }
    request
}

/// A server that answers the first request with these bytes and ends the connection.
pub(crate) async fn answer(mut stream: TcpStream, response: impl AsRef<[u8]>) -> String {
    let request = read_request(&mut stream).await;
    // The client may have read enough.
    let _ = stream.write_all(response.as_ref()).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    request
}

pub(crate) fn refused(error: ConnectError) -> Refused {
    let Some(refused) = error.refused() else {
        panic!("{error}");
    };
    refused.clone()
}

/// Holds that no connection waits to be accepted.
pub(crate) fn assert_nobody_came(listener: TcpListener) {
    let listener = listener.into_std().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
