//! What was prepared, on the connection that is lost, and on the one behind it, which may have agreed on something else.

use super::*;

use talkback::{Fate, Prepared};
use talkback_testing::reference::Reference;
use talkback_testing::wire::{FIN, Frame, RSV1, TEXT, parse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use talkback::test_util::ScriptedStream;

use crate::support::fault_proxy::Chance;

/// What a connection agrees on about the client's compression.
#[derive(Clone, Copy, Debug)]
struct Agreement {
    extension: &'static str,
    /// `None` where nothing is compressed.
    window_bits: Option<u32>,
    is_context_kept: bool,
}

const AGREEMENTS: [Agreement; 5] = [
    Agreement {
        extension: "",
        window_bits: None,
        is_context_kept: false,
    },
    Agreement {
        extension: "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        window_bits: Some(15),
        is_context_kept: true,
    },
    Agreement {
        extension: "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n",
        window_bits: Some(15),
        is_context_kept: false,
    },
    Agreement {
        extension: "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n",
        window_bits: Some(9),
        is_context_kept: true,
    },
    Agreement {
        extension: "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9; client_no_context_takeover\r\n",
        window_bits: Some(9),
        is_context_kept: false,
    },
];

/// Text of which nothing comes twice.
fn text(size: usize) -> String {
    let mut chance = Chance(size as u64);
    let digits = std::iter::repeat_with(|| char::from(b'0' + chance.below(10) as u8));
    digits.take(size).collect()
}

impl Agreement {
    /// The next try, answered so.
    async fn answered(self, server: &mut ScriptedServer) -> ScriptedStream {
        let mut stream = server.next_try().await.connect();
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            request.push(char::from(stream.read_u8().await.unwrap()));
        }
        let mut lines = request.lines();
        let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = talkback::accept_key(key.unwrap_or_else(|| panic!("{request}")));
        let Self { extension, .. } = self;
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n"
        );
        stream.write_all(response.as_bytes()).await.unwrap();
        stream
    }

    /// Holds that these messages have come, in this form, on a connection that knows nothing of another.
    fn hold(self, frames: &[Frame], messages: &[&str]) {
        assert_eq!(frames.len(), messages.len(), "{self:?}");
        let mut peer = Reference::default();
        for (frame, message) in frames.iter().zip(messages) {
            assert!(frame.key.is_some(), "a client masks");
            let Some(window_bits) = self.window_bits else {
                assert_eq!(frame.first, FIN | TEXT);
                assert_eq!(frame.payload, message.as_bytes());
                continue;
            };
            assert_eq!(frame.first, FIN | RSV1 | TEXT, "{self:?}");
            if !self.is_context_kept {
                peer.reset();
            }
            let inflated = peer.message(&frame.payload);
            assert!(inflated == message.as_bytes(), "{self:?}");
            assert!(peer.distance_max <= 1 << window_bits, "{self:?}");
        }
    }
}

/// The frames that have come.
async fn come(stream: &mut ScriptedStream) -> Vec<Frame> {
    let mut bytes = Vec::new();
    let all = stream.read_to_end(&mut bytes);
    assert!(timeout(Duration::from_secs(1), all).await.is_err());
    parse(&bytes)
}

async fn lost_and_found(before: Agreement, behind: Agreement) {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let sender = channel.sender();
    let (small, own, large) = (text(3_000), text(1_000), text(1 << 20));
    let prepared = Prepared::new(small.as_str());

    let mut stream = before.answered(&mut server).await;
    let written = sender.send_tracked(&prepared).unwrap();
    channel.flush().await.unwrap();
    before.hold(&come(&mut stream).await, &[&small]);
    // Taken by the connection, which is lost before it has written more than a part.
    let taken = sender.send_tracked(&Prepared::new(large)).unwrap();
    settle().await;
    let waiting = sender.send_tracked(&prepared).unwrap();
    settle().await;
    stream.cut();
    in_state(&channel, ChannelState::Retrying).await;
    let queued = [
        sender.send_tracked(own.as_str()).unwrap(),
        sender.send_tracked(&prepared).unwrap(),
    ];
    assert_eq!(channel.buffered_amount(), 2 * small.len() + own.len());
    let fates = [&written, &taken, &waiting].map(talkback::Receipt::fate);
    let lost = Fate::Unknown { connection: 1 };
    let told = Fate::Written { connection: 1 };
    assert_eq!(fates, [Some(told), Some(lost), None]);

    let mut stream = behind.answered(&mut server).await;
    channel.ready().await.unwrap();
    let late = sender.send_tracked(&prepared).unwrap();
    // It tells of the one that was lost.
    channel.flush().await.unwrap_err();
    channel.flush().await.unwrap();
    let frames = come(&mut stream).await;
    behind.hold(&frames, &[&small, &own, &small, &small]);
    let [first, .., last] = &frames[..] else {
        panic!("{} frames", frames.len());
    };
    // It is known by then, where it is remembered and within reach.
    let is_known = behind.is_context_kept && behind.window_bits == Some(15);
    let shrinks = last.payload.len() < first.payload.len() / 4;
    assert_eq!(shrinks, is_known, "{behind:?} behind {before:?}");
    let told = Fate::Written { connection: 2 };
    for receipt in queued.into_iter().chain([waiting, late]) {
        assert_eq!(receipt.await, told);
    }
}

#[tokio::test(start_paused = true)]
async fn pr12_what_waits_for_another_connection_is_sent_as_that_has_agreed() {
    for before in AGREEMENTS {
        for behind in AGREEMENTS {
            lost_and_found(before, behind).await;
        }
    }
}
