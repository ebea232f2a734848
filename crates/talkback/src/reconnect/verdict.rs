//! Whether a try follows a loss.

use std::time::Duration;

use talkback_proto::{CloseCause, CloseInfo};

use crate::connect::retryable::Outlook;
use crate::reconnect::lost::{Lost, LostCause};
#[cfg(not(browser))]
use crate::reconnect::retry_after;

/// What follows when a connection was lost, or a try to connect failed.
///
/// A channel's own answer:
///
/// | what happened | |
/// | --- | --- |
/// | a failure that may pass ([`is_retryable`](crate::ConnectError::is_retryable)) | `Retry` |
/// | … and the server's answer has a `Retry-After` | `RetryAfter` |
/// | status 401 or 407, where `before_try` may bring other credentials | `Retry`; a second in a row: `Stop` |
/// | … where there is no `before_try` | `Stop` |
/// | another status, a 101 that is wrong, a certificate that is wrong | `RetryFew` |
/// | the caller's URL, header, option; a proxy's password or setting | `Stop` |
/// | closed with 1000 | `Stop`: the peer says that it is done |
/// | closed with 1001, 1011–1014, 3008, or no code; lost without a close frame | `Retry` |
/// | closed with 1002 or 1007; the peer broke the protocol or a limit of this end | `RetryFew` |
/// | closed with 1003, 1008–1010, or another code from 3000 to 4999 | `Stop` |
/// | a ping, or a heartbeat, that was not answered | `Retry` |
/// | `before_try` or `on_connected` failed | `Retry`, or `Stop` by [`HookError::stop`](crate::HookError::stop) |
/// | another subprotocol than before | `RetryFew` |
///
/// What the program asks for is no question, and neither is a page that is left: after a pause the channel waits to be
/// resumed, and after `reconnect_now` it tries at once.
///
/// In a page every failure to connect may pass, since the browser does not tell why: a wrong path is
/// tried for ever there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Try again after a wait of the [`Backoff`](crate::Backoff).
    Retry,
    /// Try again, but not before this time is over.
    ///
    /// Up to a tenth of it is added at random, 5 s at most, since everyone may have been told the same.
    RetryAfter(Duration),
    /// Try again, but only a few times: three in a row on a channel that was open before, and not at all on
    /// one that never was. What is wrong may be a server that is being deployed, or a mistake that stays.
    ///
    /// A failure of another kind, or a connection that lasted, counts anew. A `Retry-After` is heeded.
    RetryFew,
    /// Do not try again: the channel ends with this cause as its error.
    Stop,
}

/// What the cause alone says of another try.
pub(crate) fn outlook(cause: &LostCause) -> Outlook {
    match cause {
        LostCause::Closed(info) => of_close(info),
        LostCause::Connect(error) => error.outlook(),
        LostCause::BeforeTry(error) | LostCause::OnConnected(error) => match error.is_stop() {
            true => Outlook::Lasting,
            false => Outlook::Passing,
        },
        LostCause::Subprotocol { .. } => Outlook::Changing,
        LostCause::Heartbeat | LostCause::Asked | LostCause::Paused | LostCause::PageLeft => {
            Outlook::Passing
        }
    }
}

fn of_close(info: &CloseInfo) -> Outlook {
    match info.cause {
        // Whatever the peer was told, or said itself meanwhile.
        CloseCause::Protocol(_) | CloseCause::Overflow => return Outlook::Changing,
        CloseCause::KeepaliveTimeout => return Outlook::Passing,
        _ => {}
    }
    match info.code.number() {
        1001 | 1005 | 1006 | 1011..=1014 | 3008 => Outlook::Passing,
        1002 | 1007 => Outlook::Changing,
        1000 | 1003 | 1008..=1010 | 3000..=4999 => Outlook::Lasting,
        // None that may be sent today; a browser that knows a newer one may tell it.
        _ => Outlook::Changing,
    }
}

/// How long the server, or the proxy, wants to be left alone.
#[cfg(not(browser))]
pub(crate) fn retry_after(lost: &Lost) -> Option<Duration> {
    retry_after::retry_after(&lost.refused()?.headers)
}

/// A page sees no headers.
#[cfg(browser)]
pub(crate) fn retry_after(_: &Lost) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use talkback_proto::{CloseCode, Initiator, ProtocolError};

    use super::*;
    use crate::reconnect::hook_error::HookError;

    fn closed(code: u16, cause: CloseCause) -> Outlook {
        let info = CloseInfo::abnormal(CloseCode::new(code), Initiator::Remote, cause);
        outlook(&LostCause::Closed(info))
    }

    #[test]
    fn re24_re25_re26_re27_each_close_code_has_its_verdict() {
        let passing = [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008];
        let changing = [1002, 1007, 1004, 1015, 1016, 2999];
        let lasting = [
            1000, 1003, 1008, 1009, 1010, 3000, 3007, 3009, 3999, 4000, 4401, 4999,
        ];
        for (codes, expected) in [
            (&passing[..], Outlook::Passing),
            (&changing[..], Outlook::Changing),
            (&lasting[..], Outlook::Lasting),
        ] {
            for code in codes {
                let found = closed(*code, CloseCause::ClosingHandshake);
                assert_eq!(found, expected, "{code}");
            }
        }
    }

    #[test]
    fn re28_re117_re118_re119_an_end_without_a_close_frame_has_that_of_its_cause() {
        let too_big = ProtocolError::MessageTooBig {
            size: 2,
            size_max: 1,
        };
        for (code, cause, expected) in [
            (
                1006,
                CloseCause::Transport("reset".into()),
                Outlook::Passing,
            ),
            (1006, CloseCause::KeepaliveTimeout, Outlook::Passing),
            (1006, CloseCause::CloseTimeout, Outlook::Passing),
            (1006, CloseCause::Overflow, Outlook::Changing),
            (1006, CloseCause::Protocol(too_big), Outlook::Changing),
            // The peer answers what it is told.
            (
                1009,
                CloseCause::Protocol(ProtocolError::Http),
                Outlook::Changing,
            ),
            (
                1001,
                CloseCause::Transport("reset".into()),
                Outlook::Passing,
            ),
            (
                1000,
                CloseCause::Transport("reset".into()),
                Outlook::Lasting,
            ),
        ] {
            assert_eq!(closed(code, cause.clone()), expected, "{code} {cause:?}");
        }
    }

    #[test]
    fn re44_re49_a_hook_says_itself_whether_it_may_pass() {
        let stop = HookError::stop("logged out");
        let passing = HookError::from("no network");
        for make in [LostCause::BeforeTry, LostCause::OnConnected] {
            assert_eq!(outlook(&make(passing.clone())), Outlook::Passing);
            assert_eq!(outlook(&make(stop.clone())), Outlook::Lasting);
        }
    }

    #[test]
    fn what_is_no_close_has_its_verdict() {
        let (was, is) = (Some("a".into()), None);
        let subprotocol = LostCause::Subprotocol { was, is };
        assert_eq!(outlook(&subprotocol), Outlook::Changing);
        for cause in [
            LostCause::Asked,
            LostCause::Paused,
            LostCause::PageLeft,
            LostCause::Connect(crate::ConnectError::Resolve {
                host: "a.example".into(),
                error: Arc::new(io::ErrorKind::NotFound.into()),
            }),
        ] {
            assert_eq!(outlook(&cause), Outlook::Passing, "{cause:?}");
        }
    }
}
