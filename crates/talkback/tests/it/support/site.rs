//! Servers that answer by the request, and tell what they were asked.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedSender;

use talkback::{Role, WebSocket, accept_key};

use crate::support::proxy::Proxy;

/// A server that answers each request with what `answer` makes of its head; an echo, if that is nothing.
pub(crate) async fn site<A>(answer: A) -> Proxy<String>
where
    A: Fn(&str) -> Option<String> + Clone + Send + 'static,
{
    Proxy::start(move |stream, told| serve(stream, answer.clone(), told)).await
}

/// One connection of such a server.
pub(crate) async fn serve<S, A>(mut stream: S, answer: A, told: UnboundedSender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(&str) -> Option<String>,
{
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(char::from(byte));
    }
    let answer = answer(&head);
    let switching = switching(&head);
    // The test may have ended.
    let _ = told.send(head);
    let Some(answer) = answer else {
        let _ = stream.write_all(switching.as_bytes()).await;
        let mut socket = WebSocket::from_upgraded(stream, Role::Server);
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
        return;
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// The answer that opens a WebSocket.
pub(crate) fn switching(head: &str) -> String {
    let mut lines = head.lines();
    let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept_key(key.unwrap_or_default());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// An answer without a body.
pub(crate) fn empty(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} \r\n{headers}Content-Length: 0\r\n\r\n")
}

/// A redirect.
pub(crate) fn redirect(status: u16, location: &str) -> String {
    empty(status, &format!("Location: {location}\r\n"))
}

/// The path and the query that a head asks for.
pub(crate) fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// The value of a header that stands in a head once.
#[track_caller]
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of = |line: &'a str| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    };
    let values: Vec<&str> = head.lines().filter_map(of).collect();
    assert!(values.len() < 2, "{head}");
    values.first().copied()
}
