//! Who may publish and subscribe.

use subtle::ConstantTimeEq as _;
use talkback::Refusal;
use talkback::http::StatusCode;
use talkback::http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::exit::{self, Failure};
use crate::files;
use crate::values::Secret;

/// What an act takes, if it takes anything.
pub(super) struct Keys {
    publish: Option<Secret>,
    subscribe: Option<Secret>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub(super) publish: Result<(), Denied>,
    pub(super) subscribe: Result<(), Denied>,
}

/// Why a client may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has shown no key.
    Missing,
    /// It has shown another.
    Wrong,
}

impl Keys {
    /// The keys as they were given, or what is wrong with one.
    pub(super) fn read(
        publish: Option<&Secret>,
        subscribe: Option<&Secret>,
    ) -> Result<Self, Failure> {
        let key = |option, key: Option<&Secret>| key.map(|key| read(option, key)).transpose();
        Ok(Self {
            publish: key("--publish-key", publish)?,
            subscribe: key("--subscribe-key", subscribe)?,
        })
    }

    /// Whether everything takes a key.
    pub(super) fn are_complete(&self) -> bool {
        self.publish.is_some() && self.subscribe.is_some()
    }

    /// What a client may do that sends these headers.
    pub(super) fn rights(&self, headers: &HeaderMap) -> Rights {
        let shown = talkback_topics::key(headers);
        Rights {
            publish: right(self.publish.as_ref(), shown),
            subscribe: right(self.subscribe.as_ref(), shown),
        }
    }
}

fn right(key: Option<&Secret>, shown: Option<&str>) -> Result<(), Denied> {
    let Some(Secret(key)) = key else {
        return Ok(());
    };
    let shown = shown.ok_or(Denied::Missing)?;
    // How long it takes says nothing of where they differ.
    match bool::from(key.as_bytes().ct_eq(shown.as_bytes())) {
        true => Ok(()),
        false => Err(Denied::Wrong),
    }
}

/// A key as it was given.
fn read(option: &str, given: &Secret) -> Result<Secret, Failure> {
    let Secret(key) = files::secret(option, given)?;
    match !key.is_empty() && key.bytes().all(is_token) {
        true => Ok(Secret(key)),
        false => Err(Failure::new(
            exit::USAGE,
            format!(
                "{option}: a page shows the key as a subprotocol, so that it has one or more of the characters that such a name may have: letters, digits and !#$%&'*+-.^_`|~"
            ),
        )),
    }
}

/// Whether a name of HTTP may have it (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing => Refusal::new(
                StatusCode::UNAUTHORIZED,
                "this takes a key: send `Authorization: Bearer KEY` or, from a page, the subprotocol `talkback.key.KEY`",
            )
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Denied::Wrong => Refusal::new(
                StatusCode::FORBIDDEN,
                "the key is not the one that this takes: ask whoever runs this server for it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(publish: Option<&str>, subscribe: Option<&str>, shown: &[(&str, &str)]) -> Rights {
        let [publish, subscribe] = [publish, subscribe].map(|key| key.map(Secret::from));
        let keys = Keys::read(publish.as_ref(), subscribe.as_ref()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in shown {
            let name: talkback::http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        keys.rights(&headers)
    }

    #[test]
    fn hu6_a_key_is_needed_where_there_is_one_and_is_the_right_one() {
        let (missing, wrong) = (Err(Denied::Missing), Err(Denied::Wrong));
        let bearer = ("authorization", "Bearer hunter2");
        for (publish, subscribe, shown, expected) in [
            (None, None, &[][..], (Ok(()), Ok(()))),
            (None, None, &[bearer], (Ok(()), Ok(()))),
            (Some("hunter2"), None, &[], (missing, Ok(()))),
            (Some("hunter2"), Some("other"), &[bearer], (Ok(()), wrong)),
            (
                Some("hunter2"),
                Some("hunter2"),
                &[bearer],
                (Ok(()), Ok(())),
            ),
            (Some("hunter"), Some("hunter22"), &[bearer], (wrong, wrong)),
            (
                Some("Hunter2"),
                Some("hunter2"),
                &[("sec-websocket-protocol", "a, talkback.key.hunter2")],
                (wrong, Ok(())),
            ),
        ] {
            let Rights { publish, subscribe } = rights(publish, subscribe, shown);
            assert_eq!((publish, subscribe), expected, "{shown:?}");
        }
    }

    #[test]
    fn hu6_a_key_that_no_page_can_show_is_refused_and_not_told() {
        for key in ["", "two words", "geheimnisÜ", "a,b", "@/no/such/file"] {
            let failure = read("--publish-key", &key.into()).unwrap_err();
            assert!(failure.message.starts_with("--publish-key"), "{failure:?}");
            assert!(!failure.message.contains("words"), "{failure:?}");
        }
        assert!(!format!("{:?}", Secret::from("hunter2")).contains("hunter2"));
    }
}
