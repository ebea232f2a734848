//! The peer breaks the protocol: one error, and the end.

use talkback::{Initiator, Limits, Message, WebSocketChannel};

use super::{closes, exchange, expect_closed, next, open, open_to_fault};
use crate::backend::{Backend, Options};
use crate::behaviour::{Behaviour, When};
use crate::outcome::Outcome;

/// As a header, its first two bytes tell of a payload of 104: Firefox waits for all of it before it fails.
const GARBAGE: &[u8] = b"this is no frame at all, whatever it may be, \
    and it is long enough for a browser that wants to see the end of a frame before it looks at it";

pub(crate) async fn garbage_without_a_write(backend: &dyn Backend) -> Outcome {
    fails_when(backend, GARBAGE, When::Open).await
}

pub(crate) async fn garbage_after_a_write(backend: &dyn Backend) -> Outcome {
    fails_when(backend, GARBAGE, When::Message).await
}

pub(crate) async fn keep_what_came_before(backend: &dyn Backend) -> Outcome {
    for when in [When::Open, When::Message] {
        let bytes = [&[0x81, 2, b'o', b'k'], GARBAGE].concat();
        let server = Behaviour::Raw { bytes, when };
        let Some(mut channel) = open_to_fault(backend, &server, when).await? else {
            continue;
        };
        // Only once everything is there does the program read.
        channel.closed().await?;
        ensure_eq!(next(&mut channel).await?, Message::from("ok"));
        expect_failed(&mut channel).await?;
    }
    Ok(())
}

/// §5.2: a reserved bit without an extension.
pub(crate) async fn reserved_bit(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0xA1, 0]).await
}

/// §5.2: a reserved opcode.
pub(crate) async fn reserved_opcode(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x83, 0]).await
}

/// §5.1: a server must not mask.
pub(crate) async fn masked_frame(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x81, 0x81, 0, 0, 0, 0, b'a']).await
}

/// §8.1: text that is not UTF-8, even in a message that is not complete.
pub(crate) async fn text_that_is_not_utf8(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x81, 3, b'a', 0xFF, b'b']).await
}

/// §5.5: control frames are not fragmented.
pub(crate) async fn fragmented_ping(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x09, 0]).await
}

/// §5.5: control frames have at most 125 bytes.
pub(crate) async fn ping_of_126_bytes(backend: &dyn Backend) -> Outcome {
    let ping = [&[0x89, 126, 0, 126][..], &[0; 126]].concat();
    fails(backend, &ping).await
}

/// §5.4: there is no message to continue.
pub(crate) async fn continuation_of_nothing(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x80, 0]).await
}

/// §5.4: a message begins before the one in progress has ended.
pub(crate) async fn message_inside_a_message(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x01, 1, b'a', 0x81, 1, b'b']).await
}

/// §7.4.1: a code that must not be sent.
pub(crate) async fn close_code_1004(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &closes(Some(1004), b"", When::Open)).await?;
    expect_failed(&mut channel).await
}

/// §5.5.1: a close frame has no body, or one that begins with two bytes.
pub(crate) async fn close_body_of_one_byte(backend: &dyn Backend) -> Outcome {
    fails(backend, &[0x88, 1, 3]).await
}

pub(crate) async fn message_over_the_limit(backend: &dyn Backend) -> Outcome {
    let options = Options {
        limits: Limits::default().message_size_max(1024),
        ..Options::default()
    };
    let mut channel = backend.open(&Behaviour::ECHO, options);
    exchange(&mut channel, vec![0; 1024]).await?;
    channel.send(vec![0; 1025]).await?;
    expect_failed(&mut channel).await
}

/// The bytes fail the connection, right behind the 101 and later.
async fn fails(backend: &dyn Backend, bytes: &[u8]) -> Outcome {
    fails_when(backend, bytes, When::Open).await?;
    fails_when(backend, bytes, When::Message).await
}

async fn fails_when(backend: &dyn Backend, bytes: &[u8], when: When) -> Outcome {
    let bytes = bytes.to_vec();
    let server = Behaviour::Raw { bytes, when };
    match open_to_fault(backend, &server, when).await? {
        Some(mut channel) => expect_failed(&mut channel).await,
        None => Ok(()),
    }
}

/// Platforms differ in the code, not in the rest.
async fn expect_failed(channel: &mut WebSocketChannel) -> Outcome {
    let info = expect_closed(channel).await?;
    ensure_matches!(info.code.number(), 1002 | 1005..=1007 | 1009);
    ensure_eq!((info.clean, info.initiator), (false, Initiator::Local));
    Ok(())
}
