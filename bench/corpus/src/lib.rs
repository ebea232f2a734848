//! Messages as they are sent over WebSocket: feeds of JSON, chat, HTML, logs, each unlike the one before.
//!
//! All of it is made up, by rules that stand here, and is the same on every run and machine. What
//! compression makes of it depends on how much of a message stood in those before it, so names, keys
//! and texts come from small sets, as in life, and ids, prices and times do not.

mod json;
mod random;
mod text;

use crate::random::Random;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ticker,
    ChatEvents,
    Sensors,
    Webhooks,
    English,
    Korean,
    Html,
    Logs,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Ticker,
        Self::ChatEvents,
        Self::Sensors,
        Self::Webhooks,
        Self::English,
        Self::Korean,
        Self::Html,
        Self::Logs,
    ];

    /// Those that are JSON.
    pub const JSON: [Self; 4] = [
        Self::Ticker,
        Self::ChatEvents,
        Self::Sensors,
        Self::Webhooks,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::ChatEvents => "chat-events",
            Self::Sensors => "sensors",
            Self::Webhooks => "webhooks",
            Self::English => "english",
            Self::Korean => "korean",
            Self::Html => "html",
            Self::Logs => "logs",
        }
    }
}

/// `count` messages of one kind, each of about `size` bytes: within a tenth of it, and text as UTF-8.
pub fn messages(kind: Kind, size: usize, count: usize) -> Vec<String> {
    let mut random = Random::new(kind as u64 * 1_000_003 + size as u64);
    let mut feed = Feed {
        serial: 48_211_070,
        millis: 1_795_910_400_000,
    };
    (0..count)
        .map(|_| {
            feed.serial += random.below(40);
            feed.millis += random.below(900);
            message(kind, size, &mut random, &mut feed)
        })
        .collect()
}

/// What counts up from one message to the next.
struct Feed {
    serial: u64,
    millis: u64,
}

fn message(kind: Kind, size: usize, random: &mut Random, feed: &mut Feed) -> String {
    let mut text = String::with_capacity(size + 1024);
    // What is larger than one record is a list of them.
    let (open, between, close) = match kind {
        Kind::English | Kind::Korean => ("", " ", ""),
        Kind::Html | Kind::Logs => ("", "\n", ""),
        _ if size < 200 => ("", "", ""),
        _ => ("{\"type\":\"batch\",\"events\":[", ",", "]}"),
    };
    text += open;
    loop {
        let before = text.len();
        match kind {
            Kind::Ticker => json::ticker(&mut text, random, feed),
            Kind::ChatEvents => json::chat_event(&mut text, random, feed),
            Kind::Sensors => json::sensor(&mut text, random, feed),
            Kind::Webhooks => json::webhook(&mut text, random, feed, size),
            Kind::English => text::english(&mut text, random),
            Kind::Korean => text::korean(&mut text, random),
            Kind::Html => text::html(&mut text, random, feed),
            Kind::Logs => text::log_line(&mut text, random, feed),
        }
        let record = text.len() - before;
        if text.len() + record / 2 >= size {
            break;
        }
        text += between;
    }
    text += close;
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_same_each_time_and_unlike_each_other() {
        for kind in Kind::ALL {
            for size in [100, 1024, 16 * 1024] {
                let these = messages(kind, size, 20);
                assert_eq!(these, messages(kind, size, 20));
                let mut unlike = these.clone();
                unlike.sort();
                unlike.dedup();
                assert_eq!(unlike.len(), these.len(), "{kind:?} of {size} B");
            }
        }
    }
}
