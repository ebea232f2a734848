//! The behaviours on an open connection.

use std::io;
use std::time::Duration;

use talkback_proto::Opcode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::notes::{Note, Notes};
use super::peer::{Frame, Peer};
use crate::behaviour::{Behaviour, When};

/// How long after the opening handshake "late" is.
const LATE: Duration = Duration::from_millis(100);

/// Behaves as told until the end; a stream that is given back is to be reset.
///
/// An error means that the client went away or broke a rule: either way this is over.
pub(super) async fn play<T>(
    mut peer: Peer<T>,
    behaviour: Behaviour,
    offered: Option<&str>,
    notes: &Notes,
) -> Option<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // One that reads nothing would not notice the end.
    let is_counted = !matches!(behaviour, Behaviour::Stall { .. });
    let _open = is_counted.then(|| notes.count_open());
    let _ = match behaviour {
        Behaviour::Reset => return Some(peer.into_inner()),
        // The opening handshake is over; these have nothing left to do.
        Behaviour::Silent
        | Behaviour::Status { .. }
        | Behaviour::InTurn { .. }
        | Behaviour::Topics { .. } => Ok(()),
        Behaviour::Disconnect { when } => wait(&mut peer, when).await.map(drop),
        Behaviour::Echo { .. } | Behaviour::Greet { .. } => echo(&mut peer).await,
        Behaviour::Subprotocol { .. } => {
            let offered = offered.unwrap_or("none");
            greet_and_echo(&mut peer, offered).await
        }
        Behaviour::Observe { id } => {
            let note = observe(&mut peer).await;
            notes.add(id, note);
            peer.end().await
        }
        Behaviour::Report { id } => report(&mut peer, notes.take(id).await).await,
        Behaviour::Close { code, reason, when } => {
            let code = code.map(u16::to_be_bytes);
            let body = code.map_or_else(Vec::new, |code| [&code[..], &reason].concat());
            close(&mut peer, &body, when).await
        }
        Behaviour::Raw { bytes, when } => raw(&mut peer, &bytes, when).await,
        Behaviour::Flood { count } => flood(&mut peer, count).await,
        Behaviour::Burst { count } => burst(&mut peer, count).await,
        Behaviour::Pour { count, id } => pour(&mut peer, count, || notes.count(id)).await,
        Behaviour::Poured { id } => {
            let poured = notes.poured(id).to_string();
            greet_and_echo(&mut peer, &poured).await
        }
        Behaviour::Connections => {
            let open = notes.open().to_string();
            greet_and_echo(&mut peer, &open).await
        }
        Behaviour::IgnoreClose => ignore(&mut peer).await,
        Behaviour::Stall { delay } => {
            sleep(delay).await;
            echo(&mut peer).await
        }
        Behaviour::Cut { delay } => {
            sleep(delay).await;
            Ok(())
        }
        Behaviour::Turns { id } => {
            let turns = notes.turns(id);
            let turns = format!("{} {}", turns.begun, turns.open);
            greet_and_echo(&mut peer, &turns).await
        }
    };
    None
}

async fn echo<T>(peer: &mut Peer<T>) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(frame) = peer.read_data().await? {
        peer.write_back(&frame).await?;
    }
    Ok(())
}

async fn greet_and_echo<T>(peer: &mut Peer<T>, text: &str) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    peer.write(Opcode::Text, text.as_bytes()).await?;
    echo(peer).await
}

/// Takes everything, and answers a close frame without ending the transport.
async fn observe<T>(peer: &mut Peer<T>) -> Note
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut messages: Vec<(Opcode, Vec<u8>)> = Vec::new();
    while let Ok(Some(frame)) = peer.read().await {
        match (frame.opcode, messages.last_mut()) {
            (Opcode::Close, _) => {
                let _ = peer.write(Opcode::Close, &frame.payload).await;
                let end = describe_close(&frame);
                return Note { messages, end };
            }
            (Opcode::Ping, _) => {
                // If it cannot be written, the next read says so.
                let _ = peer.write(Opcode::Pong, &frame.payload).await;
            }
            (Opcode::Pong, _) | (Opcode::Continuation, None) => {}
            (Opcode::Continuation, Some((_, payload))) => payload.extend(frame.payload),
            (opcode, _) => messages.push((opcode, frame.payload)),
        }
    }
    let end = "end".to_owned();
    Note { messages, end }
}

/// `close 1000 reason`, with 1005 for a close frame without a code.
fn describe_close(frame: &Frame) -> String {
    let (code, reason) = match frame.payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), reason),
        None => (1005, &frame.payload[..]),
    };
    let reason = String::from_utf8_lossy(reason);
    format!("close {code} {reason}").trim_end().to_owned()
}

async fn report<T>(peer: &mut Peer<T>, note: Note) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    for (opcode, payload) in note.messages {
        peer.write(opcode, &payload).await?;
    }
    greet_and_echo(peer, &note.end).await
}

/// Waits for the moment; `false` if the client has ended the connection before.
async fn wait<T>(peer: &mut Peer<T>, when: When) -> io::Result<bool>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    match when {
        When::Open => {}
        When::Late => sleep(LATE).await,
        When::Message => match peer.read_data().await? {
            Some(frame) => peer.write_back(&frame).await?,
            None => return Ok(false),
        },
    }
    Ok(true)
}

async fn close<T>(peer: &mut Peer<T>, body: &[u8], when: When) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    if !wait(peer, when).await? {
        return Ok(());
    }
    peer.write(Opcode::Close, body).await?;
    while let Some(frame) = peer.read().await? {
        if frame.opcode == Opcode::Close {
            break;
        }
    }
    peer.end().await
}

async fn raw<T>(peer: &mut Peer<T>, bytes: &[u8], when: When) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    if !wait(peer, when).await? {
        return Ok(());
    }
    peer.write_raw(bytes).await?;
    peer.read_away().await
}

async fn flood<T>(peer: &mut Peer<T>, count: u32) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(frame) = peer.read().await? {
        if frame.opcode != Opcode::Close {
            continue;
        }
        for number in 0..count {
            let text = number.to_string();
            peer.write(Opcode::Text, text.as_bytes()).await?;
        }
        peer.write(Opcode::Close, &frame.payload).await?;
        return peer.end().await;
    }
    Ok(())
}

async fn burst<T>(peer: &mut Peer<T>, count: u32) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    for number in 0..count {
        let text = number.to_string();
        peer.write(Opcode::Text, text.as_bytes()).await?;
    }
    echo(peer).await
}

async fn pour<T>(peer: &mut Peer<T>, count: u32, note: impl Fn()) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let payload = vec![0; 64 * 1024];
    for _ in 0..count {
        peer.write(Opcode::Binary, &payload).await?;
        note();
    }
    echo(peer).await
}

/// Reads frames of any kind and answers none, until the client ends the transport.
async fn ignore<T>(peer: &mut Peer<T>) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while peer.read().await?.is_some() {}
    Ok(())
}
