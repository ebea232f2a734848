//! What a server's refusal says to a person: what it answered, what to do, and its own words.

pub(super) mod asked;
mod by_proxy;
mod challenge;
mod excerpt;
mod redirect;

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, LOCATION, ORIGIN, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, RETRY_AFTER, SEC_WEBSOCKET_VERSION, SET_COOKIE, UPGRADE, WWW_AUTHENTICATE,
};
use http::{Response, Version};

use super::error::{HandshakeError, Refused};
use super::proxy_settings::{HTTP_1_1, UPGRADE_PASSED};
use super::unfollowed::Unfollowed;

use self::asked::Asked;

impl HandshakeError {
    /// Makes the error for a response that is not a 101, where the request is not known.
    ///
    /// It shows neither the body nor where a redirect leads, since they may repeat what was sent:
    /// [`ClientHandshake::refused`](super::ClientHandshake::refused) knows what that was, and does.
    ///
    /// `body` is the beginning of the response's body, at most 4,096 bytes, as
    /// [`RefusedBody`](super::RefusedBody) collects it.
    #[must_use]
    pub fn refused<T>(response: &Response<T>, body: Bytes) -> HandshakeError {
        refused(response, body, None, None)
    }
}

/// A server's answer that is not a 101.
struct Answer<'a> {
    status: u16,
    version: Version,
    headers: &'a HeaderMap,
    /// The body as text, if it is that.
    body: &'a str,
    /// Whether some of the body is shown.
    is_shown: bool,
    asked: Option<Asked<'a>>,
    unfollowed: Option<Unfollowed>,
}

/// Makes the error for a response that is not a 101.
pub(super) fn refused<T>(
    response: &Response<T>,
    body: Bytes,
    asked: Option<Asked<'_>>,
    unfollowed: Option<Unfollowed>,
) -> HandshakeError {
    let status = response.status();
    let excerpt = asked.and_then(|asked| excerpt::of(response.headers(), status, &body, asked));
    let answer = Answer {
        status: status.as_u16(),
        version: response.version(),
        headers: response.headers(),
        body: std::str::from_utf8(&body).unwrap_or_default(),
        is_shown: excerpt.is_some(),
        asked,
        unfollowed,
    };
    let advice = answer.advice();
    let mut text =
        format!("the server answered {status} instead of 101 Switching Protocols; {advice}");
    // A server of this library names the same settings.
    let is_told = advice.contains("`proxy_") && answer.says("`proxy_");
    if let Some(excerpt) = excerpt.filter(|_| !is_told) {
        let _ = write!(text, "; its answer: {excerpt}");
    }
    HandshakeError::Status(Box::new(Refused {
        status,
        headers: marked(response.headers()),
        body,
        unfollowed,
        text: text.into(),
    }))
}

/// The headers of an answer as an error has them.
fn marked(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for (name, value) in &mut headers {
        // Cookies are secrets, a redirect may repeat the query, and errors are printed.
        if name == SET_COOKIE || name == LOCATION {
            value.set_sensitive(true);
        }
    }
    headers
}

impl Answer<'_> {
    /// What happened, as far as the status does not say it, and what to do.
    fn advice(&self) -> Cow<'static, str> {
        let again = self.again();
        match self.status {
            100..=199 => "it sends one interim answer after the other: the server is at fault",
            200..=299 => {
                "it speaks HTTP, but not WebSocket at this path: check the path, and that a proxy before it passes Upgrade and Connection on"
            }
            300..=399 => {
                return redirect::advice(self.headers, self.asked, self.unfollowed).into();
            }
            400 => return self.advice_on_a_bad_request(),
            401 => return challenge::advice("it", self.headers, &WWW_AUTHENTICATE, self.credentials(&AUTHORIZATION), self.asked).into(),
            403 => return self.advice_on_forbidden().into(),
            404 | 410 => "it has nothing at this path: check the path",
            405 => "it takes no GET at this path, which opens a WebSocket: check the path",
            407 => {
                let credentials = self.credentials(&PROXY_AUTHORIZATION);
                let challenge = challenge::advice("a proxy before it", self.headers, &PROXY_AUTHENTICATE, credentials, self.asked);
                return challenge.into();
            }
            408 => return format!("the request came too slowly for it: {again}").into(),
            413 | 414 | 431 => {
                "the request's head is too large for it: send fewer or shorter headers (cookies, mostly) and a shorter query"
            }
            421 => "it does not serve this host: check the host of the URL",
            425 => return format!("it is too early for it: {again}").into(),
            426 => return self.advice_on_upgrade_required().into(),
            429 | 503 => return format!("it is busy: {again}").into(),
            501 => "it, or a proxy before it, cannot switch protocols: check that a WebSocket server is behind the URL",
            502 => {
                return format!("a proxy before it did not get through to it: check that the server behind the proxy runs, and that the proxy speaks its protocol to it, or {again}").into();
            }
            504 => {
                return format!("a proxy before it got no answer from it in time: check that the server behind the proxy does not hang, and how long the proxy waits (nginx: `proxy_read_timeout`, HAProxy: `timeout server`), or {again}").into();
            }
            505 => return advice_on_version().into(),
            511 => return format!("the network wants a login first: open a web page in a browser, then {again}").into(),
            500..=599 => return format!("it, or a proxy before it, is at fault: {again}").into(),
            _ if self.is_shown => "it does not take the request: do as its answer says",
            _ => "it does not take the request and does not say why: ask its operator",
        }
        .into()
    }

    /// What sent credentials were, if the request is known: those of this header, or cookies.
    fn credentials(&self, name: &HeaderName) -> challenge::Credentials {
        match self.asked {
            Some(asked) if asked.sent(name) => challenge::Credentials::Sent,
            Some(asked) if asked.sent(&COOKIE) => challenge::Credentials::OnlyCookies,
            _ => challenge::Credentials::None,
        }
    }

    /// When to try again: what `Retry-After` says, seconds or a date (RFC 9110 §10.2.3).
    fn again(&self) -> String {
        let value = self.headers.get(RETRY_AFTER);
        let text = value.and_then(|value| value.to_str().ok()).map(str::trim);
        let is_short = |text: &&str| !text.is_empty() && text.len() <= 32;
        match text.filter(is_short) {
            Some(seconds) if seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("try again after {seconds} s")
            }
            // An HTTP-date begins with the day's name.
            Some(date) if date.ends_with(" GMT") && date.starts_with(char::is_alphabetic) => {
                format!("try again after {date}")
            }
            _ => "try again later".to_owned(),
        }
    }

    /// Words of the server, without what the request held and may be secret, if that is known.
    fn shown(&self, words: &str) -> String {
        let asked = self.asked;
        asked.map_or_else(|| words.to_owned(), |asked| asked.without_secrets(words))
    }

    fn says(&self, words: &str) -> bool {
        self.body.to_ascii_lowercase().contains(words)
    }

    fn advice_on_a_bad_request(&self) -> Cow<'static, str> {
        let is_plain = self.asked.is_none_or(|asked| !asked.url.is_secure());
        // nginx and Apache say the one, Go's servers the other.
        let wants_tls = ["plain http", "http request to an https"];
        if is_plain && wants_tls.iter().any(|words| self.says(words)) {
            return "its port speaks TLS: use wss://".into();
        }
        // Servers name the header that is missing, each in its own words.
        if self.says("upgrade") {
            return advice_on_upgrade().into();
        }
        if self.version == Version::HTTP_10 && !self.is_shown {
            return "it speaks HTTP/1.0, which has no WebSockets: have it, or a proxy before it, speak HTTP/1.1".into();
        }
        match self.is_shown {
            true => "it did not understand the request: do as its answer says".into(),
            false => format!(
                "it did not understand the request and does not say why: check path and headers, and that a proxy before it passes Upgrade and Connection on ({UPGRADE_PASSED})"
            )
            .into(),
        }
    }

    fn advice_on_forbidden(&self) -> String {
        let origin = self.asked.and_then(|asked| {
            let origin = asked.request.headers().get(ORIGIN)?;
            origin.to_str().ok()
        });
        match origin {
            Some(origin) => format!(
                "it forbids this: check that it allows the Origin {origin:?}, and the credentials"
            ),
            None => {
                "it forbids this: check the credentials, and whether it wants an Origin (option `origin`)"
                    .to_owned()
            }
        }
    }

    fn advice_on_upgrade_required(&self) -> String {
        let versions = list(self.headers, &SEC_WEBSOCKET_VERSION);
        if !versions.is_empty() && !versions.iter().any(|version| version == "13") {
            let versions = self.shown(&versions.join(", "));
            return format!(
                "it speaks the version {versions:?} of the protocol, not 13: have the server updated"
            );
        }
        let protocols = list(self.headers, &UPGRADE);
        let is_websocket = |name: &String| name.eq_ignore_ascii_case("websocket");
        if protocols.is_empty() || protocols.iter().any(is_websocket) {
            return advice_on_upgrade();
        }
        let protocols = self.shown(&protocols.join(", "));
        format!(
            "it wants the protocol {protocols:?}: check that the URL is that of a WebSocket server"
        )
    }
}

/// The elements of a header that is a list, as they stand there, of which the first few are enough.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let elements = texts.flat_map(|text| text.split(',')).map(str::trim);
    let elements = elements.filter(|element| !element.is_empty());
    elements
        .take(4)
        .map(|it| it.chars().take(20).collect())
        .collect()
}

fn advice_on_upgrade() -> String {
    format!(
        "it did not see that this is a WebSocket: have a proxy before it pass Upgrade and Connection on ({UPGRADE_PASSED})"
    )
}

fn advice_on_version() -> String {
    format!(
        "a proxy before it passes the request on as HTTP/1.0: have it speak HTTP/1.1 ({HTTP_1_1}) and pass Upgrade and Connection on ({UPGRADE_PASSED})"
    )
}
