//! What a log that is asked for more tells of a connection: its request, and each message.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use http::Request;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, HOST, HeaderName,
    ORIGIN, PRAGMA, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
    USER_AGENT,
};
use talkback::Message;
use tracing::{Level, debug, enabled};

use crate::idle::Heard;
use crate::peer::Peer;

/// The headers whose values are no secrets, those that browsers send among them; any other's may be, and
/// bearer tokens travel as subprotocols, too.
const SHOWN: [HeaderName; 13] = [
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    ORIGIN,
    PRAGMA,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    UPGRADE,
    USER_AGENT,
];

/// How much of a message is shown, in bytes.
const TEXT_SHOWN: usize = 80;
const BYTES_SHOWN: usize = 16;

/// Tells of a request, without its query, which may be a secret.
pub(crate) fn request(peer: SocketAddr, request: &Request<()>) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let peer = Peer(peer);
    let query = match request.uri().query() {
        Some(_) => "?…",
        None => "",
    };
    debug!(%peer, "< {} {}{query}", request.method(), request.uri().path());
    for (name, value) in request.headers() {
        match SHOWN.contains(name) {
            true => debug!(%peer, "< {name}: {}", String::from_utf8_lossy(value.as_bytes())),
            false => debug!(%peer, "< {name}: …"),
        }
    }
}

/// Who is told of a connection's messages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    /// The log, of this client.
    pub(crate) peer: Option<SocketAddr>,
    /// Who looks whether it says anything.
    pub(crate) heard: Option<&'a Heard>,
}

impl Told<'_> {
    /// Tells of a message that came.
    pub(crate) fn received(self, message: &Message) {
        if let Some(heard) = self.heard {
            heard.note();
        }
        self.tell('<', message);
    }

    /// Tells of a message that goes.
    pub(crate) fn sent(self, message: &Message) {
        self.tell('>', message);
    }

    fn tell(self, mark: char, message: &Message) {
        if let Some(peer) = self.peer.map(Peer) {
            debug!(%peer, "{mark} {}", Beginning(message));
        }
    }
}

/// Shows kind, size and beginning of a message.
struct Beginning<'a>(&'a Message);

impl fmt::Display for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.len();
        let shown = match self.0 {
            Message::Text(text) => {
                let mut end = size.min(TEXT_SHOWN);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                write!(f, "text, {size} bytes: ")?;
                for character in text[..end].chars() {
                    match character.is_control() {
                        true => write!(f, "{}", character.escape_debug())?,
                        false => f.write_char(character)?,
                    }
                }
                end
            }
            Message::Binary(bytes) => {
                let end = size.min(BYTES_SHOWN);
                write!(f, "binary, {size} bytes:")?;
                bytes[..end]
                    .iter()
                    .try_for_each(|byte| write!(f, " {byte:02x}"))?;
                end
            }
        };
        f.write_str(if shown < size { " …" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_by_its_beginning() {
        let shown = |message: Message| Beginning(&message).to_string();
        assert_eq!(shown("\"안녕\"\n".into()), r#"text, 9 bytes: "안녕"\n"#);
        assert_eq!(shown(vec![0xca, 0xfe].into()), "binary, 2 bytes: ca fe");
        let long = "가".repeat(40);
        let beginning = format!("text, 120 bytes: {} …", "가".repeat(26));
        assert_eq!(shown(long.into()), beginning);
        let bytes = shown(vec![7; 17].into());
        assert_eq!(bytes, format!("binary, 17 bytes:{} …", " 07".repeat(16)));
    }
}
