//! Close frames, and how a connection ended (RFC 6455 §7).

mod texts;

use std::sync::Arc;

use crate::close_code::CloseCode;
use crate::error::ProtocolError;
use crate::frame::CONTROL_SIZE_MAX;

/// The longest reason in bytes of UTF-8: a control frame's 125 less the code's 2.
const REASON_SIZE_MAX: usize = CONTROL_SIZE_MAX - 2;

/// The caller's close code or reason may not be sent; nothing was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The code is not one that may stand in a close frame.
    Code(u16),
    /// The code is not one that a browser lets a page send.
    CodeInBrowser(u16),
    /// The reason is too long; its size in bytes of UTF-8.
    ReasonTooLong(usize),
    /// The reason has a line end or a NUL, which would forge lines where it is logged.
    ReasonLineEnd,
}

/// The body of a close frame: a code that may be sent and a reason that fits (RFC 6455 §5.5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct CloseFrame {
    code: CloseCode,
    reason: Box<str>,
}

impl CloseFrame {
    /// A close frame with `code` and a `reason` of at most 123 bytes of UTF-8.
    ///
    /// # Errors
    /// A code that may not be sent, such as 1005, 1006 or 1015 (RFC 6455 §7.4.1), or a reason
    /// that is too long or has a CR, LF or NUL.
    pub fn new(
        code: impl Into<CloseCode>,
        reason: impl Into<Box<str>>,
    ) -> Result<Self, CloseFrameError> {
        let (code, reason) = (code.into(), reason.into());
        if !code.is_sendable() {
            return Err(CloseFrameError::Code(code.number()));
        }
        if reason.len() > REASON_SIZE_MAX {
            return Err(CloseFrameError::ReasonTooLong(reason.len()));
        }
        if reason.contains(['\r', '\n', '\0']) {
            return Err(CloseFrameError::ReasonLineEnd);
        }
        Ok(Self { code, reason })
    }

    /// The close frame of a failure, whose codes are all sendable.
    pub(crate) fn without_reason(code: CloseCode) -> Self {
        debug_assert!(code.is_sendable());
        Self {
            code,
            reason: Box::default(),
        }
    }

    /// The code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, perhaps empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Decodes a close frame's payload; an empty one has neither code nor reason.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::CloseBodyTooShort),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !CloseCode::new(code).is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code));
        }
        // Following the 2-byte integer, the body MAY contain UTF-8-encoded data (§5.5.1).
        let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
        Ok(Some(Self {
            code: CloseCode::new(code),
            reason: reason.into(),
        }))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(2 + self.reason.len());
        payload.extend_from_slice(&self.code.number().to_be_bytes());
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

/// Which end began to close, or lost the connection (RFC 6455 §7.1.2, §7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This end: it sent its close frame first, or failed the connection.
    Local,
    /// The peer: its close frame came first, or it went away without one.
    Remote,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The closing handshake: close frames went both ways.
    ClosingHandshake,
    /// The peer broke the protocol or a limit, and this end failed the connection.
    Protocol(ProtocolError),
    /// The transport ended before the closing handshake was complete; what it said.
    Transport(Arc<str>),
    /// The peer did not finish the closing handshake within the close timeout.
    CloseTimeout,
    /// The peer was silent, and did not answer a ping in time.
    KeepaliveTimeout,
    /// More came than the program took and there was room for. Only in a browser, where a peer cannot
    /// be made to wait.
    Overflow,
    /// There is no connection; why: it could not be made, or was given up before it was.
    NotOpened(Arc<str>),
}

/// How a connection ended; there is exactly one for each connection.
///
/// `Display` says it to a person, with the reason that the peer gave; `Debug` shows the reason's size.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseInfo {
    /// The code of the close frame that was received: 1005 if it had none, 1006 if none came
    /// (RFC 6455 §7.1.5).
    pub code: CloseCode,
    /// The reason of the close frame that was received, perhaps empty (RFC 6455 §7.1.6).
    pub reason: String,
    /// Who began.
    pub initiator: Initiator,
    /// Whether the closing handshake was completed (RFC 6455 §7.1.4).
    pub clean: bool,
    /// Why.
    pub cause: CloseCause,
}

impl CloseInfo {
    /// An end without a closing handshake.
    pub fn abnormal(code: CloseCode, initiator: Initiator, cause: CloseCause) -> Self {
        Self {
            code,
            reason: String::new(),
            initiator,
            clean: false,
            cause,
        }
    }

    /// Whether this is an ordinary end: a clean close that this end began, or one that the peer
    /// began with 1000, 1001 or no code. Such an end is not an error.
    pub fn is_normal(&self) -> bool {
        match self.initiator {
            Initiator::Local => self.clean,
            // The peer's close frame counts, even if it did not wait for ours.
            Initiator::Remote => self.code.is_normal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of RFC 6455 §7.4 and of the registry, as they stand there.
    fn listed(number: u16) -> bool {
        let registry = [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
        ];
        registry.contains(&number) || (3000..5000).contains(&number)
    }

    #[test]
    fn v31_takes_and_sends_exactly_the_listed_codes() {
        for number in 0..=u16::MAX {
            let received = CloseFrame::decode(&number.to_be_bytes());
            let sent = CloseFrame::new(CloseCode::new(number), "");
            if listed(number) {
                assert_eq!(received, Ok(Some(sent.unwrap())), "{number}");
            } else {
                assert_eq!(received, Err(ProtocolError::InvalidCloseCode(number)));
                assert_eq!(sent, Err(CloseFrameError::Code(number)));
            }
        }
    }

    #[test]
    fn x4_a_body_of_one_byte_is_refused() {
        assert_eq!(
            CloseFrame::decode(&[3]),
            Err(ProtocolError::CloseBodyTooShort)
        );
        assert_eq!(CloseFrame::decode(&[]), Ok(None));
    }

    #[test]
    fn x5_codes_that_are_only_reported_are_refused() {
        for number in [1004, 1005, 1006, 1015, 999, 2999, 5000] {
            let frame = CloseFrame::new(CloseCode::new(number), "");
            assert_eq!(frame, Err(CloseFrameError::Code(number)));
        }
    }

    #[test]
    fn x10_takes_the_registered_codes_and_refuses_the_unassigned() {
        for number in [1012u16, 1013, 1014] {
            assert!(
                CloseFrame::decode(&number.to_be_bytes()).is_ok(),
                "{number}"
            );
        }
        for number in [1015u16, 1016, 2000, 2999] {
            assert!(
                CloseFrame::decode(&number.to_be_bytes()).is_err(),
                "{number}"
            );
        }
    }

    #[test]
    fn a_reason_has_at_most_123_bytes_not_characters() {
        assert!(CloseFrame::new(CloseCode::NORMAL, "a".repeat(123)).is_ok());
        let korean = "안".repeat(42);
        assert_eq!(
            CloseFrame::new(CloseCode::NORMAL, korean.as_str()),
            Err(CloseFrameError::ReasonTooLong(126)),
        );
    }

    #[test]
    fn v7_a_reason_with_a_line_end_or_nul_is_refused_but_taken_from_a_peer() {
        for reason in ["\r\n", "a\r", "\nb", "a\0b"] {
            let sent = CloseFrame::new(CloseCode::NORMAL, reason);
            assert_eq!(sent, Err(CloseFrameError::ReasonLineEnd), "{reason:?}");
            let body = [b"\x03\xe8", reason.as_bytes()].concat();
            let received = CloseFrame::decode(&body).unwrap().unwrap();
            assert_eq!(received.reason(), reason);
        }
    }

    #[test]
    fn a_reason_that_is_not_utf8_is_refused() {
        assert_eq!(
            CloseFrame::decode(b"\x03\xe8\xff"),
            Err(ProtocolError::InvalidCloseReason),
        );
    }

    #[test]
    fn decode_undoes_encode() {
        let frame = CloseFrame::new(CloseCode::new(3000), "안녕히 계세요").unwrap();
        assert_eq!(CloseFrame::decode(&frame.encode()), Ok(Some(frame)));
    }
}
