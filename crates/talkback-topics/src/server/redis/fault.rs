//! Why there is no connection.

use std::error::Error;
use std::io;

use redis::{ErrorKind, RedisError};
use tokio_rustls::rustls;

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It cannot be had now; trying again may help.
    Away(String),
    /// The server, or its certificate, was there and is wrong: so is, most likely, what was asked for.
    Refusal(String),
}

impl Fault {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Away(text) | Self::Refusal(text) => text,
        }
    }

    /// Without a text that must not be seen. Servers may repeat what they were sent.
    pub(crate) fn without(self, secret: Option<&str>) -> Self {
        let clean = |text: String| match secret {
            Some(secret) => text.replace(secret, "…"),
            None => text,
        };
        match self {
            Self::Away(text) => Self::Away(clean(text)),
            Self::Refusal(text) => Self::Refusal(clean(text)),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|it| it.downcast_ref::<rustls::Error>());
        match inner {
            Some(error) => Self::Refusal(format!("TLS: {error}")),
            None => Self::Away(error.to_string()),
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        let source = error.source().and_then(|it| it.downcast_ref::<io::Error>());
        if let Some(error) = source {
            let inner = error
                .get_ref()
                .and_then(|it| it.downcast_ref::<rustls::Error>());
            return match inner {
                Some(error) => Self::Refusal(format!("TLS: {error}")),
                None => Self::Away(error.to_string()),
            };
        }
        match error.kind() {
            ErrorKind::Io => Self::Away("the connection was closed".to_owned()),
            ErrorKind::Parse => Self::Refusal("what answers is not Redis".to_owned()),
            _ if is_passing(&error) => Self::Away(said(&error)),
            _ => Self::Refusal(said(&error)),
        }
    }
}

/// Whether what a server says is of this hour.
fn is_passing(error: &RedisError) -> bool {
    const PASSING: [&str; 9] = [
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    ];
    error.code().is_some_and(|it| PASSING.contains(&it))
        || error
            .detail()
            .is_some_and(|it| it.contains("max number of clients"))
}

/// What a server said, or what the other crate says.
pub(crate) fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}
