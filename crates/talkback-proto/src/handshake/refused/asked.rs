//! What a client asked for, and what of it nobody is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, ORIGIN, PROXY_AUTHORIZATION,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::handshake::url::WsUrl;

/// From how many bytes on something that the request held is taken for a secret: what is shorter
/// stands everywhere.
const SECRET_MIN: usize = 4;

/// How many characters of a longer one are enough to know it by.
const BEGINNING_SIZE: usize = 8;

/// How many bytes are looked through for secrets, all of them taken together: some milliseconds.
const SEARCH_MAX: usize = 8 << 20;

/// What is not percent-encoded wherever it stands (RFC 3986 §2.3) is left out.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What was asked for.
#[derive(Clone, Copy)]
pub(in crate::handshake) struct Asked<'a> {
    pub(in crate::handshake) url: &'a WsUrl,
    pub(in crate::handshake) request: &'a Request<()>,
    /// What the requests held that redirects have led here from.
    pub(in crate::handshake) earlier: &'a [String],
}

impl Asked<'_> {
    pub(super) fn sent(&self, name: &HeaderName) -> bool {
        self.request.headers().contains_key(name)
    }

    /// Puts "…" in the place of what the request held and may be secret; in that of all, where both are so many
    /// that looking for them would hold up the program.
    pub(in crate::handshake) fn without_secrets(&self, text: &str) -> String {
        let secrets = self.secrets();
        if secrets.len().saturating_mul(text.len()) > SEARCH_MAX {
            return "…".to_owned();
        }
        secrets
            .iter()
            .fold(text.to_owned(), |text, secret| without(&text, secret))
    }

    /// What this request held and those before it, and may be secret; the longest first, as one may be a part of
    /// another.
    pub(in crate::handshake) fn secrets(&self) -> Vec<String> {
        let mut secrets = secrets(*self);
        secrets.retain(|secret| secret.len() >= SECRET_MIN);
        secrets.extend_from_slice(self.earlier);
        secrets.sort_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
        secrets.dedup();
        secrets
    }
}

/// Puts "…" in the place of a secret, in whatever case its letters are, and of as much of it as stands
/// there: an answer may be cut within it.
fn without(text: &str, secret: &str) -> String {
    // ASCII alone changes, so that the places are the same.
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let beginning = secret.char_indices().nth(BEGINNING_SIZE);
    let beginning = &secret[..beginning.map_or(secret.len(), |(end, _)| end)];
    let (mut shown, mut at) = (String::new(), 0);
    while let Some(before) = lower[at..].find(beginning) {
        let start = at + before;
        shown += &text[at..start];
        shown.push('…');
        let pairs = lower[start..].chars().zip(secret.chars());
        let same = pairs.take_while(|(shown, secret)| shown == secret);
        at = start
            + same
                .map(|(character, _)| character.len_utf8())
                .sum::<usize>();
    }
    shown + &text[at..]
}

/// What the request held: the query and its values, user name and password, and the values of all
/// headers that are neither the handshake's own nor the name of the program.
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
    const PUBLIC: [HeaderName; 8] = [
        HOST,
        UPGRADE,
        CONNECTION,
        ORIGIN,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_EXTENSIONS,
        USER_AGENT,
    ];
    for (name, value) in asked.request.headers() {
        if PUBLIC.contains(name) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        push(&mut secrets, &value);
        if name == COOKIE {
            let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
            cookies.for_each(|(_, value)| push(&mut secrets, value));
        } else if name == AUTHORIZATION || name == PROXY_AUTHORIZATION {
            let (_, credentials) = value.split_once(' ').unwrap_or(("", &value));
            push(&mut secrets, credentials);
            let decoded = STANDARD.decode(credentials.trim()).unwrap_or_default();
            let decoded = String::from_utf8_lossy(&decoded);
            // A password may have colons.
            let parts = decoded.splitn(2, ':');
            parts.for_each(|part| push(&mut secrets, part));
        } else {
            // Among the subprotocols, tokens travel.
            value.split(',').for_each(|part| push(&mut secrets, part));
        }
    }
    secrets
}

/// In the spellings in which servers repeat it, each with one space for white space, as a line is shown:
/// as it is; without quotes and percent-encoding, also that of forms; as JSON has it; and percent-encoded, as in a
/// path.
fn push(secrets: &mut Vec<String>, secret: &str) {
    let secret = secret.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = secret.trim_matches('"');
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let json = bare.replace('\\', r"\\").replace('"', "\\\"");
    let spellings = [
        utf8_percent_encode(bare, ENCODED).to_string(),
        decoded(bare),
        decoded(&bare.replace('+', " ")),
        json.replace('/', r"\/"),
        json,
    ];
    secrets.extend(spellings.into_iter().filter(|it| *it != secret));
    secrets.push(secret);
}
