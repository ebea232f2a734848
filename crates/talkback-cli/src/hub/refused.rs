//! What a client is told whose request is not granted.

use std::borrow::Cow;

use talkback::Refusal;
use talkback::http::StatusCode;
use talkback_topics::{PublishError, PublishErrorKind, SubscribeError};

/// What was asked for is wrong.
pub(super) fn bad(what: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, what)
}

/// Nothing was published, as far as is known.
pub(super) fn unpublished(error: &PublishError) -> Refusal {
    let status = match error.kind() {
        PublishErrorKind::Id => StatusCode::BAD_REQUEST,
        PublishErrorKind::Uncertain => StatusCode::GATEWAY_TIMEOUT,
        PublishErrorKind::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal::new(status, error.to_string())
}

/// A topic cannot be subscribed to.
pub(super) fn unavailable(error: &SubscribeError) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}
