//! Publishing by `POST`.

use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::Serialize;
use talkback::http::header::{CONTENT_TYPE, HeaderMap};
use talkback::http::{HeaderName, Request, StatusCode};
use talkback::{Message, Refusal, Text};
use talkback_topics::Topic;
use tokio::time::timeout;

use super::asked;
use super::refused::{bad, unpublished};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What was published.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    at: String,
    subscribers: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// Publishes a request's body, of at most so many bytes.
///
/// # Errors
/// 400, 408, 413, and what publishing fails by.
pub(super) async fn publish(
    topic: &Topic,
    request: Request<Incoming>,
    size_max: u64,
) -> Result<Published, Refusal> {
    // The id under which it may be sent again.
    let id = asked::header(request.headers(), &IDEMPOTENCY_KEY)?;
    let id = id.map(str::to_owned);
    let is_text = is_text(request.headers());
    let body = read(request.into_body(), size_max).await?;
    let message: Message = match is_text {
        true => match Text::from_utf8(body) {
            Ok(text) => text.into(),
            Err(_) => return Err(bad("the body is not UTF-8, which its Content-Type means")),
        },
        false => body.into(),
    };
    let mut publish = topic.publish(message);
    if let Some(id) = id {
        publish = publish.id(id);
    }
    let published = publish.await.map_err(|error| unpublished(&error))?;
    Ok(Published {
        at: published.position().to_string(),
        subscribers: published.subscribers(),
        duplicate: published.is_duplicate(),
    })
}

async fn read(body: Incoming, size_max: u64) -> Result<talkback::bytes::Bytes, Refusal> {
    let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
    if body.size_hint().lower() > size_max as u64 {
        return Err(too_large(size_max));
    }
    let reading = Limited::new(body, size_max).collect();
    let Ok(read) = timeout(BODY_TIMEOUT, reading).await else {
        let what = "the body did not come within 10 s";
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, what));
    };
    match read {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(size_max)),
        Err(_) => Err(bad("the body did not come to its end")),
    }
}

fn too_large(size_max: usize) -> Refusal {
    let what =
        format!("the body is larger than {size_max} bytes, which are the most (--max-message)");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what)
}

/// Whether a body is a text, by its kind: `text/…`, or JSON.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/") || kind == "application/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_says_so() {
        let is_text = |kind: &'static str| {
            let kind = kind.parse().unwrap();
            is_text(&[(CONTENT_TYPE, kind)].into_iter().collect())
        };
        for kind in [
            "text/plain",
            "Text/Plain; charset=utf-8",
            "application/json",
            "application/json;charset=utf-8",
            "application/cloudevents+json",
        ] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in [
            "",
            "application/octet-stream",
            "application/jsonp",
            "x/text/",
        ] {
            assert!(!is_text(kind), "{kind}");
        }
    }
}
