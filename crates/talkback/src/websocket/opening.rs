//! What a socket keeps of its opening handshake.

use std::net::SocketAddr;

use http::{Request, Response};

use crate::websocket::WebSocket;

/// What a socket keeps of its opening handshake.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) head: Option<Box<Head>>,
    pub(super) peer: Option<SocketAddr>,
}

/// The peer's half of it.
pub(super) enum Head {
    /// What a server was asked.
    Request(Request<()>),
    /// What a client was answered.
    Response(Response<()>),
}

impl<T> WebSocket<T> {
    pub(super) fn opening_mut(&mut self) -> &mut Opening {
        self.opening.get_or_insert_default()
    }

    pub(super) fn head(&self) -> Option<&Head> {
        self.opening.as_ref()?.head.as_deref()
    }

    pub(super) fn head_mut(&mut self) -> Option<&mut Head> {
        self.opening.as_mut()?.head.as_deref_mut()
    }

    /// Forgets the peer's half, with its memory.
    pub(super) fn forget_head(&mut self) {
        let opening = self.opening.take();
        self.opening = opening.and_then(|mut opening| {
            opening.head = None;
            let is_empty = opening.subprotocol.is_none() && opening.peer.is_none();
            (!is_empty).then_some(opening)
        });
    }

    pub(super) fn has_subprotocol(&self) -> bool {
        let opening = self.opening.as_ref();
        opening.is_some_and(|opening| opening.subprotocol.is_some())
    }
}
