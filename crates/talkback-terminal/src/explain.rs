//! Errors in one line for a person: what was tried, what happened, what to do.

use std::io;

use talkback::http::header::CONTENT_TYPE;
use talkback::{CloseInfo, ConnectError, Refused};

use crate::show::escaped;

/// How many characters of a refusing server's answer are shown.
const ANSWER_MAX: usize = 200;

/// Why there is no connection, without secrets of the caller; with the first line of the answer if
/// the server refused.
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
        error => match error.refused().and_then(first_line) {
            Some(line) => format!("{error}. Its answer: {line}"),
            None => error.to_string(),
        },
    };
    escaped(&without_numbers(&text))
}

/// The first line of a refusal that a person can read: not of a web page.
fn first_line(refused: &Refused) -> Option<String> {
    let kind = refused.headers.get(CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        return None;
    }
    let text = String::from_utf8_lossy(&refused.body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    match line.char_indices().nth(ANSWER_MAX) {
        Some((end, _)) => Some(format!("{}…", &line[..end])),
        None => Some(line.to_owned()),
    }
}

/// Whether an echo server, started here, would listen at this URL.
fn is_of_this_machine(url: &str) -> bool {
    ["ws://127.", "ws://localhost", "ws://[::1]"]
        .iter()
        .any(|beginning| url.starts_with(beginning))
}

/// How a connection ended: who closed it, the code and the reason.
pub fn end(info: &CloseInfo) -> String {
    escaped(&without_numbers(&info.to_string()))
}

/// Takes out the ` (os error 111)` that the standard library puts behind what it says in words.
///
/// ```
/// let text = "could not write: Broken pipe (os error 32). Try again.";
/// let plain = talkback_terminal::explain::without_numbers(text);
/// assert_eq!(plain, "could not write: Broken pipe. Try again.");
/// ```
pub fn without_numbers(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" (os error ") else {
        return text.to_owned();
    };
    match rest.split_once(')') {
        Some((_, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use talkback::HandshakeError;
    use talkback::http::Response;

    use super::*;

    fn forbidden(content_type: &str, body: &str) -> String {
        let response = Response::builder().status(403);
        let response = response.header(CONTENT_TYPE, content_type).body(());
        let body = body.to_owned().into();
        connect_error(&ConnectError::Handshake {
            url: "ws://a/".to_owned(),
            error: HandshakeError::refused(&response.unwrap(), body),
        })
    }

    #[test]
    fn a_refusal_has_the_first_line_of_the_answer() {
        let text = forbidden("text/plain", "\nno \u{1b}[2Jpages\r\nsecond");
        assert!(text.ends_with("Its answer: no \\u{1b}[2Jpages"), "{text}");
        let text = forbidden("text/plain", &"가".repeat(201));
        assert_eq!(text.matches('가').count(), 200);
        assert!(text.ends_with("가…"), "{text}");
        assert!(!forbidden("text/plain", "").contains("Its answer"));
        assert!(!forbidden("text/html; charset=utf-8", "<html>").contains("Its answer"));
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
