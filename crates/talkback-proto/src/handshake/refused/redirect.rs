//! Where a redirect leads (RFC 9110 §10.2.2).

use http::header::{AUTHORIZATION, COOKIE, HeaderMap};

use super::asked::Asked;
use crate::handshake::location::{self, NoLocation, resolve};
use crate::handshake::unfollowed::Unfollowed;
use crate::handshake::url::WsUrl;

/// How many characters of a URL are shown.
const SHOWN_MAX: usize = 200;

/// What to do about a redirect, without the secrets that user name, query and fragment may be.
pub(super) fn advice(
    headers: &HeaderMap,
    asked: Option<Asked<'_>>,
    unfollowed: Option<Unfollowed>,
) -> String {
    let location = match location::of(headers) {
        Ok(location) => location,
        Err(NoLocation::Missing) => {
            return "it redirects, but does not say where: ask its operator for the address of the WebSocket".to_owned();
        }
        Err(NoLocation::Several) => {
            return "it redirects to several places at once: ask its operator for the address of the WebSocket".to_owned();
        }
    };
    let Some(asked) = asked else {
        return "it redirects: connect to the address in its header Location".to_owned();
    };
    if unfollowed == Some(Unfollowed::UserInfo) {
        return "it redirects to a URL with a user name or a password, which no server is to choose: ask its operator for the address without".to_owned();
    }
    let (location, base) = (std::str::from_utf8(location.as_bytes()).ok(), asked.url);
    let Some(target) = location.and_then(|location| resolve(location.trim(), base)) else {
        return "it redirects to what is no address of a WebSocket: ask its operator for that"
            .to_owned();
    };
    let (url, is_cut) = cut(asked.without_secrets(&target.to_string()));
    if is_same(base, &target) {
        return "it redirects to this very URL: it may wait for a cookie or credentials that were not sent".to_owned();
    }
    if is_login(&target, base) {
        // Nobody can connect to a page.
        let page = url.replacen("ws", "http", 1);
        let them = match asked.sent(&AUTHORIZATION) || asked.sent(&COOKIE) {
            true => "other credentials or a fresh cookie",
            false => "credentials (a cookie, or the header Authorization)",
        };
        return format!("it redirects to the page {page} to log in: send {them} with the request");
    }
    if base.is_secure() && !target.is_secure() {
        return format!(
            "it redirects to {url}, which has no TLS: ask its operator for a wss:// address"
        );
    }
    let has_query = target.request_target().contains('?');
    let rest = match (is_cut, has_query) {
        (true, _) => " (all of it is in its header Location)",
        (false, true) => " (the query is in its header Location)",
        (false, false) => "",
    };
    match unfollowed {
        Some(Unfollowed::TooMany { redirects_max }) => format!(
            "it redirects to {url}{rest}, once more than the option `redirects` allows ({redirects_max}): check that they end, and connect to where that is"
        ),
        Some(Unfollowed::OtherOrigin { option }) => format!(
            "it redirects to {url}{rest}, where the option `{option}` does not lead: connect there without it"
        ),
        _ => format!("it redirects: connect to {url}{rest}"),
    }
}

/// A URL of a length that a person reads, and whether it was longer. It is ASCII, but for what is left out.
fn cut(mut url: String) -> (String, bool) {
    let end = url.char_indices().nth(SHOWN_MAX).map(|(end, _)| end);
    if let Some(end) = end {
        url.truncate(end);
        url.push('…');
    }
    (url, end.is_some())
}

fn is_same(base: &WsUrl, target: &WsUrl) -> bool {
    base.is_same_origin(target) && base.request_target() == target.request_target()
}

/// Whether this looks like the page that a server sends browsers to before they may have anything.
fn is_login(target: &WsUrl, base: &WsUrl) -> bool {
    // Another host, scheme, or slash at the end makes no other page.
    if path(base) == path(target) {
        return false;
    }
    let words = [
        "login", "logon", "signin", "auth", "oauth", "oauth2", "sso", "saml",
    ];
    let path = path(target).to_ascii_lowercase().replace(['-', '_'], "");
    path.split('/').any(|segment| words.contains(&segment))
}

fn path(url: &WsUrl) -> &str {
    let path = url.request_target().split('?').next().unwrap_or_default();
    path.trim_end_matches('/')
}
