//! TLS before an opening handshake.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::accept::Accept;
use crate::error::AcceptError;
use crate::timer::{poll_timer, timer};

impl<T> Accept<T> {
    /// Has the stream made into another, as by TLS, within the time of the opening handshake.
    pub(crate) async fn secured<F>(self, secure: impl FnOnce(T) -> F) -> Result<Self, AcceptError>
    where
        F: Future<Output = io::Result<T>>,
    {
        let timeout = self.0.options.timeout;
        let (stream, opening) = self.0.with_stream(());
        let mut timer = timer(timeout);
        let mut securing = pin!(secure(stream));
        let secured = poll_fn(|cx| match securing.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => poll_timer(&mut timer, cx).map(|()| None),
        });
        let secured = secured.await.ok_or(AcceptError::Timeout(timeout))?;
        let stream = secured.map_err(|error| AcceptError::Lost(error.into()))?;
        let ((), mut opening) = opening.with_stream(stream);
        opening.set_timer(timer);
        Ok(Self(Box::new(opening)))
    }
}
