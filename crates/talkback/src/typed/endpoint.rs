//! What client and server agree on.

use std::fmt;
use std::marker::PhantomData;

use crate::typed::Typed;
use crate::typed::codec::Codec;
use crate::typed::json::Json;

/// A path, and what goes to the server and to the client there: defined once, and used by both ends.
///
/// Where it is not the same program, it lies in a crate that both depend on.
///
/// ```
/// use talkback::Endpoint;
///
/// /// An order goes to the server, its number comes back.
/// pub const ORDERS: Endpoint<String, u64> = Endpoint::new("/orders");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let server = format!("ws://{}", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     let (stream, _) = listener.accept().await.unwrap();
/// #     let socket = talkback::accept(stream).await.unwrap();
/// // The server:
/// assert_eq!(socket.request().uri().path(), ORDERS.path());
/// let mut orders = ORDERS.server(socket);
/// while let Some(order) = orders.recv().await.unwrap() {
///     orders.send(&(order.len() as u64)).await.unwrap();
/// }
/// # });
/// // The client:
/// let socket = talkback::connect(format!("{server}{}", ORDERS.path())).await?;
/// let mut orders = ORDERS.client(socket);
/// orders.send(&"ten apples".to_owned()).await?;
/// assert_eq!(orders.recv().await?, Some(10));
/// # Ok(())
/// # }
/// ```
pub struct Endpoint<ToServer, ToClient, C = Json> {
    path: &'static str,
    codec: C,
    types: PhantomData<fn(ToServer) -> ToClient>,
}

impl<ToServer, ToClient> Endpoint<ToServer, ToClient> {
    /// An endpoint whose messages are JSON.
    ///
    /// # Panics
    /// If the path does not begin with `/`; in a `const` the compiler says so.
    pub const fn new(path: &'static str) -> Self {
        Self::with_codec(path, Json)
    }
}

impl<ToServer, ToClient, C> Endpoint<ToServer, ToClient, C> {
    /// An endpoint with a codec of the program's own.
    ///
    /// # Panics
    /// As [`new`](Endpoint::new).
    pub const fn with_codec(path: &'static str, codec: C) -> Self {
        assert!(
            matches!(path.as_bytes(), [b'/', ..]),
            "the path of an endpoint begins with `/`"
        );
        Self {
            path,
            codec,
            types: PhantomData,
        }
    }

    /// The path, for the client's URL and the server's router.
    pub const fn path(&self) -> &'static str {
        self.path
    }
}

impl<ToServer, ToClient, C: Clone> Endpoint<ToServer, ToClient, C> {
    /// The client's end, over a channel, a half of one, or a socket.
    pub fn client<T>(&self, inner: T) -> Typed<T, ToServer, ToClient, C>
    where
        C: Codec<ToServer, ToClient>,
    {
        Typed::new(inner, self.codec.clone())
    }

    /// The server's end, over a channel, a half of one, or a socket.
    pub fn server<T>(&self, inner: T) -> Typed<T, ToClient, ToServer, C>
    where
        C: Codec<ToClient, ToServer>,
    {
        Typed::new(inner, self.codec.clone())
    }
}

impl<ToServer, ToClient, C> fmt::Debug for Endpoint<ToServer, ToClient, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.path).finish()
    }
}
