//! Values over a socket.

use std::future::Future;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;
use talkback_proto::CloseInfo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::recv::RecvError;
use crate::error::send::SendError;
#[cfg(feature = "server")]
use crate::server::ServerConnection;
use crate::typed::Typed;
use crate::typed::codec::Codec;
use crate::typed::json::Json;
use crate::websocket::WebSocket;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The same socket, over which values go as JSON: it sends `Out` and receives `In`. See [`Typed`].
    pub fn json<Out: Serialize + ?Sized, In: DeserializeOwned>(self) -> Typed<Self, Out, In> {
        Typed::new(self, Json)
    }
}

#[cfg(feature = "server")]
impl<S: AsyncRead + AsyncWrite + Unpin> ServerConnection<S> {
    /// The same connection, over which values go as JSON: it sends `Out` and receives `In`. See [`Typed`].
    pub fn json<Out: Serialize + ?Sized, In: DeserializeOwned>(self) -> Typed<Self, Out, In> {
        Typed::new(self, Json)
    }
}

/// What a socket, and one that is served, can do.
macro_rules! typed_socket {
    ($type:ty) => {
        impl<S, Out: ?Sized, In, C> Typed<$type, Out, In, C>
        where
            S: AsyncRead + AsyncWrite + Unpin,
            C: Codec<Out, In>,
        {
            /// Queues a value and writes everything that is queued, as [`WebSocket::send`] does with a message.
            ///
            /// # Errors
            /// As there; and [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid) if the codec makes no message of it.
            ///
            /// # Cancel safety
            /// A dropped call has queued the whole value in order, or nothing. What is queued leaves with the next call of
            /// any method that writes.
            pub fn send<'s>(
                &'s mut self,
                value: &Out,
            ) -> impl Future<Output = Result<(), SendError>> + use<'s, S, Out, In, C> {
                let message = self.encode(value);
                let socket = &mut self.inner;
                async move { socket.send(message?).await }
            }

            /// Queues a value without writing it, as [`WebSocket::feed`] does with a message.
            ///
            /// # Errors
            /// As there; and [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid) if the codec makes no message of it.
            ///
            /// # Cancel safety
            /// A dropped call has queued the whole value or nothing.
            pub fn feed<'s>(
                &'s mut self,
                value: &Out,
            ) -> impl Future<Output = Result<(), SendError>> + use<'s, S, Out, In, C> {
                let message = self.encode(value);
                let socket = &mut self.inner;
                async move { socket.feed(message?).await }
            }

            /// Writes everything that is queued, as [`WebSocket::flush`] does.
            ///
            /// # Errors
            /// As there.
            ///
            /// # Cancel safety
            /// A dropped call leaves the rest queued, in order.
            pub fn flush(&mut self) -> impl Future<Output = Result<(), SendError>> {
                self.inner.flush()
            }

            /// Closes and waits until the connection has ended, as [`WebSocket::close`] does.
            ///
            /// # Cancel safety
            /// The close frame is queued at the first poll. A dropped call can be made again.
            pub fn close(&mut self) -> impl Future<Output = CloseInfo> {
                self.inner.close()
            }

            /// Waits for the next value; `None` after a normal close.
            ///
            /// # Errors
            /// [`RecvError::Message`] for a message that is not what was expected; the next call gives what is behind it.
            /// [`RecvError::Ended`] once, if the connection ended otherwise than normally; then `None`.
            ///
            /// # Cancel safety
            /// A dropped call loses nothing: the next one goes on where it stood.
            pub async fn recv(&mut self) -> Result<Option<In>, RecvError> {
                let next = self.inner.recv().await;
                self.decode_next(next)
            }
        }
    };
}

typed_socket!(WebSocket<S>);
#[cfg(feature = "server")]
typed_socket!(ServerConnection<S>);
