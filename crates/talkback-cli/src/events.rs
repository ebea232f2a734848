//! `--json`: what happens, in a JSON object a line.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use talkback::{CloseCode, CloseInfo, Initiator, Message, Role};
use talkback_terminal::output::Print;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use crate::pretty;

/// Which way something went.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    In,
    Out,
}

/// What happened.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    Open {
        url: String,
        subprotocol: Option<String>,
    },
    /// A server listens.
    Listening {
        urls: Vec<String>,
    },
    /// A client's connection to a server is open.
    #[serde(rename = "open")]
    Accepted {
        peer: String,
        /// Where it is, if the peer is a proxy that says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<IpAddr>,
        path: String,
        subprotocol: Option<String>,
    },
    Message {
        direction: Direction,
        kind: &'static str,
        /// In bytes.
        size: usize,
        /// How the payload is written, unless it is the text itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<&'static str>,
        #[serde(serialize_with = "write_payload")]
        payload: Message,
    },
    Ping {
        direction: Direction,
        size: usize,
    },
    Pong {
        direction: Direction,
        /// In milliseconds, if this end asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        latency: Option<f64>,
    },
    /// The connection was lost, and another is tried for.
    Lost {
        why: String,
    },
    Close {
        code: u16,
        reason: String,
        by: &'static str,
        clean: bool,
    },
}

impl Event {
    pub(crate) fn message(direction: Direction, payload: Message) -> Self {
        let (kind, encoding) = match payload {
            Message::Text(_) => ("text", None),
            Message::Binary(_) => ("binary", Some("base64")),
        };
        Self::Message {
            direction,
            kind,
            size: payload.len(),
            encoding,
            payload,
        }
    }

    /// A pong that came.
    pub(crate) fn pong(latency: Option<Duration>) -> Self {
        Self::Pong {
            direction: Direction::In,
            latency: latency.map(|latency| latency.as_secs_f64() * 1000.0),
        }
    }

    /// The end of a connection, of which this end has a role.
    pub(crate) fn close(info: &CloseInfo, role: Role) -> Self {
        let is_local = info.initiator == Initiator::Local;
        Self::Close {
            code: info.code.number(),
            reason: info.reason.to_string(),
            by: match is_local == (role == Role::Client) {
                true => "client",
                false => "server",
            },
            clean: info.clean,
        }
    }

    /// The end of a client's channel that had no connection any more, and why.
    pub(crate) fn given_up(why: String) -> Self {
        Self::Close {
            code: CloseCode::ABNORMAL.number(),
            reason: why,
            by: "client",
            clean: false,
        }
    }
}

fn write_payload<S: Serializer>(message: &Message, serializer: S) -> Result<S::Ok, S::Error> {
    match message {
        Message::Text(text) => serializer.serialize_str(text),
        Message::Binary(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
    }
}

/// An event, and when it was.
#[derive(Serialize)]
pub(crate) struct Line {
    time: String,
    /// The client that a server means; none if it means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(flatten)]
    event: Event,
}

impl Line {
    /// One that happens now.
    pub(crate) fn new(event: Event) -> Self {
        Self::of(None, event)
    }

    /// One that happens now, of a server's client.
    pub(crate) fn of(connection: Option<u64>, event: Event) -> Self {
        Self {
            time: now(),
            connection,
            event,
        }
    }
}

/// The time, as RFC 3339 writes it, in UTC.
pub(crate) fn now() -> String {
    let mut time = String::new();
    // A text takes all that is written.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

/// The time of day in UTC, with milliseconds.
pub(crate) fn time_of_day() -> String {
    let now = now();
    format!("{}Z", now.get(11..23).unwrap_or(&now))
}

/// Shows no payload: it may be a secret.
impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl Print for Line {
    fn size(&self) -> usize {
        match &self.event {
            Event::Message { size, .. } => *size,
            _ => 0,
        }
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut *to, Safe))?;
        to.write_all(end.as_bytes())
    }
}

/// JSON that a terminal heeds nothing of.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        to.write_all(pretty::safe(fragment).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_heeds_nothing_of_a_line_and_it_stays_json() {
        let text = "\u{9b}2J\u{7f}\u{202e}안\t\"\\";
        let line = Line::new(Event::message(Direction::In, text.into()));
        let mut to = Vec::new();
        line.print(&mut to, "\n").unwrap();
        let printed = String::from_utf8(to).unwrap();
        let expected = r#""payload":"\u009b2J\u007f\u202e안\t\"\\""#;
        assert!(printed.contains(expected), "{printed}");
        let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(read["payload"], text);
    }
}
