//! What a client asked for, and what of it nobody is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, ORIGIN, PROXY_AUTHORIZATION,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use percent_encoding::percent_decode_str;

use crate::handshake::url::WsUrl;

/// From how many bytes on something that the request held is taken for a secret: what is shorter
/// stands everywhere.
const SECRET_MIN: usize = 4;

/// What was asked for.
#[derive(Clone, Copy)]
pub(in crate::handshake) struct Asked<'a> {
    pub(in crate::handshake) url: &'a WsUrl,
    pub(in crate::handshake) request: &'a Request<()>,
}

impl Asked<'_> {
    pub(super) fn sent(&self, name: &HeaderName) -> bool {
        self.request.headers().contains_key(name)
    }

    /// Puts "…" in the place of what the request held and may be secret.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut secrets = secrets(*self);
        secrets.retain(|secret| secret.len() >= SECRET_MIN);
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

/// What the request held: the query and its values, user name and password, and the values of all
/// headers that are not the handshake's own.
fn secrets(asked: Asked<'_>) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Some((_, query)) = asked.url.request_target().split_once('?') {
        push(&mut secrets, query);
        for part in query.split('&') {
            push(
                &mut secrets,
                part.split_once('=').map_or(part, |(_, value)| value),
            );
        }
    }
    const PUBLIC: [HeaderName; 7] = [
        HOST,
        UPGRADE,
        CONNECTION,
        ORIGIN,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_EXTENSIONS,
    ];
    for (name, value) in asked.request.headers() {
        if PUBLIC.contains(name) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        push(&mut secrets, &value);
        if name == COOKIE {
            let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
            cookies.for_each(|(_, value)| push(&mut secrets, value.trim()));
        } else if name == AUTHORIZATION || name == PROXY_AUTHORIZATION {
            let (_, credentials) = value.split_once(' ').unwrap_or(("", &value));
            push(&mut secrets, credentials);
            let decoded = STANDARD.decode(credentials).unwrap_or_default();
            let decoded = String::from_utf8_lossy(&decoded);
            decoded.split(':').for_each(|part| push(&mut secrets, part));
        } else {
            // Among the subprotocols, tokens travel.
            value.split(", ").for_each(|part| push(&mut secrets, part));
        }
    }
    secrets
}

/// As it is, and without quotes and percent-encoding.
fn push(secrets: &mut Vec<String>, secret: &str) {
    secrets.push(secret.to_owned());
    let bare = percent_decode_str(secret.trim_matches('"')).decode_utf8_lossy();
    if bare != secret {
        secrets.push(bare.into_owned());
    }
}
