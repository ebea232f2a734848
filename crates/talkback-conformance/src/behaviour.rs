//! What the server is to do, as a value and as the path and query of a URL.

use std::borrow::Cow;
use std::time::Duration;

use crate::query::{Query, encode};

/// When the server does what it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Right after the opening handshake.
    Open,
    /// After the first message, which it sends back.
    Message,
    /// A while after the opening handshake.
    Late,
}

impl When {
    const ALL: [Self; 3] = [Self::Open, Self::Message, Self::Late];

    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Message => "message",
            Self::Late => "late",
        }
    }

    fn parse(query: &Query) -> Option<Self> {
        let Some(name) = query.text("when") else {
            return Some(Self::Open);
        };
        Self::ALL.into_iter().find(|when| when.name() == name)
    }
}

/// What the server is to do with one connection.
///
/// Unless the behaviour says otherwise, it answers pings and close frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// `/echo?delay=ms`: sends every message back. It answers the opening handshake after the delay.
    Echo {
        /// How long the opening handshake waits for its answer.
        delay: Duration,
    },
    /// `/observe?id=n`: takes messages, and notes them and the end.
    Observe {
        /// Names the notes.
        id: u64,
    },
    /// `/report?id=n`: waits for the end of the connection that was observed, sends back what came,
    /// then a text on how it ended: `close 1000 reason` by a close frame, `end` without one.
    Report {
        /// Names the notes.
        id: u64,
    },
    /// `/subprotocol?choice=name`: first sends the request's `Sec-WebSocket-Protocol` header, or
    /// `none`; then as [`Echo`](Self::Echo).
    Subprotocol {
        /// What it answers, offered or not.
        choice: Option<String>,
    },
    /// `/close?code=n&reason=bytes&when=`: closes.
    Close {
        /// The code; without it the close frame is empty.
        code: Option<u16>,
        /// The reason, UTF-8 or not.
        reason: Vec<u8>,
        /// When it closes.
        when: When,
    },
    /// `/raw?bytes=bytes&when=`: writes these bytes, which may break every rule.
    Raw {
        /// What it writes.
        bytes: Vec<u8>,
        /// When it writes them.
        when: When,
    },
    /// `/flood?count=n`: answers a close frame with so many messages, and then with its own.
    Flood {
        /// How many messages.
        count: u32,
    },
    /// `/burst?count=n`: sends so many messages, the numbers from 0, then as [`Echo`](Self::Echo).
    Burst {
        /// How many messages.
        count: u32,
    },
    /// `/pour?count=n&id=n`: sends messages of 64 KiB up to that number, counting them, then as
    /// [`Echo`](Self::Echo).
    Pour {
        /// The most messages.
        count: u32,
        /// Names the count.
        id: u64,
    },
    /// `/poured?id=n`: says how many messages have been poured so far, then as
    /// [`Echo`](Self::Echo).
    Poured {
        /// Names the count.
        id: u64,
    },
    /// `/connections`: says how many connections are open, itself included but those that
    /// [`Stall`](Self::Stall) left out, then as [`Echo`](Self::Echo).
    Connections,
    /// `/greet?text=..`: sends this text in the same segment as the 101, then as
    /// [`Echo`](Self::Echo).
    Greet {
        /// The message.
        text: String,
    },
    /// `/status?code=n&body=..`: answers the opening handshake with a status and a body.
    Status {
        /// The status, not 101.
        code: u16,
        /// The body.
        body: String,
    },
    /// `/silent`: never answers the opening handshake.
    Silent,
    /// `/disconnect?when=`: ends TCP without a close frame.
    Disconnect {
        /// When it ends.
        when: When,
    },
    /// `/reset`: resets TCP right after the opening handshake.
    Reset,
    /// `/ignore-close`: never answers a close frame, and does not end TCP either.
    IgnoreClose,
    /// `/stall?delay=ms`: reads nothing for so long, then as [`Echo`](Self::Echo).
    Stall {
        /// How long.
        delay: Duration,
    },
    /// `/cut?delay=ms`: reads nothing for so long, then ends TCP.
    Cut {
        /// How long.
        delay: Duration,
    },
    /// `/in-turn?id=n&turns=targets`: on its first connection as the first target says, and so on; the last
    /// one's is that of all that come later. A target stands on a line of its own.
    InTurn {
        /// Names the connections that count.
        id: u64,
        /// What it does.
        turns: Vec<Self>,
    },
    /// `/turns?id=n`: says how many connections of [`InTurn`](Self::InTurn) were asked for, and how many of them
    /// there still are, as `3 1`; then as [`Echo`](Self::Echo).
    Turns {
        /// Names the connections.
        id: u64,
    },
    /// `/topics?id=n`: speaks `talkback.topics.v1`. What is published to the topic `cut n` ends the connection without a
    /// close frame.
    Topics {
        /// Names what cuts it.
        id: u64,
    },
}

impl Behaviour {
    /// An echo without delay.
    pub const ECHO: Self = Self::Echo {
        delay: Duration::ZERO,
    };

    /// The path and query of the URL that asks for this.
    pub fn target(&self) -> String {
        match self {
            Self::Echo { delay } => encode("/echo", &[("delay", millis(*delay))]),
            Self::Observe { id } => encode("/observe", &[("id", number(*id))]),
            Self::Report { id } => encode("/report", &[("id", number(*id))]),
            Self::Subprotocol { choice: None } => "/subprotocol".to_owned(),
            Self::Subprotocol {
                choice: Some(choice),
            } => encode("/subprotocol", &[("choice", bytes(choice.as_bytes()))]),
            Self::Close { code, reason, when } => {
                let mut pairs = vec![("when", bytes(when.name().as_bytes()))];
                pairs.extend(code.map(|code| ("code", number(code.into()))));
                pairs.push(("reason", bytes(reason)));
                encode("/close", &pairs)
            }
            Self::Raw { bytes: raw, when } => {
                let when = bytes(when.name().as_bytes());
                encode("/raw", &[("bytes", bytes(raw)), ("when", when)])
            }
            Self::Flood { count } => encode("/flood", &[("count", number((*count).into()))]),
            Self::Burst { count } => encode("/burst", &[("count", number((*count).into()))]),
            Self::Pour { count, id } => {
                let count = number((*count).into());
                encode("/pour", &[("count", count), ("id", number(*id))])
            }
            Self::Poured { id } => encode("/poured", &[("id", number(*id))]),
            Self::Connections => "/connections".to_owned(),
            Self::Greet { text } => encode("/greet", &[("text", bytes(text.as_bytes()))]),
            Self::Status { code, body } => {
                let code = number((*code).into());
                encode(
                    "/status",
                    &[("code", code), ("body", bytes(body.as_bytes()))],
                )
            }
            Self::Silent => "/silent".to_owned(),
            Self::Disconnect { when } => {
                encode("/disconnect", &[("when", bytes(when.name().as_bytes()))])
            }
            Self::Reset => "/reset".to_owned(),
            Self::IgnoreClose => "/ignore-close".to_owned(),
            Self::Stall { delay } => encode("/stall", &[("delay", millis(*delay))]),
            Self::Cut { delay } => encode("/cut", &[("delay", millis(*delay))]),
            Self::InTurn { id, turns } => {
                let turns: Vec<_> = turns.iter().map(Self::target).collect();
                let turns = turns.join("\n");
                encode(
                    "/in-turn",
                    &[("id", number(*id)), ("turns", bytes(turns.as_bytes()))],
                )
            }
            Self::Turns { id } => encode("/turns", &[("id", number(*id))]),
            Self::Topics { id } => encode("/topics", &[("id", number(*id))]),
        }
    }

    /// The behaviour that a request's path and query ask for.
    pub fn parse(target: &str) -> Option<Self> {
        let (path, query) = Query::split(target);
        Some(match path {
            "/echo" => Self::Echo {
                delay: query.time("delay").unwrap_or_default(),
            },
            "/observe" => Self::Observe {
                id: query.number("id")?,
            },
            "/report" => Self::Report {
                id: query.number("id")?,
            },
            "/subprotocol" => Self::Subprotocol {
                choice: query.text("choice"),
            },
            "/close" => Self::Close {
                code: query.number("code"),
                reason: query.bytes("reason").unwrap_or_default(),
                when: When::parse(&query)?,
            },
            "/raw" => Self::Raw {
                bytes: query.bytes("bytes")?,
                when: When::parse(&query)?,
            },
            "/flood" => Self::Flood {
                count: query.number("count")?,
            },
            "/burst" => Self::Burst {
                count: query.number("count")?,
            },
            "/pour" => Self::Pour {
                count: query.number("count")?,
                id: query.number("id")?,
            },
            "/poured" => Self::Poured {
                id: query.number("id")?,
            },
            "/connections" => Self::Connections,
            "/greet" => Self::Greet {
                text: query.text("text")?,
            },
            "/status" => Self::Status {
                code: query.number("code")?,
                body: query.text("body").unwrap_or_default(),
            },
            "/silent" => Self::Silent,
            "/disconnect" => Self::Disconnect {
                when: When::parse(&query)?,
            },
            "/reset" => Self::Reset,
            "/ignore-close" => Self::IgnoreClose,
            "/stall" => Self::Stall {
                delay: query.time("delay")?,
            },
            "/cut" => Self::Cut {
                delay: query.time("delay")?,
            },
            "/in-turn" => Self::InTurn {
                id: query.number("id")?,
                turns: Self::parse_all(&query.text("turns")?)?,
            },
            "/turns" => Self::Turns {
                id: query.number("id")?,
            },
            "/topics" => Self::Topics {
                id: query.number("id")?,
            },
            _ => return None,
        })
    }

    fn parse_all(targets: &str) -> Option<Vec<Self>> {
        targets.lines().map(Self::parse).collect()
    }
}

fn bytes(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(value)
}

fn number(value: u64) -> Cow<'static, [u8]> {
    Cow::Owned(value.to_string().into_bytes())
}

fn millis(value: Duration) -> Cow<'static, [u8]> {
    Cow::Owned(value.as_millis().to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_undoes_target() {
        let delay = Duration::from_millis(250);
        let id = u64::MAX;
        let choice = Some("한글 & emoji=😀?".to_owned());
        let behaviours = [
            Behaviour::Echo { delay },
            Behaviour::Observe { id },
            Behaviour::Report { id },
            Behaviour::Subprotocol { choice: None },
            Behaviour::Subprotocol { choice },
            Behaviour::Close {
                code: None,
                reason: Vec::new(),
                when: When::Late,
            },
            Behaviour::Close {
                code: Some(4123),
                reason: vec![0, 0xFF, b'&', b'='],
                when: When::Message,
            },
            Behaviour::Raw {
                bytes: (0..=255).collect(),
                when: When::Open,
            },
            Behaviour::Flood { count: 10_000 },
            Behaviour::Burst { count: 1 },
            Behaviour::Pour { count: 2, id },
            Behaviour::Poured { id },
            Behaviour::Connections,
            Behaviour::Greet {
                text: "a+b c".to_owned(),
            },
            Behaviour::Status {
                code: 404,
                body: "nothing\nhere".to_owned(),
            },
            Behaviour::Silent,
            Behaviour::Topics { id },
            Behaviour::Disconnect { when: When::Late },
            Behaviour::Reset,
            Behaviour::IgnoreClose,
            Behaviour::Stall { delay },
            Behaviour::Cut { delay },
            Behaviour::InTurn {
                id,
                turns: vec![
                    Behaviour::Greet {
                        text: "one\ntwo".to_owned(),
                    },
                    Behaviour::ECHO,
                ],
            },
            Behaviour::Turns { id },
        ];
        for behaviour in behaviours {
            let target = behaviour.target();
            assert_eq!(Behaviour::parse(&target), Some(behaviour), "{target}");
        }
    }

    #[test]
    fn a_url_written_by_hand_is_understood() {
        let told = Behaviour::Close {
            code: Some(4123),
            reason: b"bye".to_vec(),
            when: When::Open,
        };
        assert_eq!(Behaviour::parse("/close?code=4123&reason=bye"), Some(told));
        assert_eq!(Behaviour::parse("/echo"), Some(Behaviour::ECHO));
        assert_eq!(Behaviour::parse("/nothing"), None);
        assert_eq!(Behaviour::parse("/close?when=never"), None);
    }
}
