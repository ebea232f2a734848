//! The message that is sent in fragments (RFC 6455 §5.4).

use bytes::BytesMut;

use crate::deflate::parameters::Compression;
use crate::error::SendError;
use crate::frame::Fin;
use crate::message::MessageKind;
use crate::utf8::Utf8Validator;

/// The message that is sent in fragments.
pub(super) struct Unfinished {
    pub(super) kind: MessageKind,
    pub(super) compression: Compression,
    /// Whether a fragment of it was queued.
    pub(super) is_begun: bool,
    pub(super) utf8: Utf8Validator,
    /// What the next fragment begins with; validated.
    pub(super) gathered: BytesMut,
}

impl Unfinished {
    /// Holds that what was sent so far and `piece` can be, or at the end is, valid text.
    pub(super) fn validate(&mut self, piece: &[u8], fin: Fin) -> Result<(), SendError> {
        let mut utf8 = self.utf8;
        let fed = self.kind.validate(&mut utf8, piece);
        let ended = match fin {
            Fin::More => Ok(()),
            Fin::Last => utf8.finish(),
        };
        fed.and(ended).map_err(|_| SendError::InvalidUtf8)?;
        self.utf8 = utf8;
        Ok(())
    }
}
