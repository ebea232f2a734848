//! A client's try to connect, and what comes of it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use talkback_proto::handshake::{HeadLimits, HeadReader, OriginPolicy, encode_response};
use tokio::sync::oneshot;

use crate::accept::{Accept, accept};
use crate::connect::destination::Destination;
use crate::error::AcceptError;
use crate::http_io::{LastWrite, ReadHeadError, poll_read_head};
use crate::test_util::peer::Peer;
use crate::test_util::stream::ScriptedStream;

/// How long a client may take to read 64 KiB of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client's try to connect, of which it has heard nothing yet: see the [module](super).
///
/// While it is held, the client waits; dropped, it has refused the connection, as a port does where nobody listens.
#[must_use = "dropped, it refuses the connection"]
pub struct Try {
    destination: Destination,
    answer: oneshot::Sender<io::Result<ScriptedStream>>,
}

impl Try {
    pub(super) fn new(
        destination: Destination,
        answer: oneshot::Sender<io::Result<ScriptedStream>>,
    ) -> Self {
        Self {
            destination,
            answer,
        }
    }

    /// Where the client wants to connect to.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Waits until the client has given up: its time is over, or it was dropped. It goes on waiting otherwise.
    ///
    /// # Cancel safety
    /// A dropped call can be made again.
    pub async fn given_up(&mut self) {
        self.answer.closed().await;
    }

    /// Fails to connect: an [`io::ErrorKind`] as the operating system might have it, or an error.
    pub fn fail(self, error: impl Into<io::Error>) {
        // The client may have given up.
        let _ = self.answer.send(Err(error.into()));
    }

    /// Connects, and says nothing: the stream is the server's end, on which the client begins the opening
    /// handshake, if it has not given up. What the script writes to it are bytes and no frames;
    /// [`accept`](crate::accept()) goes on from there.
    pub fn connect(self) -> ScriptedStream {
        let (client, server) = ScriptedStream::pair();
        let _ = self.answer.send(Ok(client));
        server
    }

    /// Connects and accepts the WebSocket, without a subprotocol and without compression, whatever its origin.
    ///
    /// # Errors
    /// The client gave up, or its request is none.
    pub async fn accept(self) -> Result<Peer, AcceptError> {
        self.accept_with(|accept| accept).await
    }

    /// The same with options: `accept_with(|accept| accept.subprotocols(["chat"]))`.
    ///
    /// # Errors
    /// As [`accept`](Self::accept); or the options refuse the client.
    pub async fn accept_with(
        self,
        options: impl FnOnce(Accept<ScriptedStream>) -> Accept<ScriptedStream>,
    ) -> Result<Peer, AcceptError> {
        let accept = accept(self.connect())
            .origin_policy(OriginPolicy::Any)
            .compression(None);
        options(accept).await
    }

    /// Connects and answers the opening handshake with this status and nothing else, as
    /// [`answer`](Self::answer) does.
    ///
    /// # Errors
    /// As `answer`.
    pub async fn refuse(self, status: StatusCode) -> io::Result<Request<()>> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        self.answer(response).await
    }

    /// Connects, reads the request, answers it and ends the connection; gives back the request.
    ///
    /// What belongs to every answer is set: `Connection: close`, in place of the answer's own, and `Content-Length`
    /// unless the answer says how long it is.
    ///
    /// ```
    /// # use talkback::test_util::ScriptedServer;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use http::Response;
    ///
    /// let mut server = ScriptedServer::new();
    /// let connect = talkback::connect("ws://busy.example/feed").connector(server.connector());
    /// let connecting = tokio::spawn(async move { connect.await });
    ///
    /// let busy = Response::builder().status(503).header("Retry-After", "50").body("later")?;
    /// let request = server.next_try().await.answer(busy).await?;
    /// assert_eq!(request.uri(), "/feed");
    ///
    /// let error = connecting.await?.unwrap_err();
    /// assert_eq!(error.refused().unwrap().headers["retry-after"], "50");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The client gave up before its request was read, or that is none.
    pub async fn answer<B: Into<Bytes>>(self, response: Response<B>) -> io::Result<Request<()>> {
        let mut stream = self.connect();
        let mut reader = HeadReader::new(HeadLimits::default());
        let mut unread = BytesMut::new();
        let read = poll_fn(|cx| poll_read_head(&mut stream, cx, &mut reader, &mut unread)).await;
        let request = read.and_then(|_| Ok(reader.request()?));
        let request = request.map_err(|error| match error {
            ReadHeadError::Io(error) => error,
            ReadHeadError::Head(error) => io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        let (head, body) = encode(response);
        let mut write = LastWrite::new(head, body, ANSWER_TIMEOUT);
        // The client may have read enough.
        let _ = poll_fn(|cx| write.poll(&mut stream, cx)).await;
        Ok(request)
    }
}

/// The head of an answer, and its body.
fn encode<B: Into<Bytes>>(response: Response<B>) -> (Vec<u8>, Bytes) {
    let (mut parts, body) = response.into_parts();
    let body = body.into();
    let headers = &mut parts.headers;
    // What a 1xx is followed by is no body.
    if !parts.status.is_informational() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
    }
    (encode_response(&Response::from_parts(parts, ())), body)
}

impl fmt::Debug for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Try")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}
