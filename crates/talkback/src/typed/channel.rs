//! Values through a channel and its halves.

use std::future::Future;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use crate::channel::WebSocketChannel;
use crate::channel::receiver::Receiver;
use crate::channel::sender::Sender;
use crate::channel::waiting::{Closing, Receipt};
use crate::error::Error;
use crate::error::recv::RecvError;
use crate::error::send::SendError;
use crate::error::try_send::TrySendError;
use crate::reconnect::event::ChannelEvent;
use crate::typed::Typed;
use crate::typed::codec::Codec;
use crate::typed::json::Json;

impl WebSocketChannel {
    /// The same channel, through which values go as JSON: it sends `Out` and receives `In`. See [`Typed`].
    ///
    /// A channel that [reconnects](crate::Connect::reconnect) goes on doing so. Snapshots show messages;
    /// [`Json`] makes values of them, too.
    pub fn json<Out: Serialize + ?Sized, In: DeserializeOwned>(self) -> Typed<Self, Out, In> {
        Typed::new(self, Json)
    }
}

/// What a channel and a `Sender` can do.
macro_rules! sending {
    ($type:ty) => {
        impl<Out: ?Sized, In, C: Codec<Out, In>> Typed<$type, Out, In, C> {
            /// Sends a value, as [`WebSocketChannel::send`] sends a message.
            ///
            /// # Errors
            /// As there; and [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid) if the codec makes no message of it.
            ///
            /// # Cancel safety
            /// A dropped call has queued the whole value or nothing.
            pub fn send<'s>(
                &'s self,
                value: &Out,
            ) -> impl Future<Output = Result<(), SendError>> + use<'s, Out, In, C> {
                let (channel, message) = (&self.inner, self.encode(value));
                async move { channel.send(message?).await }
            }

            /// Queues a value, at once or not at all, as [`WebSocketChannel::try_send`] does.
            ///
            /// # Errors
            /// As there; and [`TrySendErrorKind::Invalid`](crate::TrySendErrorKind::Invalid) if the codec makes no message of it.
            pub fn try_send(&self, value: &Out) -> Result<(), TrySendError> {
                self.inner
                    .try_send(self.encode(value).map_err(TrySendError::invalid)?)
            }

            /// Queues a value, and returns what tells what becomes of it, as [`WebSocketChannel::send_tracked`] does.
            ///
            /// # Errors
            /// As [`try_send`](Self::try_send).
            pub fn send_tracked(&self, value: &Out) -> Result<Receipt, TrySendError> {
                self.inner
                    .send_tracked(self.encode(value).map_err(TrySendError::invalid)?)
            }

            /// Sends a value as [`send`](Self::send) does, and blocks this thread while the queue is full.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            ///
            /// # Panics
            /// On a thread that runs tasks of tokio; see [Runtimes](WebSocketChannel#runtimes).
            #[cfg(not(browser))]
            #[track_caller]
            pub fn blocking_send(&self, value: &Out) -> Result<(), SendError> {
                self.inner.blocking_send(self.encode(value)?)
            }

            /// Waits until everything that was queued before the call is written, as [`WebSocketChannel::flush`] does.
            ///
            /// # Errors
            /// As there.
            ///
            /// # Cancel safety
            /// A dropped call loses nothing.
            pub fn flush(&self) -> impl Future<Output = Result<(), SendError>> {
                self.inner.flush()
            }

            /// Begins to close, as [`WebSocketChannel::close`] does, also where `SinkExt` is in scope, whose `close` does
            /// nothing until it is awaited.
            ///
            /// # Errors
            /// Those of [`Closing`], when it is awaited.
            pub fn close(&self) -> Closing {
                self.inner.close()
            }
        }
    };
}

/// What a channel and a `Receiver` can do.
macro_rules! receiving {
    ($type:ty) => {
        impl<Out: ?Sized, In, C: Codec<Out, In>> Typed<$type, Out, In, C> {
            /// Waits for the next value; `None` after a normal close.
            ///
            /// # Errors
            /// [`RecvError::Message`] for a message that is not what was expected; the next call gives what is behind it.
            /// [`RecvError::Ended`] once, if the channel ended otherwise than normally; then `None`.
            ///
            /// # Cancel safety
            /// A dropped call loses nothing.
            pub async fn recv(&mut self) -> Result<Option<In>, RecvError> {
                let next = self.inner.recv().await;
                self.decode_next(next)
            }

            /// Waits for the next value, or for what became of the connection before it, as
            /// [`WebSocketChannel::recv_event`] does.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// A dropped call loses nothing.
            pub async fn recv_event(&mut self) -> Result<Option<ChannelEvent<In>>, RecvError> {
                let next = self.inner.recv_event().await;
                self.decode_event(next)
            }

            /// The next value, if one has come, as by [`WebSocketChannel::try_recv`].
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            pub fn try_recv(&mut self) -> Result<Option<In>, RecvError> {
                let next = self.inner.try_recv();
                self.decode_next(next)
            }

            /// The next value, or what became of the connection before it, if there is one by now, as by
            /// [`WebSocketChannel::try_recv_event`].
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            pub fn try_recv_event(&mut self) -> Result<Option<ChannelEvent<In>>, RecvError> {
                let next = self.inner.try_recv_event();
                self.decode_event(next)
            }

            /// Blocks this thread until the next value, as [`recv`](Self::recv) waits for it.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Panics
            /// On a thread that runs tasks of tokio; see [Runtimes](WebSocketChannel#runtimes).
            #[cfg(not(browser))]
            #[track_caller]
            pub fn blocking_recv(&mut self) -> Result<Option<In>, RecvError> {
                let next = self.inner.blocking_recv();
                self.decode_next(next)
            }
        }
    };
}

sending!(WebSocketChannel);
receiving!(WebSocketChannel);
sending!(Sender);
receiving!(Receiver);

impl<T, Out: ?Sized, In, C: Codec<Out, In>> Typed<T, Out, In, C> {
    fn decode_event(
        &self,
        next: Result<Option<ChannelEvent>, Error>,
    ) -> Result<Option<ChannelEvent<In>>, RecvError> {
        let Some(event) = next? else {
            return Ok(None);
        };
        Ok(Some(match event {
            ChannelEvent::Opened(opened) => ChannelEvent::Opened(opened),
            ChannelEvent::Message(message) => ChannelEvent::Message(self.decode(message)?),
            ChannelEvent::Lost(lost) => ChannelEvent::Lost(lost),
        }))
    }
}

impl<Out: ?Sized, In, C: Codec<Out, In> + Clone> Typed<WebSocketChannel, Out, In, C> {
    /// A handle that sends values and closes from another task or thread.
    pub fn sender(&self) -> Typed<Sender, Out, In, C> {
        Typed::new(self.inner.sender(), self.codec.clone())
    }

    /// The halves, for different tasks, as of [`WebSocketChannel::split`].
    #[expect(clippy::type_complexity, reason = "it is two types of one name")]
    pub fn split(self) -> (Typed<Sender, Out, In, C>, Typed<Receiver, Out, In, C>) {
        let (sender, receiver) = self.inner.split();
        let codec = self.codec.clone();
        (Typed::new(sender, codec), Typed::new(receiver, self.codec))
    }
}

/// As a `Sender` is cheap to clone.
impl<Out: ?Sized, In, C: Codec<Out, In> + Clone> Clone for Typed<Sender, Out, In, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.codec.clone())
    }
}
