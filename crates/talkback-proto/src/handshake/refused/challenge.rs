//! What a server says of the credentials that it wants (RFC 9110 §11.6).

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderName};

use super::asked::Asked;
use crate::handshake::grammar::is_token;

/// What went with the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Nothing that is known.
    None,
    OnlyCookies,
    Sent,
}

/// One scheme that the server takes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    realm: Option<String>,
    /// What a bearer token lacks (RFC 6750 §3).
    error: Option<String>,
}

impl Challenge {
    fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

/// How many schemes are named, and how many characters of what they say.
const SCHEMES_MAX: usize = 4;
const WORDS_MAX: usize = 40;

/// What `who` wants, and what to do.
pub(super) fn advice(
    who: &str,
    headers: &HeaderMap,
    name: &HeaderName,
    credentials: Credentials,
    asked: Option<Asked<'_>>,
) -> String {
    let challenges = challenges(headers, name);
    let mut text = format!("{who} wants ");
    text += match credentials {
        Credentials::None => "credentials",
        Credentials::OnlyCookies => "other credentials than cookies",
        Credentials::Sent => "other credentials than those that were sent",
    };
    let mut said = String::new();
    for (number, challenge) in challenges.iter().enumerate() {
        let _ = write!(said, "{}{}", [" (", ", "][number.min(1)], challenge.scheme);
        for word in [&challenge.realm, &challenge.error].into_iter().flatten() {
            let _ = write!(said, " {word:?}");
        }
    }
    text += &match asked {
        Some(asked) => asked.without_secrets(&said),
        None => said,
    };
    text += if challenges.is_empty() { ": " } else { "): " };
    text + next_step(who, &challenges, credentials == Credentials::Sent)
}

fn next_step(who: &str, challenges: &[Challenge], was_sent: bool) -> &'static str {
    let takes = |scheme| challenges.iter().any(|it: &Challenge| it.is(scheme));
    let is_proxy = who != "it";
    match (is_proxy, was_sent) {
        _ if takes("Basic") && was_sent => "check user name and password",
        (false, false) if takes("Basic") => "put user name and password into the URL",
        (true, false) if takes("Basic") => {
            "send user name and password in the header Proxy-Authorization"
        }
        _ if takes("Bearer") && was_sent => "send a token that is valid",
        _ if takes("Bearer") => "send a token in the header Authorization (Bearer …)",
        _ if !challenges.is_empty() => {
            "have it take Basic or Bearer, as this client answers no other challenge, or send a cookie that it takes"
        }
        (_, true) => "check user name, password or token",
        (false, false) => "send a user name and password, a token or a cookie",
        (true, false) => "send them in the header Proxy-Authorization",
    }
}

/// The names of the schemes that are offered.
pub(super) fn schemes(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let challenges = challenges(headers, name);
    challenges.into_iter().map(|it| it.scheme).collect()
}

/// `#challenge`, where `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]` (RFC 9110 §11.3).
fn challenges(headers: &HeaderMap, name: &HeaderName) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let values = headers.get_all(name).iter();
    for element in values
        .filter_map(|value| value.to_str().ok())
        .flat_map(elements)
    {
        let (first, rest) = element.split_once(' ').unwrap_or((element, ""));
        let param = if is_token(first.as_bytes()) {
            if challenges.len() == SCHEMES_MAX {
                break;
            }
            challenges.push(Challenge {
                scheme: first.chars().take(WORDS_MAX).collect(),
                ..Challenge::default()
            });
            rest
        } else {
            element
        };
        let (Some((name, value)), Some(last)) = (param.split_once('='), challenges.last_mut())
        else {
            continue;
        };
        let said = match name.trim().to_ascii_lowercase().as_str() {
            "realm" => &mut last.realm,
            "error" => &mut last.error,
            _ => continue,
        };
        let value = value.trim().trim_matches('"');
        *said = Some(value.chars().take(WORDS_MAX).collect()).filter(|it: &String| !it.is_empty());
    }
    challenges
}

/// The text between commas that do not stand in quotes.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let elements = text.split(move |character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    elements
        .map(str::trim)
        .filter(|element| !element.is_empty())
}
