//! What is told on standard error of a connection, and of why there is none.

use std::fmt;

use talkback::{CloseInfo, ConnectError, Error, Lost, LostCause, Refused, WsUrl};
use talkback_terminal::explain;
use talkback_terminal::show::escaped;

use crate::exit::{self, Failure};
use crate::tls;

/// The headers of a refusal that say more than its error does: what is asked for, and what to name to the
/// server's operator.
const HEADERS_THAT_MATTER: [&str; 2] = ["www-authenticate", "x-request-id"];

/// How much of a refusal's body is kept, in bytes.
const BODY_KEPT: usize = 4096;

/// How much is told on standard error.
#[derive(Debug)]
pub(crate) struct Remarks {
    url: String,
    verbose: u8,
    is_quiet: bool,
}

impl Remarks {
    pub(crate) fn new(url: &WsUrl, verbose: u8, is_quiet: bool) -> Self {
        let url = url.to_string();
        Self {
            url,
            verbose,
            is_quiet,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Tells something, unless it is nothing.
    pub(crate) fn tell(&self, what: impl fmt::Display) {
        let what = what.to_string();
        if !self.is_quiet && !what.is_empty() {
            exit::tell(what);
        }
    }

    /// Tells that there is a connection.
    pub(crate) fn tell_open(&self, subprotocol: Option<&str>) {
        let subprotocol = subprotocol
            .map(|name| format!(", subprotocol {}", escaped(name)))
            .unwrap_or_default();
        self.tell(format_args!("connected to {}{subprotocol}", self.url));
    }

    /// What the ends agreed on. Of the subprotocols only the server's choice is named: tokens are offered beside
    /// the one to be chosen.
    pub(crate) fn tell_agreed(&self, asked: usize, subprotocol: Option<&str>) {
        if asked > 0 {
            self.tell(format_args!(
                "* subprotocols offered: {asked}; agreed on: {}",
                escaped(subprotocol.unwrap_or("none"))
            ));
        }
    }

    /// The failure of a connect, with what the server answered if it refused.
    pub(crate) fn refused(&self, error: &ConnectError) -> Failure {
        if let Some(refused) = answer(error) {
            for line in answer_lines(refused, self.verbose) {
                self.tell(line);
            }
        }
        failed(error)
    }
}

/// The failure of a connect.
pub(crate) fn failed(error: &ConnectError) -> Failure {
    let message = tls::with_options(error, explain::connect_error(error));
    Failure::new(exit::of_connect_error(error), message)
}

/// How a connection ended.
pub(crate) fn end(info: &CloseInfo) -> String {
    explain::end(info, "raise `--max-message`, or ")
}

/// How a connection was lost, or why a try failed.
pub(crate) fn lost(lost: &Lost) -> String {
    escaped(&explain::without_numbers(&lost.to_string()))
}

/// Why a channel has ended that is not to have ended; and how, if its connection did.
pub(crate) fn ended(error: &Error, info: Option<&CloseInfo>) -> Failure {
    match error {
        Error::Connect(error) => failed(error),
        Error::Closed(info) => Failure::new(exit::of_close(info), end(info)),
        Error::Send(error) => {
            let code = match info.map(exit::of_close) {
                None | Some(exit::NORMAL) => exit::UNSENT,
                Some(code) => code,
            };
            Failure::new(code, escaped(&error.to_string()))
        }
        Error::Lost(lost)
        | Error::GaveUp {
            last: Some(lost), ..
        } => match lost.cause() {
            LostCause::Connect(error) => failed(error),
            LostCause::Closed(info) => Failure::new(exit::of_close(info), end(info)),
            cause => Failure::new(exit::OTHER, escaped(&cause.to_string())),
        },
        error => Failure::new(exit::OTHER, escaped(&error.to_string())),
    }
}

/// What the server, or the proxy before it, answered in place of a WebSocket.
fn answer(error: &ConnectError) -> Option<&Refused> {
    match error {
        ConnectError::Proxy { error, .. } => error.refused(),
        error => error.refused(),
    }
}

/// The headers that matter; with `-v`, which has shown all of them, the body as far as it is text.
fn answer_lines(refused: &Refused, verbose: u8) -> Vec<String> {
    if verbose > 0 {
        return body_lines(&refused.body);
    }
    let headers = refused.headers.iter();
    headers
        .filter(|(name, _)| HEADERS_THAT_MATTER.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("the server's answer: {name}: {}", escaped(&value))
        })
        .collect()
}

/// The lines of a body, and where it was cut.
fn body_lines(body: &[u8]) -> Vec<String> {
    let line = |line: &str| format!("the server's answer: {}", escaped(line));
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        // It may be cut within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return vec![line(&format!("{} bytes that are no text", body.len()))],
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    if body.len() >= BODY_KEPT {
        lines.push(format!("(cut after {BODY_KEPT} bytes)"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_far_as_it_is_text_and_says_where_it_was_cut() {
        let first = "the server's answer: {";
        assert_eq!(
            body_lines(b"{\n\"a\"}\n"),
            [first, "the server's answer: \"a\"}"]
        );
        let binary = body_lines(b"\xff\x00");
        assert_eq!(binary, ["the server's answer: 2 bytes that are no text"]);
        let mut long = "x".repeat(BODY_KEPT - 1).into_bytes();
        long.push("가".as_bytes()[0]);
        let lines = body_lines(&long);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], "(cut after 4096 bytes)");
        assert!(body_lines(b"").is_empty());
    }
}
