//! The subprotocol `talkback.topics.v1`: what both halves of it have in common.
//!
//! Each message is an object of JSON. A payload is `data` if it is JSON itself, else `text`, or `base64` of what is no text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use talkback::Message;
use talkback::http::HeaderMap;
use talkback::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};

/// The name of the subprotocol that a `Session` serves.
pub const SUBPROTOCOL: &str = "talkback.topics.v1";

/// What a page, which can send no header, offers its key as.
pub(crate) const KEY_PREFIX: &str = "talkback.key.";

/// The key that a client shows in a request: `Authorization: Bearer KEY`, or the subprotocol `talkback.key.KEY`, which is all that a page
/// can send. The former goes before the latter.
///
/// Compare it in constant time.
///
/// ```
/// use talkback::http::Request;
///
/// let request = Request::builder()
///     .header("Sec-WebSocket-Protocol", "talkback.topics.v1, talkback.key.hunter2")
///     .body(())?;
/// assert_eq!(talkback_topics::key(request.headers()), Some("hunter2"));
/// # Ok::<(), talkback::http::Error>(())
/// ```
pub fn key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        is_bearer.then(|| key.trim_matches(' '))
    });
    bearer.or_else(|| {
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let names = lines.filter_map(|line| line.to_str().ok());
        let mut names = names.flat_map(|line| line.split(','));
        names.find_map(|name| name.trim_matches([' ', '\t']).strip_prefix(KEY_PREFIX))
    })
}

/// An object of JSON that is being written.
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Reserves room for so many bytes more.
    pub(crate) fn with_room(mut self, size: usize) -> Self {
        self.0.reserve(size);
        self
    }

    /// A text.
    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        let mut object = self.name(name);
        serde_json::to_writer(&mut object.0, text).expect("a text is JSON, and memory takes it");
        object
    }

    /// A value that is JSON already.
    pub(crate) fn json(self, name: &str, json: &str) -> Self {
        let mut object = self.name(name);
        object.0.extend_from_slice(json.as_bytes());
        object
    }

    /// What was, or is to be, published.
    pub(crate) fn payload(self, message: &Message) -> Self {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(bytes) => return self.text("base64", &BASE64_STANDARD.encode(bytes)),
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => self.json("data", json.get()),
            Err(_) => self.text("text", text),
        }
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).expect("it is made of texts")
    }

    /// Names here need no escapes.
    fn name(mut self, name: &str) -> Self {
        let begin: &[u8] = if self.0.is_empty() { b"{\"" } else { b",\"" };
        self.0.extend_from_slice(begin);
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        self
    }
}

/// The three forms of a payload, of which a message has one at most.
#[derive(Deserialize)]
pub(crate) struct Payload<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) base64: Option<Cow<'a, str>>,
}

impl Payload<'_> {
    /// Whether it has none of them.
    #[cfg(feature = "client")]
    pub(crate) fn is_none(&self) -> bool {
        self.data.is_none() && self.text.is_none() && self.base64.is_none()
    }

    /// The message that it is.
    pub(crate) fn into_message(self) -> Result<Message, &'static str> {
        match (self.data, self.text, self.base64) {
            (Some(data), None, None) => Ok(data.get().into()),
            (None, Some(text), None) => Ok(text.as_ref().into()),
            (None, None, Some(base64)) => match BASE64_STANDARD.decode(base64.as_bytes()) {
                Ok(bytes) => Ok(bytes.into()),
                Err(_) => Err("`base64` is not base 64 with padding"),
            },
            _ => Err("it has to have one of `data`, `text` and `base64`"),
        }
    }
}

/// `null` is a value, too.
pub(crate) fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_or_text_or_base64() {
        let written = |message: Message| Object::new().payload(&message).end();
        assert_eq!(written(r#"{"x":1}"#.into()), r#"{"data":{"x":1}}"#);
        assert_eq!(written(" null\n".into()), r#"{"data":null}"#);
        assert_eq!(written("".into()), r#"{"text":""}"#);
        assert_eq!(written("a\"b".into()), r#"{"text":"a\"b"}"#);
        assert_eq!(written("{} {}".into()), r#"{"text":"{} {}"}"#);
        assert_eq!(written(vec![0, 255].into()), r#"{"base64":"AP8="}"#);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(
            written(deep.as_str().into()),
            format!(r#"{{"data":{deep}}}"#)
        );
    }

    #[test]
    fn hu9_what_is_written_is_read() {
        let messages: [Message; 6] = [
            "안녕".into(),
            "".into(),
            "null".into(),
            r#"[1, "\ud800", 1e999]"#.into(),
            Vec::new().into(),
            (0..=255).collect::<Vec<u8>>().into(),
        ];
        for message in messages {
            let written = Object::new().payload(&message).end();
            let payload: Payload<'_> = serde_json::from_str(&written).unwrap();
            assert_eq!(payload.into_message().unwrap(), message);
        }
    }

    #[test]
    fn a_key_is_a_bearers_or_a_subprotocol() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let lines = lines.iter();
            let headers =
                lines.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            key(&headers).map(str::to_owned)
        };
        let protocol = "sec-websocket-protocol";
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("authorization", "Basic abc")]), None);
        assert_eq!(
            of(&[("authorization", "bEARER  a b ")]).as_deref(),
            Some("a b")
        );
        assert_eq!(
            of(&[(protocol, "chat,talkback.key.a.b")]).as_deref(),
            Some("a.b")
        );
        assert_eq!(of(&[(protocol, "talkback.key")]), None);
    }
}
