//! The options by which a program reaches a server in a way of its own.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connect::Connect;
use crate::connect::destination::Destination;

impl Connect {
    /// Connects over what this function gives, for each try anew: TCP with options of its own, a tunnel, a
    /// serial line, a pipe in a test. For one stream that is there already, use `over`.
    ///
    /// The function is told the [`Destination`] and gives a transport, over which TLS goes if the URL is a `wss://`,
    /// and then the opening handshake. Nothing is looked up then, no [`resolver`](Self::resolver) and no proxy of the
    /// environment is asked, no [`address`](Self::address) and no [`unix_socket`](Self::unix_socket) connected to, no
    /// [`local_address`](Self::local_address) taken, and nobody waited for [`in_turn`](Self::in_turn). TCP is used as it
    /// is given: with `set_nodelay(true)`, no message waits for the acknowledgement of the one before. For each of the [`redirects`](Self::redirects) it is asked again. The [`timeout`](Self::timeout) is over all of
    /// it; the function's part is `Stage::Tcp`. When time runs out, or the connect is dropped, so is its future.
    ///
    /// # Errors
    /// The function's error is that of the connect: [`ConnectError::Tcp`](crate::ConnectError::Tcp), with it as the
    /// source, and with advice by its kind. An explicit [`proxy`](Self::proxy) beside it is
    /// [`ConnectError::Option`](crate::ConnectError::Option).
    ///
    /// ```
    /// # #[cfg(not(target_family = "wasm"))]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// # tokio::spawn(async move {
    /// #     let (stream, _) = listener.accept().await.unwrap();
    /// #     talkback::accept(stream).await.unwrap().recv().await
    /// # });
    /// use tokio::net::TcpSocket;
    ///
    /// // A small receive buffer: a server that sends too fast soon waits.
    /// let connect = talkback::connect("ws://feed.example/").connector(move |destination| async move {
    ///     assert_eq!(destination.host(), "feed.example");
    ///     let socket = TcpSocket::new_v4()?;
    ///     socket.set_recv_buffer_size(4 * 1024)?;
    ///     socket.set_nodelay(true)?;
    ///     socket.connect(address).await
    /// });
    /// let socket = connect.await?;
    /// assert_eq!(socket.peer(), Some(address));
    /// # Ok(())
    /// # }
    /// ```
    pub fn connector<F, Fut, T>(mut self, connector: F) -> Self
    where
        F: Fn(Destination) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.dial.set_connector(connector);
        self
    }

    /// Looks up hosts by this function in place of the system's resolver: the server's, or a proxy's. Of a
    /// host it is told the name and the port that is meant; its addresses are connected to as they are, in the
    /// order of preference and [raced](https://www.rfc-editor.org/rfc/rfc8305).
    ///
    /// It is asked anew for each try. Of a channel that [reconnects](Self::reconnect), an address where the last tries
    /// have failed behind TCP, as by a 502, comes behind the others. A host that is an address already needs no lookup; nor does a server
    /// whose name a proxy looks up, which all but `socks5://` do.
    ///
    /// # Errors
    /// Its error, and that there is no address, is that of the connect:
    /// [`ConnectError::Resolve`](crate::ConnectError::Resolve), or
    /// [`ConnectError::Proxy`](crate::ConnectError::Proxy), with the error as its source.
    ///
    /// ```
    /// # #[cfg(not(target_family = "wasm"))]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// # tokio::spawn(async move {
    /// #     let (stream, _) = listener.accept().await.unwrap();
    /// #     talkback::accept(stream).await.unwrap().recv().await
    /// # });
    /// let connect = talkback::connect("ws://feed.example/").resolver(move |host, _port| async move {
    ///     assert_eq!(host, "feed.example");
    ///     Ok(vec![address])
    /// });
    /// let socket = connect.await?;
    /// assert_eq!(socket.peer(), Some(address));
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolver<F, Fut>(mut self, resolver: F) -> Self
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.dial.set_resolver(resolver);
        self
    }
}
