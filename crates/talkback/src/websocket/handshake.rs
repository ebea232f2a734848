//! What a socket keeps of its opening handshake: who asked for what, and what was answered.

use std::mem;
use std::net::SocketAddr;
use std::sync::LazyLock;

use http::{Request, Response};

use crate::websocket::WebSocket;
use crate::websocket::opening::{Head, Opening, ReceivedRequest};

/// What sockets have that have no request or no response.
static NO_REQUEST: LazyLock<Request<()>> = LazyLock::new(Request::default);
static NO_RESPONSE: LazyLock<Response<()>> = LazyLock::new(Response::default);

impl<T> WebSocket<T> {
    /// Keeps a request as it came.
    pub(crate) fn with_request_head(mut self, head: Box<[u8]>) -> Self {
        self.opening_mut().head = Some(Head::Received(ReceivedRequest::new(head)));
        self
    }

    #[cfg(feature = "upgrade")]
    pub(crate) fn with_request(mut self, request: Request<()>) -> Self {
        self.opening_mut().head = Some(Head::Request(Box::new(request)));
        self
    }

    pub(crate) fn with_response(mut self, response: Response<()>) -> Self {
        self.opening_mut().head = Some(Head::Response(Box::new(response)));
        self
    }

    pub(crate) fn with_peer(mut self, peer: Option<SocketAddr>) -> Self {
        if peer.is_some() {
            self.opening_mut().peer = peer;
        }
        self
    }

    /// The client's request, after [`accept`](crate::accept()) and `upgrade`: its URI as it was sent,
    /// mostly path and query alone, its headers, and the extensions that an HTTP server gave it.
    ///
    /// A client's end has none, nor has one whose handshake somebody else has done, nor one after
    /// [`take_request`](Self::take_request) or [`forget_request`](Self::forget_request): there it is an
    /// empty request for `/`.
    ///
    /// ```
    /// # async fn example(stream: tokio::net::TcpStream) -> Result<(), talkback::AcceptError> {
    /// let socket = talkback::accept(stream).await?;
    /// let (path, headers) = (socket.request().uri().path(), socket.request().headers());
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self) -> &Request<()> {
        match self.head() {
            Some(Head::Received(received)) => received.request(),
            #[cfg(feature = "upgrade")]
            Some(Head::Request(request)) => request,
            _ => &NO_REQUEST,
        }
    }

    /// Takes the [`request`](Self::request) out, with its memory, which an idle connection can do without:
    /// after [`accept`](crate::accept()) the bytes that came, and some 1 KiB once `request` was called.
    pub fn take_request(&mut self) -> Request<()> {
        let request = match self.head_mut() {
            Some(Head::Received(received)) => received.take(),
            #[cfg(feature = "upgrade")]
            Some(Head::Request(request)) => mem::take(&mut **request),
            _ => return Request::default(),
        };
        self.forget_head();
        request
    }

    /// Gives back the memory of the [`request`](Self::request) without looking at it: for a server of many
    /// connections that needs it no more.
    pub fn forget_request(&mut self) {
        match self.head() {
            None | Some(Head::Response(_)) => {}
            Some(_) => self.forget_head(),
        }
    }

    /// The server's 101 with its headers, after [`connect`](crate::connect()).
    ///
    /// A server's end has none, nor has one whose handshake somebody else has done, nor one after
    /// [`take_response`](Self::take_response): there it is an empty response.
    pub fn response(&self) -> &Response<()> {
        match self.head() {
            Some(Head::Response(response)) => response,
            _ => &NO_RESPONSE,
        }
    }

    /// Takes the [`response`](Self::response) out, with its memory.
    pub fn take_response(&mut self) -> Response<()> {
        match self.head_mut() {
            Some(Head::Response(response)) => {
                let response = mem::take(&mut **response);
                self.forget_head();
                response
            }
            _ => Response::default(),
        }
    }

    /// The address of the other end, where it is known: after [`connect`](crate::connect()) that of
    /// the server or of a proxy before it, after `upgrade` that of a TCP connection, after
    /// [`accept`](crate::accept()) what [`Accept::peer`](crate::Accept::peer) was told.
    pub fn peer(&self) -> Option<SocketAddr> {
        #[cfg(feature = "server")]
        if let Some(node) = self.node() {
            return node.peer();
        }
        self.core.opening.as_ref()?.peer
    }

    pub(super) fn opening_mut(&mut self) -> &mut Opening {
        self.core.opening.get_or_insert_default()
    }

    pub(super) fn head(&self) -> Option<&Head> {
        self.core.opening.as_ref()?.head.as_ref()
    }

    pub(super) fn head_mut(&mut self) -> Option<&mut Head> {
        self.core.opening.as_mut()?.head.as_mut()
    }

    /// Forgets the peer's half, with its memory.
    pub(super) fn forget_head(&mut self) {
        self.forget(|opening| opening.head = None);
    }

    /// Forgets the address, which its place has.
    #[cfg(feature = "server")]
    pub(super) fn forget_peer(&mut self) {
        self.forget(|opening| opening.peer = None);
    }

    /// Forgets something of it, and gives back the memory if there is nothing else.
    fn forget(&mut self, forget: impl FnOnce(&mut Opening)) {
        let opening = self.core.opening.take();
        self.core.opening = opening.and_then(|mut opening| {
            forget(&mut opening);
            let Opening {
                subprotocol,
                head,
                peer,
            } = &*opening;
            let is_empty = subprotocol.is_none() && head.is_none() && peer.is_none();
            (!is_empty).then_some(opening)
        });
    }

    pub(super) fn has_subprotocol(&self) -> bool {
        let opening = self.core.opening.as_ref();
        opening.is_some_and(|opening| opening.subprotocol.is_some())
    }
}
