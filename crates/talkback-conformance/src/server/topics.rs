//! Topics, by a session of the library's own.

use bytes::BytesMut;
use http::Request;
use talkback::{Role, WebSocket};
use talkback_proto::handshake::{ServerHandshake, encode_response};
use talkback_topics::{SUBPROTOCOL, Session, Start, Subscriber, Topics};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Serves a client until its end, or until something is published to the topic that cuts it off.
pub(super) async fn serve<T>(
    topics: &Topics,
    id: u64,
    mut io: T,
    request: &Request<()>,
    leftover: BytesMut,
) -> Option<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = ServerHandshake::read(request).ok()?;
    let response = handshake.accept(Some(SUBPROTOCOL), None).ok()?;
    io.write_all(&encode_response(&response)).await.ok()?;
    let mut socket = WebSocket::from_upgraded(io, Role::Server).with_leftover(leftover);
    let mut cut = Subscriber::new();
    let topic = topics.topic(&format!("cut {id}")).ok()?;
    cut.subscribe(&topic, Start::Now).await.ok()?;
    let mut session = Session::new(topics);
    tokio::select! {
        _ = session.serve(&mut socket) => {}
        _ = cut.next() => {}
    }
    Some(())
}
