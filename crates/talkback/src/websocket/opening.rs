//! What a socket keeps of its opening handshake.

use std::net::SocketAddr;
use std::sync::OnceLock;

use http::{Request, Response};
use talkback_proto::handshake::{HeadError, HeadLimits, HeadReader};

/// What a socket keeps of its opening handshake.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) head: Option<Head>,
    pub(super) peer: Option<SocketAddr>,
}

/// The peer's half of it.
pub(super) enum Head {
    /// What a server was asked, as it came.
    Received(ReceivedRequest),
    /// What a server was asked, where an HTTP server has read it.
    #[cfg(feature = "upgrade")]
    Request(Box<Request<()>>),
    /// What a client was answered.
    Response(Box<Response<()>>),
}

/// A request that is parsed when the program first looks at it: its bytes take some 200, and what they
/// are parsed to a KiB.
pub(super) struct ReceivedRequest {
    head: Box<[u8]>,
    parsed: OnceLock<Box<Request<()>>>,
}

impl ReceivedRequest {
    /// Takes a head that was found to be a request.
    pub(super) fn new(head: Box<[u8]>) -> Self {
        Self {
            head,
            parsed: OnceLock::new(),
        }
    }

    pub(super) fn request(&self) -> &Request<()> {
        self.parsed.get_or_init(|| Box::new(self.parse()))
    }

    pub(super) fn take(&mut self) -> Request<()> {
        let parsed = self.parsed.take();
        parsed.map_or_else(|| self.parse(), |request| *request)
    }

    fn parse(&self) -> Request<()> {
        parse(&self.head).expect("it was parsed when it came, within narrower limits")
    }
}

fn parse(head: &[u8]) -> Result<Request<()>, HeadError> {
    let limits = HeadLimits::default();
    let mut reader = HeadReader::new(limits.size_max(usize::MAX).headers_max(usize::MAX));
    reader.handle(head)?;
    reader.request()
}
