//! native: a [`WebSocket`] behind a channel.

use std::future::Future;
use std::time::Duration;

use talkback_proto::Keepalive;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::WebSocketChannel;
use crate::channel::queue::QueueLimits;
use crate::channel::state::Shared;
use crate::driver::attendant::Attendant;
use crate::driver::port::Port;
use crate::driver::pump::{self, Pump};
use crate::error::Error;
use crate::runtime::Runtime;
#[cfg(feature = "server")]
use crate::server::connection::ServerConnection;
use crate::socket::Socket;
use crate::websocket::WebSocket;

/// Starts the task that opens a connection for a channel and pumps it.
#[track_caller]
pub(crate) fn spawn<T, F>(opening: F, port: Port, close_timeout: Duration)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<WebSocket<T>, Error>> + Send + 'static,
{
    start(Runtime::with_io(), port, |port| {
        pump::drive(opening, port, close_timeout, Attendant::new)
    });
}

/// Starts the loop of a channel that reconnects.
#[track_caller]
pub(crate) fn start_with_io<F>(port: Port, driver: impl FnOnce(Port) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    start(Runtime::with_io(), port, driver);
}

/// Starts a driver, or tells the channel why there is none.
fn start<F>(runtime: Result<Runtime, String>, port: Port, driver: impl FnOnce(Port) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    match runtime {
        Ok(runtime) => {
            port.driven_by(&runtime);
            runtime.spawn(driver(port));
        }
        Err(why) => port.undriven(why),
    }
}

/// A channel over a socket that is open, such as one that a server accepted. Its driver runs as that
/// of a channel that connects, and has the same keepalive, [`Keepalive::default`], unless another or
/// [`Keepalive::OFF`] was set: by [`Accept::keepalive`](crate::Accept::keepalive), say, or
/// [`WebSocket::set_keepalive`]. An abnormal end that the socket has reported is not reported again.
impl<T> From<WebSocket<T>> for WebSocketChannel
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    #[track_caller]
    fn from(socket: WebSocket<T>) -> Self {
        Self::with_queues(socket, QueueLimits::default(), QueueLimits::default())
    }
}

/// A channel over a connection that has a place, which it keeps until the connection has ended and the channel's last
/// handle is gone; else as over a [`WebSocket`].
#[cfg(feature = "server")]
impl<T> From<ServerConnection<T>> for WebSocketChannel
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    #[track_caller]
    fn from(connection: ServerConnection<T>) -> Self {
        Self::from(connection.into_socket())
    }
}

impl WebSocketChannel {
    /// A channel over a socket that is open, as `WebSocketChannel::from(socket)`, with bounds for its
    /// queue of messages to be sent and for that of received ones.
    ///
    /// # Panics
    /// In a tokio runtime without time.
    #[track_caller]
    pub fn with_queues<T>(mut socket: WebSocket<T>, send: QueueLimits, recv: QueueLimits) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        socket.set_default_keepalive(Keepalive::default());
        #[cfg(feature = "server")]
        socket.set_pumped();
        let shared = Shared::new(send, recv);
        let channel = Self::new(&shared);
        let port = Port::new(shared);
        socket.forget_timer();
        let response = Socket::take_response(&mut socket);
        port.opened(Socket::subprotocol(&socket), response);
        match socket.reported_end() {
            // Nothing is left to be driven.
            Some(info) => port.ended_before(info.clone()),
            None => start(Runtime::current(), port, |port| {
                Attendant::new(Pump::new(socket, port))
            }),
        }
        channel
    }
}
