//! What can be done with a channel, documented once for the whole and for its halves.
//!
//! Each macro stands in the `impl` of a type that has a `handle`.

/// What every handle can do.
macro_rules! common_methods {
    () => {
        /// Waits until the channel is open.
        ///
        /// Any number of callers, before and after, get the same outcome. A channel that
        /// [reconnects](crate::Connect::reconnect) is waited for as long as it tries; [`link`](Self::link) says why
        /// it is not open meanwhile.
        ///
        /// # Errors
        /// Why the connection could not be made: [`Error::Connect`](crate::Error::Connect), or
        /// [`Error::Closed`](crate::Error::Closed) if it was closed before it was open.
        pub fn ready(&self) -> crate::channel::waiting::Ready {
            self.handle().ready()
        }

        /// Begins to close with an empty close frame, behind what is queued.
        ///
        /// Awaiting the end is optional, and says whether all that was queued was written. It comes
        /// once close frames went both ways, and within the close timeout, whatever the peer does; TCP is
        /// ended in the background. Calling it again changes nothing.
        ///
        /// What is in the queue of received messages by now is still given out, and then the end. What
        /// comes from now on is discarded, answers that are under way too: receive those first, then close.
        ///
        /// # Errors
        /// Those of [`Closing`](crate::Closing), when it is awaited.
        pub fn close(&self) -> crate::channel::waiting::Closing {
            self.handle().close()
        }

        /// Begins to close with a code and a reason of at most 123 bytes of UTF-8 (RFC 6455 §5.5.1);
        /// else as [`close`](Self::close).
        ///
        /// # Errors
        /// At once, and nothing is closed: a code or a reason that may not be sent, as
        /// [`CloseFrame::new`](crate::CloseFrame::new) says, or one that a browser does not let a page
        /// send ([`CloseFrameError::CodeInBrowser`](crate::CloseFrameError::CodeInBrowser)).
        pub fn close_with(
            &self,
            code: impl Into<talkback_proto::CloseCode>,
            reason: &str,
        ) -> Result<crate::channel::waiting::Closing, talkback_proto::CloseFrameError> {
            self.handle().close_with(code.into(), reason)
        }

        /// Waits until the channel has ended, by whoever's doing: until it is certain how, not until TCP
        /// has ended as well.
        ///
        /// Whoever waits for this alone reads no messages: when the queue of received ones is full, a
        /// peer's close frame can be hidden behind others until the peer ends TCP, as
        /// [`WebSocketChannel`](crate::WebSocketChannel) says under "Unread messages".
        #[must_use = "it waits only when it is awaited"]
        pub fn closed(&self) -> crate::channel::waiting::Closing {
            self.handle().closed()
        }

        /// The subprotocol that both ends agreed on, once the channel is open (RFC 6455 §1.9).
        #[doc(alias = "protocol")]
        pub fn subprotocol(&self) -> Option<String> {
            self.handle().subprotocol()
        }

        /// The server's 101 with its headers, once the channel is open. `None` before, for a server's
        /// end, and in a browser, which does not show it.
        pub fn response(&self) -> Option<http::Response<()>> {
            self.handle().response()
        }

        /// How far the channel has come, as far as messages that are
        /// [unread](crate::WebSocketChannel) do not hide it.
        pub fn state(&self) -> crate::channel::lifecycle::ChannelState {
            self.handle().state()
        }

        /// The connection, to be shown to a person: how far it has come, which one it is, and, on a channel that
        /// [reconnects](crate::Connect::reconnect), why it was lost and how long until the next try.
        pub fn link(&self) -> crate::reconnect::link::Link {
            self.handle().link()
        }

        /// Has a channel that [reconnects](crate::Connect::reconnect) try at once, as when a person asks for it.
        ///
        /// An open connection is exchanged: what it holds is written, it is closed without a code, and another is
        /// made. While one is being made this does nothing, and two tries that are asked for so begin a second apart at least. After
        /// [`pause`](Self::pause) it is [`resume`](Self::resume).
        ///
        /// Returns `false` where it can do nothing: the channel does not reconnect, closes, or has ended.
        pub fn reconnect_now(&self) -> bool {
            self.handle().wish(crate::channel::link::Wish::Now)
        }

        /// Closes the connection of a channel that [reconnects](crate::Connect::reconnect), without a code, and
        /// makes no other until [`resume`](Self::resume). What is sent meanwhile is queued. Calling it again changes
        /// nothing.
        ///
        /// Returns `false` as [`reconnect_now`](Self::reconnect_now) does.
        pub fn pause(&self) -> bool {
            self.handle().wish(crate::channel::link::Wish::Pause)
        }

        /// Ends a [`pause`](Self::pause): it tries at once.
        ///
        /// Returns `false` as [`reconnect_now`](Self::reconnect_now) does.
        pub fn resume(&self) -> bool {
            self.handle().wish(crate::channel::link::Wish::Resume)
        }

        /// How the channel ended, once it has; after a local close too.
        pub fn close_info(&self) -> Option<talkback_proto::CloseInfo> {
            self.handle().close_info()
        }

        /// How many bytes wait to be written.
        pub fn buffered_amount(&self) -> usize {
            self.handle().buffered_amount()
        }

        /// How long the last ping of the keepalive took to be answered, if one was.
        pub fn latency(&self) -> Option<std::time::Duration> {
            self.handle().latency()
        }
    };
}

/// What the whole and a `Sender` can do.
macro_rules! sending_methods {
    () => {
        /// Queues a message, at once or not at all.
        ///
        /// # Errors
        /// A full queue, or a channel that is closing or closed; either hands the message back. More
        /// [unread messages](crate::WebSocketChannel) than are read ahead can hide that the peer closes.
        pub fn try_send<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
        ) -> Result<(), crate::error::try_send::TrySendError> {
            let compression = talkback_proto::Compression::Auto;
            let message = crate::channel::to_send::ToSend::new(message.into(), compression);
            self.handle().try_send(message)
        }

        /// Queues a message as [`try_send`](Self::try_send) does, and returns what tells what becomes of it:
        /// whether it was written, on which connection, or why it was not.
        ///
        /// # Errors
        /// As [`try_send`](Self::try_send).
        pub fn send_tracked<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
        ) -> Result<crate::channel::waiting::Receipt, crate::error::try_send::TrySendError> {
            let compression = talkback_proto::Compression::Auto;
            let message = crate::channel::to_send::ToSend::new(message.into(), compression);
            self.handle().send_tracked(message)
        }

        /// Queues a message, and waits while the queue is full.
        ///
        /// What is queued leaves by itself, as many messages as possible in one write; to know that it
        /// has left is [`flush`](Self::flush).
        ///
        /// # Errors
        /// A channel that is closing or closed; it hands the message back. More
        /// [unread messages](crate::WebSocketChannel) than are read ahead can hide that the peer closes.
        ///
        /// # Cancel safety
        /// A dropped call has queued the whole message or nothing.
        pub fn send<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
        ) -> impl Future<Output = Result<(), crate::error::send::SendError>> {
            let compression = talkback_proto::Compression::Auto;
            let message = crate::channel::to_send::ToSend::new(message.into(), compression);
            self.handle().send(message)
        }

        /// Queues a message as [`send`](Self::send) does, and says whether it may be compressed; see
        /// [`Compression::Skip`](crate::Compression::Skip).
        ///
        /// # Errors
        /// As [`send`](Self::send). In a browser, which decides by itself, `Skip` is
        /// [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid).
        ///
        /// # Cancel safety
        /// As [`send`](Self::send).
        pub async fn send_with<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
            compression: talkback_proto::Compression,
        ) -> Result<(), crate::error::send::SendError> {
            let message = crate::channel::to_send::ToSend::new(message.into(), compression);
            self.handle().send(message).await
        }

        /// As [`send`](Self::send): the name under which a `WebSocket` queues without writing. A
        /// channel always queues.
        ///
        /// # Errors
        /// As [`send`](Self::send).
        ///
        /// # Cancel safety
        /// As [`send`](Self::send).
        pub fn feed<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
        ) -> impl Future<Output = Result<(), crate::error::send::SendError>> {
            let compression = talkback_proto::Compression::Auto;
            let message = crate::channel::to_send::ToSend::new(message.into(), compression);
            self.handle().send(message)
        }

        /// As [`send_with`](Self::send_with).
        ///
        /// # Errors
        /// As [`send_with`](Self::send_with).
        ///
        /// # Cancel safety
        /// As [`send`](Self::send).
        pub async fn feed_with<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
            compression: talkback_proto::Compression,
        ) -> Result<(), crate::error::send::SendError> {
            self.send_with(message, compression).await
        }

        /// Queues a message as [`send`](Self::send) does, and blocks this thread while the queue is
        /// full: for programs without a runtime. In an `async fn` that is `send`.
        ///
        /// # Errors
        /// As [`send`](Self::send).
        ///
        /// # Panics
        /// On a thread that runs tasks of tokio; see [Runtimes](crate::WebSocketChannel#runtimes).
        #[cfg(not(browser))]
        #[track_caller]
        pub fn blocking_send<'a>(
            &self,
            message: impl Into<talkback_proto::Outgoing<'a>>,
        ) -> Result<(), crate::error::send::SendError> {
            crate::channel::blocking::end_if_inherited(self.handle());
            crate::channel::blocking::wait(self.handle(), self.send(message))
        }

        /// Sends a ping with a payload of at most 125 bytes, before what is queued, and waits for its
        /// pong (RFC 6455 §5.5.2): how long that took.
        ///
        /// The pong of a later ping answers it as well (§5.5.3). Pongs are told apart by their payloads:
        /// callers that wait at the same time had better each take their own. An empty one is what every
        /// peer gives back: uWSGI answers with nothing else, and libwebsockets cuts a long one into pieces of
        /// its receive buffer, so that they never answer, and the call waits for the end. A pong behind more
        /// [unread messages](crate::WebSocketChannel) than are read ahead is not heard.
        ///
        /// # Errors
        /// A channel that is closing or closed, or whose connection ended meanwhile. A payload that is too long, or a
        /// browser, where a page cannot ping: [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid).
        ///
        /// # Cancel safety
        /// A dropped call may have sent its ping; its pong answers nobody then.
        pub async fn ping(
            &self,
            payload: impl Into<bytes::Bytes>,
        ) -> Result<std::time::Duration, crate::error::send::SendError> {
            self.handle().ping(payload.into()).await
        }

        /// Waits until everything that was queued before the call is written: handed to the operating system, not read
        /// by the peer.
        ///
        /// # Errors
        /// A channel that ended before that. On one that [reconnects](crate::Connect::reconnect),
        /// [`SendErrorKind::InFlight`](crate::SendErrorKind::InFlight): a connection was lost with messages that were not
        /// written whole, since the handle was made. Each handle tells of each once, to all of its calls that wait then;
        /// [`send_tracked`](Self::send_tracked) tells of one message.
        ///
        /// # Cancel safety
        /// A dropped call loses nothing.
        pub async fn flush(&self) -> Result<(), crate::error::send::SendError> {
            self.handle().flush().await
        }
    };
}

/// What the whole and a `Receiver` can do.
macro_rules! receiving_methods {
    () => {
        /// Waits for the next message; `None` after a normal close.
        ///
        /// # Errors
        /// The one error of a channel that ended otherwise, once; then `None`.
        ///
        /// # Cancel safety
        /// A dropped call loses nothing.
        pub fn recv(
            &mut self,
        ) -> impl Future<Output = Result<Option<talkback_proto::Message>, crate::error::Error>> {
            crate::channel::recv::Recv::<talkback_proto::Message>::new(self.handle())
        }

        /// Waits for the next message as [`recv`](Self::recv) does, or for what became of the connection before it:
        /// on a channel that [reconnects](crate::Connect::reconnect), where one was lost, and another opened.
        ///
        /// `recv` passes over these marks. Between two messages there is one pair of them at most, the newest.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        ///
        /// # Cancel safety
        /// A dropped call loses nothing.
        pub fn recv_event(
            &mut self,
        ) -> impl Future<
            Output = Result<Option<crate::reconnect::event::ChannelEvent>, crate::error::Error>,
        > {
            crate::channel::recv::Recv::<crate::reconnect::event::ChannelEvent>::new(self.handle())
        }

        /// Polls for what [`recv_event`](Self::recv_event) waits for, for a stream of one's own. Of the tasks that poll, the
        /// last one is woken.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        pub fn poll_recv_event(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<
            Result<Option<crate::reconnect::event::ChannelEvent>, crate::error::Error>,
        > {
            self.handle().poll_recv_event(cx)
        }

        /// The number of the connection on which the message came that was given out last: 1 for the first, and for
        /// good on a channel that does not [reconnect](crate::Connect::reconnect); 0 before.
        pub fn connection(&self) -> u64 {
            self.handle().connection()
        }

        /// The next message, if one has come. `None` says that none has yet, or that the channel has
        /// ended: [`close_info`](Self::close_info) tells which.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        pub fn try_recv(&mut self) -> Result<Option<talkback_proto::Message>, crate::error::Error> {
            self.handle().try_recv()
        }

        /// The next message, or what became of the connection before it, as [`recv_event`](Self::recv_event) gives it,
        /// if there is one by now; `None` as by [`try_recv`](Self::try_recv).
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        pub fn try_recv_event(
            &mut self,
        ) -> Result<Option<crate::reconnect::event::ChannelEvent>, crate::error::Error> {
            self.handle().try_recv_event()
        }

        /// Blocks this thread until the next message, as [`recv`](Self::recv) waits for it: for
        /// programs without a runtime. In an `async fn` that is `recv`.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        ///
        /// # Panics
        /// On a thread that runs tasks of tokio; see [Runtimes](crate::WebSocketChannel#runtimes).
        #[cfg(not(browser))]
        #[track_caller]
        pub fn blocking_recv(
            &mut self,
        ) -> Result<Option<talkback_proto::Message>, crate::error::Error> {
            let shared = crate::channel::sync::Arc::clone(self.handle());
            crate::channel::blocking::wait(&shared, self.recv())
        }
    };
}

pub(crate) use {common_methods, receiving_methods, sending_methods};
