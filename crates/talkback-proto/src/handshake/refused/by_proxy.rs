//! What a proxy's answer to CONNECT says to a person.

use bytes::Bytes;
use http::header::{PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};

use super::{challenge, marked};
use crate::handshake::error::Refused;

impl Refused {
    /// Makes what a proxy answered to a CONNECT that it does not grant: any status but 2xx
    /// (RFC 9110 §9.3.6).
    ///
    /// `body` is the beginning of the response's body, as [`RefusedBody`](crate::handshake::RefusedBody) collects
    /// it. The text shows none of it: it may repeat what was sent.
    #[must_use]
    pub fn by_proxy<T>(request: &Request<()>, response: &Response<T>, body: Bytes) -> Refused {
        let status = response.status();
        let advice = match status.as_u16() {
            300..=399 => "it redirects, which no client follows for a tunnel: check that it is a proxy".into(),
            400 | 404 | 405 | 426 | 501 => {
                "it makes no tunnel: check that it is a proxy, and that it knows CONNECT".into()
            }
            403 => "it forbids this: ask its operator to allow CONNECT to this host and port".into(),
            // tinyproxy answers a wrong password with 401.
            401 | 407 => advice_on_credentials(request, response),
            408 | 425 | 429 => "it is busy: try again later".into(),
            502..=504 => "it did not get through to the server: check that the server runs, its host and its port, or try again later".into(),
            511 => "the network wants a login first: open a web page in a browser, then try again later".into(),
            505 => "it takes no HTTP/1.1: check that it is a proxy".into(),
            500..=599 => "it is at fault: try again later".into(),
            _ => "it does not say why: ask its operator".to_owned(),
        };
        Refused {
            status,
            headers: marked(response.headers()),
            body,
            unfollowed: None,
            text: format!("it answered {status} to CONNECT; {advice}").into(),
        }
    }
}

/// Names the schemes alone: a realm is the proxy's own text, which may repeat what was sent.
fn advice_on_credentials<T>(request: &Request<()>, response: &Response<T>) -> String {
    let names = [PROXY_AUTHENTICATE, WWW_AUTHENTICATE];
    let schemes = names.map(|name| challenge::schemes(response.headers(), &name));
    let schemes = schemes.concat();
    let offered = match schemes.is_empty() {
        true => String::new(),
        false => format!(" ({})", schemes.join(", ")),
    };
    let takes_basic = schemes.iter().any(|it| it.eq_ignore_ascii_case("Basic"));
    let (wanted, next) = match request.headers().contains_key(PROXY_AUTHORIZATION) {
        _ if !schemes.is_empty() && !takes_basic => (
            "credentials",
            "have it take Basic, as this client answers no other challenge",
        ),
        true => (
            "other credentials than those that were sent",
            "check user name and password in its URL",
        ),
        false => (
            "credentials",
            "put user name and password into its URL: http://user:password@proxy.example:3128",
        ),
    };
    format!("it wants {wanted}{offered}: {next}")
}
