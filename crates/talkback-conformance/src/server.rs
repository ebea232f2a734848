//! The test server: it does what the URL's path and query tell it, breaking rules included.
//!
//! It shares only the header's coding and the opening handshake with what it tests; frames are
//! read and written by hand, except for topics. It checks no origin, so that any page may use it.

mod notes;
mod peer;
mod play;
mod topics;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, StatusCode};
use talkback_proto::Opcode;
use talkback_proto::handshake::{
    HeadLimits, HeadReader, Refusal, ServerHandshake, encode_refusal, encode_response,
};
use talkback_topics::Topics;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::behaviour::Behaviour;
use notes::Notes;
use peer::{Peer, encode_frame, read_away};
use play::play;

/// The largest head of a request in bytes; a behaviour's bytes are part of it.
const HEAD_SIZE_MAX: usize = 64 * 1024;

/// The test server; clones share their notes and topics.
#[derive(Clone, Debug, Default)]
pub struct Server {
    notes: Arc<Notes>,
    topics: Topics,
}

impl Server {
    /// Serves on a port of its own on 127.0.0.1, in a task of the current runtime.
    ///
    /// # Errors
    /// The operating system's, if it has no port left.
    pub async fn listen(&self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    if let Some(stream) = server.serve(stream).await {
                        reset(&stream);
                    }
                });
            }
        });
        Ok(address)
    }

    /// Serves one connection, from the opening handshake on, until its end.
    ///
    /// A stream that is given back is to be reset, see [`reset`].
    pub async fn serve<T>(&self, mut io: T) -> Option<T>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let (request, leftover) = read_request(&mut io).await.ok()?;
        let mut behaviour = asked_for(&request);
        let mut _turn = None;
        if let Behaviour::InTurn { id, turns } = &behaviour {
            let (number, turn) = self.notes.take_turn(*id);
            behaviour = turns.get(number).or(turns.last())?.clone();
            _turn = Some(turn);
        }
        match &behaviour {
            Behaviour::Silent => {
                // Until the client gives up.
                let _ = read_away(&mut io).await;
                return None;
            }
            Behaviour::Status { code, body } => {
                let _ = refuse(io, &status(*code, body)).await;
                return None;
            }
            Behaviour::Topics { id } => {
                topics::serve(&self.topics, *id, io, &request, leftover).await;
                return None;
            }
            Behaviour::Echo { delay } => tokio::time::sleep(*delay).await,
            _ => {}
        }
        let answer = match answer(&request, &behaviour) {
            Ok(answer) => answer,
            Err(refusal) => {
                let _ = refuse(io, &refusal).await;
                return None;
            }
        };
        io.write_all(&answer).await.ok()?;
        io.flush().await.ok()?;
        let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
        let offered = offered.and_then(|value| value.to_str().ok());
        let peer = Peer::new(io, leftover);
        play(peer, behaviour, offered, &self.notes).await
    }

    /// Behaves as told on a connection whose opening handshake is left out, until its end.
    ///
    /// A stream that is given back is to be reset, see [`reset`].
    pub async fn serve_opened<T>(&self, io: T, behaviour: Behaviour) -> Option<T>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        play(Peer::new(io, BytesMut::new()), behaviour, None, &self.notes).await
    }
}

/// Makes TCP end with a reset once the stream is dropped.
pub fn reset(stream: &TcpStream) {
    // A stream that cannot be set any more is reset already.
    let _ = stream.set_zero_linger();
}

async fn read_request<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<(Request<()>, BytesMut)> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut reader = HeadReader::new(HeadLimits::default().size_max(HEAD_SIZE_MAX));
    let mut bytes = BytesMut::new();
    loop {
        bytes.clear();
        if io.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(size) = reader.handle(&bytes).map_err(invalid)? {
            let leftover = bytes.split_off(size);
            return Ok((reader.request().map_err(invalid)?, leftover));
        }
    }
}

fn asked_for(request: &Request<()>) -> Behaviour {
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    Behaviour::parse(target).unwrap_or(Behaviour::Status {
        code: 404,
        body: "the path and query name no behaviour".to_owned(),
    })
}

/// The bytes of the 101, and of what the behaviour sends in the same segment.
fn answer(request: &Request<()>, behaviour: &Behaviour) -> Result<Vec<u8>, Refusal> {
    let bad = |_| Refusal::new(StatusCode::BAD_REQUEST, "no such subprotocol");
    let handshake = ServerHandshake::read(request)?;
    let accepted = handshake.accept(None, None);
    let mut response = accepted.expect("nothing is chosen that could be wrong");
    if let Behaviour::Subprotocol {
        choice: Some(choice),
    } = behaviour
    {
        // Offered or not.
        let choice = HeaderValue::try_from(choice).map_err(bad)?;
        let headers = response.headers_mut();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, choice);
    }
    let mut bytes = encode_response(&response);
    if let Behaviour::Greet { text } = behaviour {
        bytes.extend(encode_frame(true, Opcode::Text, text.as_bytes()));
    }
    Ok(bytes)
}

fn status(code: u16, body: &str) -> Refusal {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal::new(status, body.to_owned())
}

async fn refuse<T>(mut io: T, refusal: &Refusal) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(&encode_refusal(refusal)).await?;
    io.shutdown().await?;
    read_away(&mut io).await
}
