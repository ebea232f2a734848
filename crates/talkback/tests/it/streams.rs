//! Messages as streams over a transport in memory.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use talkback::{
    CloseCause, CloseCode, Compression, DeflateParameters, DeflateTuning, Error, Initiator, Limits,
    MessageKind, Role, SendError, SendErrorKind, WebSocket,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::support::{Fin, Happened, Script, masked, plain, server, written};

/// Both contexts are taken over, and every message is compressed.
fn deflate() -> DeflateParameters {
    DeflateParameters::default().tuning(DeflateTuning::default().threshold(0))
}

/// A client's and a server's end, connected.
fn ends(is_compressed: bool) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(4 * 1024);
    let parameters = is_compressed.then(deflate);
    let end = |io, role| WebSocket::from_upgraded(io, role).with_deflate(parameters.as_ref());
    (end(near, Role::Client), end(far, Role::Server))
}

/// A megabyte of text that compresses.
fn text() -> String {
    "안녕하세요, 한 조각씩. ".repeat(30_000)
}

/// Why something was refused.
fn kind_of<T>(refused: Result<T, SendError>) -> SendErrorKind {
    let Err(error) = refused else {
        panic!("it was taken");
    };
    error.kind()
}

#[tokio::test]
async fn a_stream_is_read_as_a_stream_and_as_a_message() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let sending = async {
            for _ in 0..2 {
                let mut writer = client.send_stream(MessageKind::Text).unwrap();
                // Cut anywhere, inside of code points too.
                for piece in text().as_bytes().chunks(1_000) {
                    writer.write(piece.to_vec()).await.unwrap();
                }
                writer.finish().await.unwrap();
                drop(writer);
            }
            client.send("whole").await.unwrap();
        };
        let receiving = async {
            let mut reader = server.recv_stream().await.unwrap().unwrap();
            assert_eq!(reader.kind(), MessageKind::Text);
            let mut bytes = Vec::new();
            while let Some(piece) = reader.read().await.unwrap() {
                assert!(!piece.is_empty() && piece.len() <= 64 * 1024);
                bytes.extend_from_slice(&piece);
            }
            assert!(reader.read().await.unwrap().is_none());
            drop(reader);
            assert!(bytes == text().as_bytes());
            assert!(server.recv().await.unwrap() == Some(text().into()));
            let mut reader = server.recv_stream().await.unwrap().unwrap();
            let mut whole = String::new();
            reader.read_to_string(&mut whole).await.unwrap();
            assert_eq!(whole, "whole");
        };
        tokio::join!(sending, receiving);
    }
}

#[tokio::test]
async fn copying_from_a_reader_to_a_writer_echoes() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let echo = async {
            // Into memory, as one end cannot read and write two messages at once.
            let mut bytes = Vec::new();
            let mut reader = server.recv_stream().await.unwrap().unwrap();
            let kind = reader.kind();
            tokio::io::copy(&mut reader, &mut bytes).await.unwrap();
            drop(reader);
            let mut writer = server.send_stream(kind).unwrap();
            tokio::io::copy(&mut &bytes[..], &mut writer).await.unwrap();
            writer.shutdown().await.unwrap();
            // Finished is finished.
            writer.finish().await.unwrap();
            let refused = writer.write("more").await;
            assert_eq!(kind_of(refused), SendErrorKind::Invalid);
        };
        let asking = async {
            client.send(text()).await.unwrap();
            assert!(client.recv().await.unwrap() == Some(text().into()));
        };
        tokio::join!(echo, asking);
    }
}

#[tokio::test]
async fn a_flush_lets_the_peer_read_what_was_gathered() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let mut writer = client.send_stream(MessageKind::Text).unwrap();
        writer.write("one").await.unwrap();
        writer.flush().await.unwrap();
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.read().await.unwrap().unwrap(), "one");
        writer.write_all(b"two").await.unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        assert_eq!(reader.read().await.unwrap().unwrap(), "two");
        writer.finish().await.unwrap();
        assert!(reader.read().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_empty_stream_is_an_empty_message() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let mut writer = client.send_stream(MessageKind::Binary).unwrap();
        writer.finish().await.unwrap();
        drop(writer);
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.kind(), MessageKind::Binary);
        assert!(reader.read().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_rest_of_a_dropped_readers_message_is_discarded() {
    for is_compressed in [false, true] {
        for is_next_whole in [true, false] {
            let (mut client, mut server) = ends(is_compressed);
            let sending = async {
                client.send(text()).await.unwrap();
                client.send("next").await.unwrap();
            };
            let receiving = async {
                let mut reader = server.recv_stream().await.unwrap().unwrap();
                assert!(reader.read().await.unwrap().is_some());
                drop(reader);
                if is_next_whole {
                    assert_eq!(server.recv().await.unwrap(), Some("next".into()));
                } else {
                    let mut reader = server.recv_stream().await.unwrap().unwrap();
                    assert_eq!(reader.read().await.unwrap().unwrap(), "next");
                }
            };
            tokio::join!(sending, receiving);
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_not_read_leaves_its_message() {
    let (mut client, mut server) = ends(false);
    client.send("unread").await.unwrap();
    client.send("next").await.unwrap();
    drop(server.recv_stream().await.unwrap().unwrap());
    assert_eq!(server.recv().await.unwrap(), Some("next".into()));
}

#[tokio::test]
async fn a_dropped_writer_closes_with_1011() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let mut writer = client.send_stream(MessageKind::Text).unwrap();
        writer.write("half").await.unwrap();
        writer.flush().await.unwrap();
        drop(writer);
        let refused = client.send("whole").await;
        assert_eq!(kind_of(refused), SendErrorKind::Closed);
        let receiving = async {
            let mut reader = server.recv_stream().await.unwrap().unwrap();
            assert_eq!(reader.read().await.unwrap().unwrap(), "half");
            for _ in 0..2 {
                let Err(Error::Closed(info)) = reader.read().await else {
                    panic!("half a message has no end");
                };
                assert_eq!(info.code, CloseCode::INTERNAL_ERROR);
                assert_eq!(info.initiator, Initiator::Remote);
            }
            drop(reader);
            assert!(
                server.recv().await.unwrap().is_none(),
                "one error, then the end"
            );
        };
        let (info, ()) = tokio::join!(client.close(), receiving);
        assert!(info.clean && info.initiator == Initiator::Local);
    }
}

#[tokio::test]
async fn a_normal_close_inside_of_a_message_is_an_error_for_its_reader() {
    let input = [
        masked(Fin::More, Opcode::Binary, b"half"),
        masked(Fin::Last, Opcode::Close, b"\x03\xe8"),
    ];
    let (mut socket, _) = server(Script::trickle(&input.concat(), 3));
    let mut reader = socket.recv_stream().await.unwrap().unwrap();
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    assert_eq!(bytes, b"half");
    drop(reader);
    assert!(socket.recv().await.unwrap().is_none());
    assert!(socket.close_info().unwrap().clean);
}

#[tokio::test]
async fn invalid_text_is_refused_and_the_message_goes_on() {
    let (mut client, mut server) = ends(false);
    let mut writer = client.send_stream(MessageKind::Text).unwrap();
    let piece = "안".as_bytes();
    writer.write(piece[..1].to_vec()).await.unwrap();
    for refused in [
        writer.write("x").await,
        writer.write(vec![0xFF; 100_000]).await,
        writer.finish().await,
    ] {
        assert_eq!(kind_of(refused), SendErrorKind::Invalid);
    }
    let error = writer.write_all(b"\xFF").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    writer.write(piece[1..].to_vec()).await.unwrap();
    writer.finish().await.unwrap();
    drop(writer);
    assert_eq!(server.recv().await.unwrap(), Some("안".into()));
}

#[tokio::test]
async fn both_ends_see_pings_between_fragments() {
    for is_compressed in [false, true] {
        let (mut client, mut server) = ends(is_compressed);
        let mut writer = client.send_stream(MessageKind::Text).unwrap();
        writer.write("one ").await.unwrap();
        writer.flush().await.unwrap();
        // The server's ping comes while the client's message is open, and a message with it.
        server.ping("from the server").await.unwrap();
        server.send("meanwhile").await.unwrap();
        assert_eq!(writer.recv().await.unwrap(), Some("meanwhile".into()));
        writer.ping("from the client").await.unwrap();
        writer.write("two").await.unwrap();
        writer.finish().await.unwrap();
        drop(writer);
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one two");
        drop(reader);
        let (info, end) = tokio::join!(client.close(), server.recv());
        assert!(info.clean && end.unwrap().is_none());
    }
}

#[tokio::test]
async fn pings_are_answered_between_the_fragments_of_a_writer() {
    let input = masked(Fin::Last, Opcode::Ping, b"?");
    let input = [input, masked(Fin::Last, Opcode::Text, b"now")].concat();
    let (mut socket, log) = server(Script::trickle(&input, 4));
    let mut writer = socket.send_stream(MessageKind::Binary).unwrap();
    writer.write("a").await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(writer.recv().await.unwrap(), Some("now".into()));
    writer.write("b").await.unwrap();
    writer.finish().await.unwrap();
    let expected = [
        plain(Fin::More, Opcode::Binary, b"a"),
        plain(Fin::Last, Opcode::Pong, b"?"),
        plain(Fin::Last, Opcode::Continuation, b"b"),
    ];
    assert_eq!(written(&log), expected.concat());
}

#[tokio::test]
async fn pings_are_answered_between_the_pieces_of_a_reader() {
    let input = [
        masked(Fin::More, Opcode::Text, b"a"),
        masked(Fin::Last, Opcode::Ping, b"?"),
        masked(Fin::Last, Opcode::Continuation, b"b"),
        masked(Fin::Last, Opcode::Text, b"c"),
    ];
    let (mut socket, log) = server(Script::trickle(&input.concat(), 3));
    let mut reader = socket.recv_stream().await.unwrap().unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "ab");
    drop(reader);
    assert_eq!(socket.recv().await.unwrap(), Some("c".into()));
    assert_eq!(written(&log), plain(Fin::Last, Opcode::Pong, b"?"));
}

#[tokio::test]
async fn a_message_begun_by_a_dropped_recv_is_read_from_its_beginning() {
    for size in [10, 300_000] {
        let (mut socket, mut peer) = {
            let (near, far) = duplex(1024 * 1024);
            let limits = Limits::default();
            (
                WebSocket::from_upgraded(near, Role::Server).with_limits(limits),
                far,
            )
        };
        let frame = masked(Fin::Last, Opcode::Binary, &vec![7; size]);
        let (front, back) = frame.split_at(frame.len() / 2);
        peer.write_all(front).await.unwrap();
        let wait = Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, socket.recv()).await.is_err());
        peer.write_all(back).await.unwrap();
        let mut reader = socket.recv_stream().await.unwrap().unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await.unwrap();
        assert!(bytes == vec![7; size]);
    }
}

#[tokio::test]
async fn a_writer_waits_for_a_peer_that_does_not_read() {
    let (mut client, mut server) = ends(false);
    let mut writer = client.send_stream(MessageKind::Binary).unwrap();
    let mut queued = 0;
    let wait = Duration::from_millis(20);
    while let Ok(written) = tokio::time::timeout(wait, writer.write(vec![0; 10_000])).await {
        written.unwrap();
        queued += 10_000;
        assert!(queued < 200_000, "there is no end to what is taken");
    }
    // What waited was not queued.
    let receiving = async {
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await.unwrap();
        bytes.len()
    };
    let (finished, received) = tokio::join!(writer.finish(), receiving);
    finished.unwrap();
    assert_eq!(received, queued);
}

#[tokio::test]
async fn a_message_over_the_limit_fails_for_its_reader_too() {
    // What comes out of it is too big, not what is on the wire.
    let (near, far) = duplex(64 * 1024);
    let limits = Limits::default().message_size_max(100_000);
    let mut client = WebSocket::from_upgraded(near, Role::Client).with_deflate(Some(&deflate()));
    let mut server = WebSocket::from_upgraded(far, Role::Server)
        .with_limits(limits)
        .with_deflate(Some(&deflate()));
    client.send(vec![0; 10_000_000]).await.unwrap();
    let mut size = 0;
    let receiving = async {
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        loop {
            match reader.read().await {
                Ok(piece) => size += piece.expect("it does not end").len(),
                Err(Error::Closed(info)) => break info,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let (info, _) = tokio::join!(receiving, client.recv());
    assert!(matches!(info.cause, CloseCause::Protocol(_)), "{info:?}");
    assert_eq!(size, 100_000);
}

#[tokio::test]
async fn compression_can_be_skipped() {
    let (near, mut far) = duplex(64 * 1024);
    let mut socket = WebSocket::from_upgraded(near, Role::Server).with_deflate(Some(&deflate()));
    for (compression, first) in [(Compression::Auto, 0x42), (Compression::Skip, 0x02)] {
        let mut writer = socket
            .send_stream_with(MessageKind::Binary, compression)
            .unwrap();
        writer.write(Bytes::from_static(b"zzzz")).await.unwrap();
        writer.flush().await.unwrap();
        writer.finish().await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), first);
        let mut rest = vec![0; 1_000];
        assert!(far.read(&mut rest).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_closed_socket_begins_no_stream() {
    let (mut socket, log) = server(Script::new([]));
    assert!(socket.recv_stream().await.is_err());
    assert!(socket.recv_stream().await.unwrap().is_none());
    let refused = socket.send_stream(MessageKind::Text);
    assert_eq!(kind_of(refused), SendErrorKind::Closed);
    assert_eq!(log.lock().unwrap().last(), Some(&Happened::Dropped));
}

#[tokio::test]
async fn a_peer_that_closes_ends_a_writer() {
    let input = masked(Fin::Last, Opcode::Close, b"\x03\xe8");
    let (mut socket, log) = server(Script::trickle(&input, 3));
    let mut writer = socket.send_stream(MessageKind::Binary).unwrap();
    writer.write("half").await.unwrap();
    writer.flush().await.unwrap();
    assert!(writer.recv().await.unwrap().is_none());
    for refused in [writer.write("more").await, writer.finish().await] {
        assert_eq!(kind_of(refused), SendErrorKind::Closed);
    }
    let error = writer.write_all(b"more").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    drop(writer);
    assert!(socket.close_info().unwrap().clean);
    let expected = [
        plain(Fin::More, Opcode::Binary, b"half"),
        plain(Fin::Last, Opcode::Close, b"\x03\xe8"),
    ];
    assert_eq!(written(&log), expected.concat());
}
