//! JSON, by serde.

mod fault;
mod traced;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;
use serde_json::de::{Deserializer, SliceRead, StrRead};
use serde_json::error::Category;
use talkback_proto::Message;

use crate::error::codec::CodecError;
use crate::typed::codec::Codec;
use crate::typed::json::fault::Fault;
use crate::typed::json::traced::Trace;

/// Values as JSON, by serde: what [`json`](crate::WebSocketChannel::json) speaks.
///
/// A value is sent as a text message. What comes may be text or binary, and has to be one value of JSON in UTF-8.
///
/// An error names the field by the names that the type has: `orders[3].price`. A key of a map is a `*`, as it came
/// from the peer. Where serde reads a whole value before it looks at it, as for `#[serde(untagged)]`,
/// `#[serde(flatten)]`, and `#[serde(tag = "…")]` without a `content`, the way ends there, and says what was expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl<Out: Serialize + ?Sized, In: DeserializeOwned> Codec<Out, In> for Json {
    fn encode(&self, value: &Out) -> Result<Message, CodecError> {
        serde_json::to_string(value)
            .map(Message::from)
            .map_err(|error| match error.classify() {
                // The type's own words, which may have the value in them.
                Category::Data => CodecError::new("its type refuses to become JSON"),
                _ => CodecError::new(error.to_string()),
            })
    }

    fn decode(&self, message: &Message) -> Result<In, CodecError> {
        let decoded = match message {
            Message::Text(text) => decode(StrRead::new(text.as_str())),
            Message::Binary(bytes) => decode(SliceRead::new(bytes)),
        };
        decoded.map_err(Fault::into_error)
    }
}

fn decode<'de, T: DeserializeOwned>(read: impl serde_json::de::Read<'de>) -> Result<T, Fault> {
    let mut json = Deserializer::new(read);
    let trace = Trace::default();
    let value = trace.read(&mut json)?;
    json.end().map_err(|error| trace.fault(error))?;
    Ok(value)
}
