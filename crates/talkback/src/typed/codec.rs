//! How values become messages, and messages values.

use talkback_proto::Message;

use crate::error::codec::CodecError;

/// Makes messages of values that are sent, and values of messages that came.
///
/// [`Json`](crate::Json) is one. Another is two methods: this one sends numbers as four bytes.
///
/// ```
/// use talkback::{Codec, CodecError, Message, Typed};
///
/// #[derive(Clone, Copy)]
/// struct BigEndian;
///
/// impl Codec<u32, u32> for BigEndian {
///     fn encode(&self, value: &u32) -> Result<Message, CodecError> {
///         Ok(Message::from(value.to_be_bytes().to_vec()))
///     }
///
///     fn decode(&self, message: &Message) -> Result<u32, CodecError> {
///         let bytes = message.as_bytes().try_into();
///         Ok(u32::from_be_bytes(bytes.map_err(|_| CodecError::new("expected four bytes"))?))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, server) = talkback::pair();
/// let client = Typed::new(client, BigEndian);
/// let mut server: Typed<_, u32, u32, _> = Typed::new(server, BigEndian);
/// client.send(&7).await?;
/// assert_eq!(server.recv().await?, Some(7));
/// # Ok(())
/// # }
/// ```
pub trait Codec<Out: ?Sized, In> {
    /// Makes a message of a value.
    ///
    /// # Errors
    /// Why it has no form as a message. Nothing is sent.
    fn encode(&self, value: &Out) -> Result<Message, CodecError>;

    /// Makes a value of a message, which a stranger may have sent: one that calls itself for what is nested needs a
    /// bound, or the stack overflows. What it wants to keep of the message it clones, which copies at most 23 bytes.
    ///
    /// # Errors
    /// What is wrong with the message, in words that repeat nothing of it.
    fn decode(&self, message: &Message) -> Result<In, CodecError>;
}
