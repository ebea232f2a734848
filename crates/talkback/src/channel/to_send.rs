//! What a program has a channel send.

use talkback_proto::{Compression, Message, Outgoing, Prepared};

/// A message to be sent.
#[derive(Debug)]
pub(crate) enum ToSend {
    /// One that is framed for its connection alone, and what the program said about compressing it.
    Message(Message, Compression),
    /// One that was prepared for many.
    Prepared(Prepared),
}

impl ToSend {
    /// The message, with a copy of what is borrowed. In a browser, one that was prepared is like any other.
    #[inline]
    pub(crate) fn new(outgoing: Outgoing<'_>, compression: Compression) -> Self {
        if cfg!(not(browser))
            && compression == Compression::Auto
            && let Some(prepared) = outgoing.prepared()
        {
            return Self::Prepared(prepared.clone());
        }
        Self::Message(outgoing.into_message(), compression)
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Message(message, _) => message,
            Self::Prepared(prepared) => prepared.message().clone(),
        }
    }
}
