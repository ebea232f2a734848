//! Errors in one line for a person: what was tried, what happened, what to do.

use std::io;

use talkback::{CloseInfo, ConnectError};

use crate::show::escaped;

/// Why there is no connection, without secrets of the caller; with what the server said if it refused.
pub fn connect_error(error: &ConnectError) -> String {
    let text = match error {
        ConnectError::Url(error) => format!("could not connect: {error}"),
        ConnectError::Tcp { url, error }
            if error.kind() == io::ErrorKind::ConnectionRefused && is_of_this_machine(url) =>
        {
            format!(
                "could not connect to {url}: connection refused. Is the server running? \
                 Start one with `talkback echo`."
            )
        }
        error => error.to_string(),
    };
    escaped(&without_numbers(&text))
}

/// Whether an echo server, started here, would listen at this URL.
fn is_of_this_machine(url: &str) -> bool {
    ["ws://127.", "ws://localhost", "ws://[::1]"]
        .iter()
        .any(|beginning| url.starts_with(beginning))
}

/// How a connection ended: who closed it, the code and the reason. `size_advice` is what to do about a message
/// that was too big, as in "raise `--max-message`, or "; it may be empty.
pub fn end(info: &CloseInfo, size_advice: &str) -> String {
    let text = info.to_string();
    // Whoever types cannot raise what the library's methods can.
    let text = text.replace("raise Limits::message_size_max, or ", size_advice);
    let text = text.replace("raise Limits::fragments_max, or ", "");
    escaped(&without_numbers(&text))
}

/// What stands before the number of an error of the system.
const NUMBER: &str = " (os error ";

/// Takes out the ` (os error 111)` that the standard library puts behind what it says in words.
///
/// ```
/// let text = "could not write: Broken pipe (os error 32); nor here: Is a directory (os error 21).";
/// let plain = talkback_terminal::explain::without_numbers(text);
/// assert_eq!(plain, "could not write: Broken pipe; nor here: Is a directory.");
/// // Those of Windows are sentences.
/// let text = "could not read it: Access is denied. (os error 5). Give another file";
/// let plain = talkback_terminal::explain::without_numbers(text);
/// assert_eq!(plain, "could not read it: Access is denied. Give another file");
/// // What has no number is something else.
/// for text in ["a (os error 5", "a (os error x) b", "a (os error ) b"] {
///     assert_eq!(talkback_terminal::explain::without_numbers(text), text);
/// }
/// ```
pub fn without_numbers(text: &str) -> String {
    let mut pieces = text.split(NUMBER);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let numbered = piece.split_once(')');
        let Some((_, after)) = numbered.filter(|(number, _)| number.parse::<i32>().is_ok()) else {
            plain.push_str(NUMBER);
            plain.push_str(piece);
            continue;
        };
        if after.starts_with('.') && plain.ends_with('.') {
            plain.pop();
        }
        plain.push_str(after);
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use talkback::{CloseCause, CloseCode, Initiator, ProtocolError};

    use super::*;

    #[test]
    fn a_limit_that_nobody_can_raise_is_not_to_be_raised() {
        let (size, size_max) = (7, 6);
        for (error, advice) in [
            (
                ProtocolError::MessageTooBig { size, size_max },
                "limit of 6 bytes: have the peer send less, code 1006",
            ),
            (
                ProtocolError::TooManyFragments(5),
                "this end's limit: have the peer send fewer, code 1006",
            ),
        ] {
            let cause = CloseCause::Protocol(error);
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            let text = end(&info, "");
            assert!(text.contains(advice), "{text}");
        }
    }

    fn refused(url: &str) -> String {
        connect_error(&ConnectError::Tcp {
            url: url.to_owned(),
            error: Arc::new(io::ErrorKind::ConnectionRefused.into()),
        })
    }

    #[test]
    fn a_refused_connection_says_how_to_start_a_server() {
        assert_eq!(
            refused("ws://127.0.0.1:1/"),
            "could not connect to ws://127.0.0.1:1/: connection refused. Is the server running? Start one with `talkback echo`."
        );
        for url in ["wss://127.0.0.1:1/", "ws://echo.example/"] {
            assert!(!refused(url).contains("talkback echo"), "{url}");
        }
    }
}
