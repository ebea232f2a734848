//! The body of the response to an opening handshake, which sees whether the response is sent.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body of the response that [`Upgrade::answer`](super::Upgrade::answer) gives: the reason of a
/// refusal, and none behind the 101.
///
/// hyper hands over a connection that it is done with whatever it has answered. If a layer answers 403
/// in place of the 101, no WebSocket may be open behind it: so [`Upgrading`](super::Upgrading) asks the
/// 101's body whether it was sent. hyper asks a body that it sends whether it is at its end, and
/// whatever wraps the body has to pass that question on ([`Body::is_end_stream`]), as axum and
/// `http-body-util` do; tower-http's layer for the timeout of bodies does not. A layer that changes the
/// status and keeps the body is not seen: let it answer with a response of its own.
///
/// A server with bodies of another type turns it into `Bytes` or a `String`; then nothing sees any more
/// whether the response is sent.
pub struct UpgradeBody {
    content: Bytes,
    sent: Sent,
}

impl fmt::Debug for UpgradeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeBody")
            .field("size", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Whether a response was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl UpgradeBody {
    pub(super) fn new(content: String) -> Self {
        Self {
            content: content.into(),
            sent: Sent::default(),
        }
    }

    /// What tells whether it was sent.
    pub(super) fn sent(&self) -> Sent {
        self.sent.clone()
    }
}

impl Body for UpgradeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.get_mut();
        body.sent.set();
        let content = mem::take(&mut body.content);
        Poll::Ready((!content.is_empty()).then(|| Ok(Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.set();
        self.content.is_empty()
    }

    /// Asked for a response that is not sent, too: by axum, for its `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.len() as u64)
    }
}

impl From<UpgradeBody> for Bytes {
    fn from(body: UpgradeBody) -> Self {
        body.sent.set();
        body.content
    }
}

impl From<UpgradeBody> for String {
    fn from(body: UpgradeBody) -> Self {
        let content = Bytes::from(body);
        Self::from_utf8_lossy(&content).into_owned()
    }
}
