//! What a WebSocket is spoken over.

use tokio::io::{AsyncRead, AsyncWrite};

/// TCP, or TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for T {}
