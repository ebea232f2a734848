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

impl Json {
    /// A value as a text message: for one that goes to many, as a [`Prepared`](crate::Prepared).
    ///
    /// ```
    /// use serde::Serialize;
    /// use talkback::{Json, Prepared};
    ///
    /// #[derive(Serialize)]
    /// struct Quote {
    ///     price: u32,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (channel, mut client) = talkback::pair();
    /// # let clients = [channel.json::<Quote, ()>()];
    /// let quote = Prepared::new(Json.encode(&Quote { price: 42 })?);
    /// for client in &clients {
    ///     (**client).try_send(&quote)?; // past the view, by the channel's own `try_send`
    /// }
    /// # assert_eq!(client.recv().await?, Some(r#"{"price":42}"#.into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Its type refuses to become JSON.
    pub fn encode<Out: Serialize + ?Sized>(&self, value: &Out) -> Result<Message, CodecError> {
        serde_json::to_string(value)
            .map(Message::from)
            .map_err(|error| match error.classify() {
                // The type's own words, which may have the value in them.
                Category::Data => CodecError::new("its type refuses to become JSON"),
                _ => CodecError::new(error.to_string()),
            })
    }

    /// The value of a message, as a snapshot has one.
    ///
    /// ```
    /// use talkback::{Json, Message};
    ///
    /// # fn main() -> Result<(), talkback::CodecError> {
    /// let prices: Vec<u32> = Json.decode(&Message::text("[42, 43]"))?;
    /// # assert_eq!(prices, [42, 43]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the message, in words that repeat nothing of it.
    pub fn decode<In: DeserializeOwned>(&self, message: &Message) -> Result<In, CodecError> {
        let decoded = match message {
            Message::Text(text) => decode(StrRead::new(text.as_str()), text.as_bytes()),
            Message::Binary(bytes) => decode(SliceRead::new(bytes), bytes),
        };
        decoded.map_err(Fault::into_error)
    }
}

impl<Out: Serialize + ?Sized, In: DeserializeOwned> Codec<Out, In> for Json {
    fn encode(&self, value: &Out) -> Result<Message, CodecError> {
        self.encode(value)
    }

    fn decode(&self, message: &Message) -> Result<In, CodecError> {
        self.decode(message)
    }
}

/// Reads a value from all of this.
fn decode<'de, T: DeserializeOwned>(
    read: impl serde_json::de::Read<'de>,
    bytes: &'de [u8],
) -> Result<T, Fault> {
    let mut json = Deserializer::new(read);
    let trace = Trace::new(bytes);
    let value = trace.read(&mut json).and_then(|value| {
        let ended = json.end();
        ended.map(|()| value).map_err(|error| trace.fault(error))
    });
    value.map_err(|fault| trace.explained(fault))
}
