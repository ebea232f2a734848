//! What a caller sends: whole messages, messages in fragments, pings and pongs (RFC 6455 §5.4, §5.5).

use bytes::{Bytes, BytesMut};

use crate::connection::Connection;
use crate::connection::unfinished::Unfinished;
use crate::deflate::parameters::Compression;
use crate::error::SendError;
use crate::frame::{CONTROL_SIZE_MAX, Fin, Header, Opcode};
use crate::message::{Message, MessageKind};
use crate::outgoing::Outgoing;
use crate::prepared::Prepared;
use crate::role::Role;
use crate::small_bytes::SmallBytes;
use crate::utf8::Utf8Validator;

/// How many bytes [`Connection::gather`] makes a fragment of: enough that its header and the end of
/// a compressed block cost next to nothing, and that a peer's limit on fragments is far away.
const FRAGMENT_SIZE: usize = 16 * 1024;

/// Up to this size in bytes, a payload is copied behind what was gathered.
const JOINED_SIZE_MAX: usize = 4 * 1024;

impl Connection {
    /// Queues a message, compressed if that was negotiated and is worth it.
    ///
    /// It leaves as one frame, or in fragments if it is over the bound for frames,
    /// [`Limits::frame_size_max`](crate::Limits::frame_size_max).
    ///
    /// # Errors
    /// [`SendError::Closed`] once a close frame was sent or received,
    /// [`SendError::MessageUnfinished`] inside of another message.
    pub fn send<'a>(&mut self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        self.send_with(message, Compression::Auto)
    }

    /// Queues a message, and says whether it may be compressed.
    ///
    /// It is compressed here and now, and all of it is queued or nothing.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
        compression: Compression,
    ) -> Result<(), SendError> {
        let message = message.into();
        if !self.send_small(message.kind(), message.as_bytes()) {
            self.check_between_messages()?;
            self.push_message(message, compression);
        }
        Ok(())
    }

    /// Begins a message that is sent in fragments, as its size is not known or its whole not at
    /// hand (RFC 6455 §5.4).
    ///
    /// [`send_fragment`](Self::send_fragment) and [`gather`](Self::gather) go on with it; until
    /// [`Fin::Last`], no other message can be sent, but pings, pongs and close frames pass between
    /// the fragments. Nothing is queued yet.
    ///
    /// Where compression was negotiated, the message is compressed unless `compression` skips it,
    /// or all of it is one fragment that is not worth it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn begin_message(
        &mut self,
        kind: MessageKind,
        compression: Compression,
    ) -> Result<(), SendError> {
        self.check_between_messages()?;
        self.unfinished = Some(Box::new(Unfinished {
            kind,
            compression,
            is_begun: false,
            utf8: Utf8Validator::default(),
            gathered: BytesMut::new(),
        }));
        Ok(())
    }

    /// Queues the next fragment of the message: what was gathered, and `payload` behind it.
    ///
    /// A large payload does not join what was gathered, which then is a fragment of its own. Of a
    /// text, fragments may be cut anywhere, inside a code point too. What is compressed is given
    /// out to the last byte, so that the peer can read it without waiting for more. A fragment
    /// without payload is queued only at the end of the message. What is over the bound for frames
    /// leaves in several.
    ///
    /// # Errors
    /// [`SendError::Closed`] once a close frame was sent or received; [`SendError::NoMessage`]
    /// without [`begin_message`](Self::begin_message); [`SendError::InvalidUtf8`] if `payload`
    /// would make the text invalid. Nothing is queued then, and the message is as it was.
    pub fn send_fragment(&mut self, payload: impl Into<Bytes>, fin: Fin) -> Result<(), SendError> {
        let mut payload = payload.into();
        self.unfinished()?.validate(&payload, fin)?;
        let mut message = self.unfinished.take().expect("a message is unfinished");
        if !message.gathered.is_empty() {
            if payload.len() <= JOINED_SIZE_MAX {
                message.gathered.extend_from_slice(&payload);
                payload = std::mem::take(&mut message.gathered).freeze();
            } else {
                self.push_gathered(&mut message);
            }
        }
        match fin {
            Fin::More if payload.is_empty() => self.unfinished = Some(message),
            Fin::More => {
                self.push_fragment(&mut message, payload, Fin::More);
                self.unfinished = Some(message);
            }
            Fin::Last if message.is_begun => self.push_fragment(&mut message, payload, Fin::Last),
            Fin::Last => {
                let whole = Message::from_validated(message.kind, SmallBytes::Shared(payload));
                self.push_message(whole.into(), message.compression);
            }
        }
        Ok(())
    }

    /// Adds a copy of `piece` to the next fragment, which is queued once it has 16 KiB.
    ///
    /// It is for pieces that are small beside a header, or many: a peer may limit the fragments of
    /// a message. `send_fragment` without payload queues what was gathered.
    ///
    /// # Errors
    /// As [`send_fragment`](Self::send_fragment).
    pub fn gather(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let message = self.unfinished()?;
        message.validate(piece, Fin::More)?;
        message.gathered.extend_from_slice(piece);
        if message.gathered.len() >= FRAGMENT_SIZE {
            let mut message = self.unfinished.take().expect("a message is unfinished");
            self.push_gathered(&mut message);
            self.unfinished = Some(message);
        }
        Ok(())
    }

    /// Queues a ping with a payload of at most 125 bytes (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// A payload that is too long, or a connection that is not open.
    pub fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_control(Opcode::Ping, payload.into())
    }

    /// Queues a pong that nobody asked for, of at most 125 bytes (RFC 6455 §5.5.3).
    ///
    /// # Errors
    /// A payload that is too long, or a connection that is not open.
    pub fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload.into())
    }

    fn check_open(&self) -> Result<(), SendError> {
        if self.is_open() {
            Ok(())
        } else {
            Err(SendError::Closed)
        }
    }

    /// The fragments of one message MUST NOT be interleaved with those of another (§5.4).
    fn check_between_messages(&self) -> Result<(), SendError> {
        self.check_open()?;
        match self.unfinished {
            Some(_) => Err(SendError::MessageUnfinished),
            None => Ok(()),
        }
    }

    fn unfinished(&mut self) -> Result<&mut Unfinished, SendError> {
        self.check_open()?;
        self.unfinished.as_deref_mut().ok_or(SendError::NoMessage)
    }

    fn send_control(&mut self, opcode: Opcode, payload: Bytes) -> Result<(), SendError> {
        self.check_open()?;
        if payload.len() > CONTROL_SIZE_MAX {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.push(opcode, payload);
        Ok(())
    }

    /// As [`send`](Self::send), for a small message that is not compressed, as most are: one frame, copied.
    /// `false`, and nothing has happened, for whatever else there is.
    ///
    /// It stands apart, so that the compiler has all registers for it.
    #[doc(hidden)]
    #[inline(never)]
    pub fn send_small(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        let is_small = payload.len() <= usize::from(self.copied_size_max);
        if !(self.is_open() & self.unfinished.is_none() & self.deflate.is_none() & is_small) {
            return false;
        }
        let key = self.keys.as_mut().map(|keys| keys.next_key());
        let first = match kind {
            MessageKind::Text => Header::WHOLE_TEXT,
            MessageKind::Binary => Header::WHOLE_BINARY,
        };
        self.output.push_small(first, key, payload);
        true
    }

    fn push_message(&mut self, message: Outgoing<'_>, compression: Compression) {
        if self.role == Role::Server
            && let Some(prepared) = message.prepared()
        {
            return self.push_prepared(prepared, compression);
        }
        let opcode = message.kind().opcode();
        let may_compress = self.deflate.is_some() && compression == Compression::Auto;
        if !may_compress || !self.push_compressed(opcode, message.as_bytes()) {
            let (mut fragmenter, _) = self.fragmenter();
            fragmenter.push(Header::whole(opcode, None), message);
        }
    }

    /// Queues the frame of a prepared message that fits this connection.
    fn push_prepared(&mut self, prepared: &Prepared, compression: Compression) {
        let (mut fragmenter, deflate) = self.fragmenter();
        let compressing = deflate.filter(|_| compression == Compression::Auto);
        if let Some(deflate) = compressing
            && let Some(frame) = prepared.deflated(deflate.deflater.window_bits())
        {
            deflate.deflater.note_foreign();
            return fragmenter.push_prepared(frame);
        }
        match prepared.plain() {
            Some(frame) => fragmenter.push_prepared(frame),
            None => {
                let message = prepared.message();
                let header = Header::whole(message.kind().opcode(), None);
                fragmenter.push(header, message.into());
            }
        }
    }

    /// Queues a message compressed, or says that it is to be sent as it is.
    fn push_compressed(&mut self, opcode: Opcode, message: &[u8]) -> bool {
        let (mut fragmenter, deflate) = self.fragmenter();
        deflate.is_some_and(|deflate| {
            deflate.deflater.compress(message, |payload| {
                let header = Header {
                    rsv1: true,
                    ..Header::whole(opcode, None)
                };
                fragmenter.push_compressed(header, payload);
            })
        })
    }

    fn push_gathered(&mut self, message: &mut Unfinished) {
        // Nobody else holds it then, and it is masked in place.
        let gathered = std::mem::take(&mut message.gathered).freeze();
        self.push_fragment(message, gathered, Fin::More);
    }

    fn push_fragment(&mut self, message: &mut Unfinished, payload: Bytes, fin: Fin) {
        let opcode = match message.kind {
            _ if message.is_begun => Opcode::Continuation,
            kind => kind.opcode(),
        };
        let header = Header {
            fin: fin == Fin::Last,
            ..Header::whole(opcode, None)
        };
        let (mut fragmenter, deflate) = self.fragmenter();
        match deflate.filter(|_| message.compression == Compression::Auto) {
            Some(deflate) => {
                // RSV1 stands on the first fragment only (RFC 7692 §6.1).
                let header = Header {
                    rsv1: !message.is_begun,
                    ..header
                };
                deflate
                    .deflater
                    .compress_fragment(&payload, fin, |payload| {
                        fragmenter.push_compressed(header, payload);
                    });
            }
            None => fragmenter.push(header, payload.into()),
        }
        message.is_begun = true;
    }
}
