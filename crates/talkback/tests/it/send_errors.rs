//! What a failed send says: what was not sent, why, and nothing of its payload.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use talkback::{
    CloseCause, CloseFrameError, ConnectError, Error, Keepalive, Message, Role, SendErrorKind,
    WebSocket, WebSocketChannel,
};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::sleep;

use crate::support::{Read, Script, end};

const SECRET: &str = r#"{"password":"hunter2"}"#;

fn ends() -> (
    WebSocket<tokio::io::DuplexStream>,
    WebSocket<tokio::io::DuplexStream>,
) {
    let (client, server) = duplex(64 * 1024);
    let end = WebSocket::from_upgraded;
    (end(client, Role::Client), end(server, Role::Server))
}

/// A channel whose peer has closed with 1008 and a reason.
async fn closed_channel() -> WebSocketChannel {
    let (client, mut server) = ends();
    let channel = WebSocketChannel::from(client);
    server.close_with(1008, "log in first").await.unwrap();
    channel.closed().await.unwrap();
    channel
}

/// The I/O error at the bottom of an error's sources.
fn io_kind(error: &dyn std::error::Error) -> Option<io::ErrorKind> {
    let mut source = error.source()?;
    loop {
        match source.downcast_ref::<io::Error>() {
            Some(error) => return Some(error.kind()),
            None => source = source.source()?,
        }
    }
}

#[tokio::test]
async fn says_the_length_and_how_the_peer_closed_and_no_payload() {
    let channel = closed_channel().await;
    let sent = channel.send(SECRET).await.unwrap_err();
    let tried = channel.try_send(SECRET).unwrap_err();
    assert_eq!(sent.kind(), SendErrorKind::Closed);
    assert_eq!(sent.close_info().unwrap().code, 1008);
    assert_eq!(tried.close_info().unwrap().code, 1008);
    let expected = "a message of 22 bytes was not sent: closed by the peer, code 1008 (policy \
                    violation), reason \"log in first\". Connect anew to send";
    assert_eq!(sent.to_string(), expected);
    assert_eq!(tried.to_string(), expected);
    for debug in [
        format!("{sent:?}"),
        format!("{tried:?}"),
        format!("{:?}", Error::from(sent.clone())),
        format!("{:?}", Error::from(tried.clone())),
    ] {
        assert!(!debug.contains("hunter2"), "{debug}");
        assert!(debug.contains("1008"), "{debug}");
    }
    assert_eq!(sent.into_message(), Some(SECRET.into()));
    assert_eq!(tried.into_message(), Message::from(SECRET));
}

#[tokio::test]
async fn a_socket_hands_back_what_it_did_not_queue() {
    let (mut client, mut server) = ends();
    let closing = tokio::spawn(async move { server.close_with(4001, "enough").await });
    client.recv().await.unwrap_err();
    closing.await.unwrap().unwrap();
    for error in [
        client.send(SECRET).await.unwrap_err(),
        client.feed(SECRET).await.unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("4001, reason \"enough\""),
            "{error}"
        );
        assert_eq!(error.into_message(), Some(SECRET.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn says_how_the_peer_closes_before_the_end() {
    // The peer does not read, so that the client's answer of 12 bytes waits.
    let (near, mut far) = duplex(8);
    far.write_all(b"\x88\x06\x03\xf0busy").await.unwrap();
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(channel.close_info(), None);
    let error = channel.send("late").await.unwrap_err();
    let expected = "the peer is closing, code 1008 (policy violation), reason \"busy\"";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.close_info(), None);
}

#[tokio::test]
async fn a_ping_that_is_too_long_is_invalid_and_closes_nothing() {
    let (mut client, mut server) = ends();
    let error = client.ping(vec![0; 126]).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Invalid);
    assert!(
        error.to_string().starts_with("a ping of 126 bytes"),
        "{error}"
    );
    client.send("still open").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("still open".into()));
}

#[tokio::test]
async fn sources_lead_to_the_io_error() {
    let script = || Script::new([Read::Silence]).write_error(io::ErrorKind::BrokenPipe);
    let (mut socket, _log) = end(script(), Role::Client);
    let error = socket.send(SECRET).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(io::ErrorKind::BrokenPipe));
    assert_eq!(error.clone().into_message(), None, "it was queued");
    assert_eq!(
        io_kind(&Error::from(error)),
        Some(io::ErrorKind::BrokenPipe)
    );

    // Nobody listens there.
    let error = talkback::connect("ws://127.0.0.1:1/").await.err().unwrap();
    assert!(matches!(error, ConnectError::Tcp { .. }));
    assert_eq!(io_kind(&error), Some(io::ErrorKind::ConnectionRefused));
    assert_eq!(
        io_kind(&Error::from(error)),
        Some(io::ErrorKind::ConnectionRefused)
    );

    let channel = WebSocketChannel::connect("ws://127.0.0.1:1/");
    channel.ready().await.unwrap_err();
    let error = channel.send("x").await.unwrap_err();
    let below = error.source().unwrap();
    assert!(below.is::<ConnectError>());
    assert_eq!(io_kind(&error), Some(io::ErrorKind::ConnectionRefused));

    let (near, far) = duplex(64);
    drop(far);
    let error = talkback::accept(near).await.err().unwrap();
    assert_eq!(io_kind(&error), Some(io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_flush_and_a_closing_say_how_many_messages_were_not_written() {
    // A transport that takes nothing, and a peer that goes away.
    let (near, far) = duplex(16);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    for _ in 0..3 {
        channel.try_send(vec![7; 1000]).unwrap();
    }
    let flushing = channel.flush();
    drop(far);
    let error = flushing.await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("3 messages that were queued were not written: "),
        "{error}"
    );
    let Err(Error::Send(lost)) = channel.close().await else {
        panic!("three messages were lost");
    };
    assert!(matches!(
        lost.close_info().unwrap().cause,
        CloseCause::Transport(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_carelessly_is_no_error_of_closing() {
    // It reads everything and goes away without a close frame.
    let (client, far) = duplex(64 * 1024);
    let mut client = WebSocket::from_upgraded(client, Role::Client);
    client.set_keepalive(Keepalive::default());
    let channel = WebSocketChannel::from(client);
    channel.send("all of it").await.unwrap();
    channel.flush().await.unwrap();
    drop(far);
    let info = channel.close().await.unwrap();
    assert!(!info.clean);
}

#[tokio::test]
async fn a_close_frame_that_may_not_be_sent_is_an_error_at_once() {
    let (mut socket, _server) = ends();
    let refused = socket.close_with(1005, "").await;
    assert_eq!(refused, Err(CloseFrameError::Code(1005)));
    let channel = WebSocketChannel::from(socket);
    assert_eq!(
        channel.close_with(2999, "").unwrap_err(),
        CloseFrameError::Code(2999)
    );
    let (sender, receiver) = channel.split();
    let long = "x".repeat(124);
    assert_eq!(
        sender.close_with(3000, &long).unwrap_err(),
        CloseFrameError::ReasonTooLong(124)
    );
    assert!(receiver.close_with(3000, "a\nb").is_err());
    sender.try_send("still open").unwrap();
}

#[tokio::test]
async fn a_main_that_ends_with_an_error_shows_the_sentence() {
    let refused = talkback::connect("ws://127.0.0.1:1/").await.unwrap_err();
    let channel = talkback::connect("ws://127.0.0.1:1/").channel();
    let error = channel.ready().await.unwrap_err();
    for (shown, sentence) in [
        (format!("{refused:?}"), refused.to_string()),
        (format!("{error:?}"), refused.to_string()),
    ] {
        assert_eq!(shown, sentence);
        assert!(sentence.contains("that the server is running"), "{shown}");
    }
}

#[tokio::test]
async fn l33_a_question_mark_tells_how_the_server_closed() {
    async fn send(channel: &WebSocketChannel) -> Result<(), Error> {
        channel.send("tick 1").await?;
        Ok(())
    }
    fn try_send(channel: &WebSocketChannel) -> Result<(), Error> {
        channel.try_send("tick 1")?;
        Ok(())
    }
    let channel = closed_channel().await;
    for error in [send(&channel).await, try_send(&channel)] {
        let error: Box<dyn std::error::Error> = error.unwrap_err().into();
        for told in [error.to_string(), format!("{error:?}")] {
            assert!(
                told.contains("code 1008 (policy violation), reason \"log in first\"")
                    && !told.contains("tick"),
                "{told}"
            );
        }
    }
}
