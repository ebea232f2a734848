//! The exit codes, one for each cause; `talkback connect --help` lists them.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use talkback::{CloseCause, CloseCode, CloseInfo, ConnectError, HandshakeError};
use talkback_terminal::explain::without_numbers;

/// A normal close.
pub(crate) const NORMAL: u8 = 0;
/// Anything that has no code of its own.
pub(crate) const OTHER: u8 = 1;
/// Wrong usage; clap's code as well.
pub(crate) const USAGE: u8 = 2;
/// The URL cannot be used.
pub(crate) const BAD_URL: u8 = 3;
/// The server's name has no address, or it cannot be reached.
pub(crate) const UNREACHABLE: u8 = 4;
/// Time ran out while connecting.
pub(crate) const TIMEOUT: u8 = 5;
/// TLS or the opening handshake failed.
pub(crate) const HANDSHAKE: u8 = 6;
/// The server broke the protocol or a limit.
pub(crate) const PROTOCOL: u8 = 7;
/// The connection was lost.
pub(crate) const LOST: u8 = 8;
/// The server closed with a code that stands for an error.
pub(crate) const CLOSED_WITH_ERROR: u8 = 9;
/// Fewer messages came than were asked for.
pub(crate) const MISSING: u8 = 10;
/// The server closed before all of the input was sent.
pub(crate) const UNSENT: u8 = 11;

/// The end of the program before its work was done: a line for a person and a code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// The line says in words what the system's errors are, without their numbers.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: without_numbers(&message.into()),
        }
    }

    /// Prints the line; returns the code.
    pub(crate) fn report(self) -> ExitCode {
        tell(format_args!("error: {}", self.message));
        ExitCode::from(self.code)
    }
}

/// Prints a line on standard error. If nobody reads it, there is nobody to tell.
pub(crate) fn tell(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

pub(crate) fn of_connect_error(error: &ConnectError) -> u8 {
    match error {
        ConnectError::Url(_) | ConnectError::NoTls { .. } => BAD_URL,
        ConnectError::Header { .. }
        | ConnectError::TlsOption { .. }
        | ConnectError::Option { .. } => USAGE,
        // Nothing else than the option gives it so.
        ConnectError::Proxy { proxy, .. } if proxy.starts_with("given with") => USAGE,
        ConnectError::Resolve { .. }
        | ConnectError::Tcp { .. }
        | ConnectError::UnixSocket { .. }
        | ConnectError::Proxy { .. } => UNREACHABLE,
        ConnectError::Timeout { .. } => TIMEOUT,
        ConnectError::Handshake { error, .. } if is_usage(error) => USAGE,
        ConnectError::Handshake { .. } | ConnectError::Lost { .. } | ConnectError::Tls { .. } => {
            HANDSHAKE
        }
        _ => OTHER,
    }
}

/// Whether the handshake failed over the caller's own options.
fn is_usage(error: &HandshakeError) -> bool {
    use HandshakeError::{
        DuplicateSubprotocol, InvalidSubprotocol, ReservedHeader, TooManyHeaders,
    };
    matches!(
        error,
        InvalidSubprotocol { .. }
            | DuplicateSubprotocol { .. }
            | ReservedHeader { .. }
            | TooManyHeaders
    )
}

pub(crate) fn of_close(info: &CloseInfo) -> u8 {
    match &info.cause {
        _ if info.is_normal() => NORMAL,
        CloseCause::Protocol(_) => PROTOCOL,
        // A close frame came, whatever became of the transport then.
        _ if info.code != CloseCode::ABNORMAL => CLOSED_WITH_ERROR,
        _ => LOST,
    }
}

#[cfg(test)]
mod tests {
    use talkback::{Initiator, ProtocolError};

    use super::*;

    fn end(code: u16, initiator: Initiator, cause: CloseCause) -> u8 {
        let code = CloseCode::new(code);
        let mut info = CloseInfo::abnormal(code, initiator, cause);
        info.clean = info.cause == CloseCause::ClosingHandshake;
        of_close(&info)
    }

    #[test]
    fn each_way_to_end_has_its_code() {
        use Initiator::{Local, Remote};
        let handshake = || CloseCause::ClosingHandshake;
        for code in [1000, 1001, 1005] {
            assert_eq!(end(code, Remote, handshake()), NORMAL);
        }
        assert_eq!(end(4001, Remote, handshake()), CLOSED_WITH_ERROR);
        assert_eq!(end(4001, Local, handshake()), NORMAL);
        let broken = CloseCause::Protocol(ProtocolError::InvalidUtf8);
        assert_eq!(end(1006, Local, broken), PROTOCOL);
        let lost = CloseCause::Transport("reset".into());
        assert_eq!(end(1006, Remote, lost.clone()), LOST);
        assert_eq!(end(1009, Remote, lost), CLOSED_WITH_ERROR);
        assert_eq!(end(1006, Local, CloseCause::CloseTimeout), LOST);
    }
}
