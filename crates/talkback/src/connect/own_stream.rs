//! native: a stream that the program brought, whatever its type.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};

/// What a connector may give.
pub(crate) trait OwnStream: AsyncRead + AsyncWrite + Send + Unpin + Any {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + Any> OwnStream for T {}

/// A stream that the program brought.
pub(crate) struct Own<S: ?Sized = dyn OwnStream> {
    pub(crate) is_write_vectored: bool,
    /// The lock is never taken: whoever has it alone needs none. It makes this `Sync`, which a stream need not
    /// be.
    stream: Mutex<S>,
}

impl Own {
    pub(crate) fn new(stream: impl OwnStream) -> Box<Self> {
        Box::new(Own {
            is_write_vectored: stream.is_write_vectored(),
            stream: Mutex::new(stream),
        })
    }

    pub(crate) fn stream(&mut self) -> &mut (dyn OwnStream + 'static) {
        let stream = self.stream.get_mut();
        stream.unwrap_or_else(PoisonError::into_inner)
    }
}
