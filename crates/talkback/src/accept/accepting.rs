//! The future of a connection that is being accepted.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response};
use talkback_proto::Role;
use talkback_proto::handshake::{
    HeadLimits, HeadReader, Refusal, ServerHandshake, encode_refusal, encode_response,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::answer::{Agreed, answer};
use crate::accept::approval::Approval;
use crate::accept::host::check_host;
use crate::accept::options::{Approving, Options};
use crate::error::AcceptError;
use crate::http_io::{LastWrite, ReadHeadError, poll_read_head, poll_write_all};
#[cfg(feature = "server")]
use crate::server::health::Next;
#[cfg(feature = "server")]
use crate::server::place::Place;
use crate::timer::{Timer, poll_timer, timer};
use crate::websocket::WebSocket;

/// How long a client that was refused may take to read why.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The future of a [`WebSocket`] that [`accept`](crate::accept()) gives when it is awaited.
///
/// ```text
/// Reading ──► Checking ──► Answering ──► open
///    └────────────┴──► Ending ──► refused, or answered as ordinary HTTP
/// ```
///
/// It is `Send` where the transport is, and needs nothing else of it.
///
/// # Errors
/// [`AcceptError`]: refused, answered, lost, or out of time.
///
/// # Cancel safety
/// A dropped call of `await` on a reference loses nothing. Dropping the future itself closes the stream.
///
/// # Panics
/// Outside of a tokio runtime with time enabled; if it is polled again after its end.
#[must_use = "nothing is accepted until this is awaited"]
pub struct Accepting<T> {
    /// In a box: a task that awaits this has space for it as long as the connection is open. `None` after
    /// the end.
    opening: Option<Box<Opening<T>>>,
}

/// An opening handshake, from its options on.
pub(super) struct Opening<T> {
    stream: T,
    pub(super) options: Options,
    /// The timeout of the opening handshake, from the first poll on.
    timer: Option<Timer>,
    step: Step,
}

enum Step {
    /// The request's head is read, first from what was read already.
    Reading(HeadReader, BytesMut),
    /// The program looks at the request.
    Checking(Approving, Asked),
    /// The 101 is written.
    Answering(Answering),
    /// A server says how it is, and what follows is another request.
    #[cfg(feature = "server")]
    Telling(Telling),
    /// Somebody else reads the request, from its first byte on.
    #[cfg(feature = "server")]
    HandingOver(BytesMut),
    /// The last bytes are written.
    Ending(Box<Ending>),
    /// It is over.
    Over,
}

/// A request that was found right.
struct Asked {
    handshake: ServerHandshake,
    /// The request as it came.
    head: Box<[u8]>,
    /// What was read behind it.
    leftover: BytesMut,
}

pub(super) struct Answering {
    answer: Bytes,
    agreed: Agreed,
    head: Box<[u8]>,
    leftover: BytesMut,
}

#[cfg(feature = "server")]
struct Telling {
    answer: Bytes,
    leftover: BytesMut,
}

/// What came of an opening handshake.
pub(super) enum Done {
    /// The 101 is written.
    Open(Answering),
    /// The client was told how the server is; what was read behind its request.
    #[cfg(feature = "server")]
    Told(BytesMut),
    /// It is an ordinary request, and has a place; all that was read.
    #[cfg(feature = "server")]
    HandedOver(BytesMut),
}

struct Ending {
    write: LastWrite,
    error: AcceptError,
}

impl<T> Accepting<T> {
    pub(super) fn new(opening: Box<Opening<T>>) -> Self {
        Self {
            opening: Some(opening),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Accepting<T> {
    type Output = Result<WebSocket<T>, AcceptError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let accepting = self.get_mut();
        let opening = accepting.opening.as_mut().expect(OVER);
        let outcome = ready!(opening.poll_outcome(cx));
        let opening = accepting.opening.take().expect(OVER);
        Poll::Ready(outcome.map(|done| match done {
            Done::Open(answering) => opening.open(answering),
            #[cfg(feature = "server")]
            Done::Told(_) | Done::HandedOver(_) => {
                unreachable!("only a server of this crate is asked how it is, or hands over")
            }
        }))
    }
}

const OVER: &str = "an `Accepting` is not polled again after its end";

impl<T> Opening<T> {
    pub(super) fn new(stream: T, options: Options) -> Self {
        Self {
            stream,
            timer: None,
            step: Step::read(options.head_limits, BytesMut::new()),
            options,
        }
    }

    pub(super) fn set_head_limits(&mut self, limits: HeadLimits) {
        self.options.head_limits = limits;
        self.step = Step::read(limits, BytesMut::new());
    }
}

#[cfg(feature = "server")]
impl<T> Opening<T> {
    /// The same over another stream; and the one before.
    #[cfg(feature = "tls")]
    pub(super) fn with_stream<U>(self, stream: U) -> (T, Opening<U>) {
        let Self {
            stream: before,
            options,
            timer,
            step,
        } = self;
        let opening = Opening {
            stream,
            options,
            timer,
            step,
        };
        (before, opening)
    }

    /// Has it end at this time.
    pub(super) fn set_timer(&mut self, timer: Timer) {
        self.timer = Some(timer);
    }

    /// Gives away the stream and the place.
    pub(super) fn into_parts(self) -> (T, Option<Place>) {
        (self.stream, self.options.place)
    }

    /// Has it read another request, which begins with what was read already.
    pub(super) fn read_on(&mut self, unread: BytesMut) {
        self.step = Step::read(self.options.head_limits, unread);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Opening<T> {
    /// The socket, once the 101 is written.
    pub(super) fn open(self, answering: Answering) -> WebSocket<T> {
        let Self {
            stream, options, ..
        } = self;
        let socket = WebSocket::from_upgraded(stream, Role::Server)
            .with_leftover(answering.leftover)
            .with_limits(options.limits)
            .with_request_head(answering.head)
            .with_peer(options.peer);
        let mut socket = answering.agreed.apply(socket);
        if let Some(keepalive) = options.keepalive {
            socket.set_keepalive(keepalive);
        }
        #[cfg(feature = "server")]
        if let Some(place) = options.place {
            return place.give(socket);
        }
        socket
    }

    /// What came of it, once all that is to be written is.
    pub(super) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<Done, AcceptError>> {
        let opening = self.poll_opening(cx);
        if opening.is_pending() {
            let timeout = self.options.timeout;
            let timer = self.timer.get_or_insert_with(|| timer(timeout));
            ready!(poll_timer(timer, cx));
            #[cfg(feature = "server")]
            self.options.time_out();
            return Poll::Ready(Err(AcceptError::Timeout(timeout)));
        }
        ready!(opening)?;
        match mem::replace(&mut self.step, Step::Over) {
            Step::Answering(answering) => Poll::Ready(Ok(Done::Open(answering))),
            #[cfg(feature = "server")]
            Step::Telling(telling) => Poll::Ready(Ok(Done::Told(telling.leftover))),
            #[cfg(feature = "server")]
            Step::HandingOver(unread) => Poll::Ready(Ok(Done::HandedOver(unread))),
            Step::Ending(mut ending) => {
                // The client may be gone or slow; either way this is over.
                if ending.write.poll(&mut self.stream, cx).is_pending() {
                    self.step = Step::Ending(ending);
                    return Poll::Pending;
                }
                Poll::Ready(Err(ending.error))
            }
            _ => panic!("{OVER}"),
        }
    }

    /// The opening handshake, to which the timeout holds: up to a 101 that is written, or to something
    /// else to be written.
    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AcceptError>> {
        let (stream, options) = (&mut self.stream, &mut self.options);
        loop {
            self.step = match &mut self.step {
                Step::Reading(reader, unread) => {
                    let head = ready!(poll_read_head(stream, cx, reader, unread));
                    let step = options.handle_head(head, reader)?;
                    if step.is_refusal() {
                        options.fail();
                    }
                    step
                }
                Step::Checking(approving, asked) => {
                    let approval = ready!(approving.as_mut().poll(cx));
                    let answered = approval.and_then(|approval| asked.answer(options, approval));
                    answered.unwrap_or_else(|refusal| Step::refuse(&refusal))
                }
                Step::Answering(answering) => {
                    let written = ready!(poll_write_all(stream, cx, &mut answering.answer));
                    return Poll::Ready(written.map_err(lost));
                }
                #[cfg(feature = "server")]
                Step::Telling(telling) => {
                    let written = ready!(poll_write_all(stream, cx, &mut telling.answer));
                    return Poll::Ready(written.map_err(lost));
                }
                #[cfg(feature = "server")]
                Step::HandingOver(_) => return Poll::Ready(Ok(())),
                Step::Ending(_) | Step::Over => return Poll::Ready(Ok(())),
            };
        }
    }
}

impl Options {
    /// What a request's head leads to.
    fn handle_head(
        &mut self,
        head: Result<BytesMut, ReadHeadError>,
        reader: &HeadReader,
    ) -> Result<Step, AcceptError> {
        let mut leftover = match head {
            Ok(leftover) => leftover,
            Err(ReadHeadError::Io(error)) => return Err(lost(error)),
            Err(ReadHeadError::Head(error)) => return Ok(Step::refuse(&reader.refusal(error))),
        };
        let request = match reader.request() {
            Ok(request) => request,
            Err(error) => return Ok(Step::refuse(&reader.refusal(error))),
        };
        if !request.headers().contains_key(UPGRADE)
            // An opening handshake whose `Upgrade` a proxy took away is told so.
            && !request.headers().contains_key(SEC_WEBSOCKET_KEY)
            && let Some(step) = self.answer_ordinary(&request, reader, &mut leftover)
        {
            return Ok(step);
        }
        let step = self.handle_request(request, reader.head().into(), leftover);
        Ok(step.unwrap_or_else(|refusal| Step::refuse(&refusal)))
    }

    /// What an ordinary request is answered with, if this server knows.
    fn answer_ordinary(
        &mut self,
        request: &Request<()>,
        #[cfg_attr(not(feature = "server"), allow(unused))] reader: &HeadReader,
        #[cfg_attr(not(feature = "server"), allow(unused))] leftover: &mut BytesMut,
    ) -> Option<Step> {
        let refused = || {
            let refusal = check_host(request).err()?;
            Some(Step::refuse(&refusal.to(request.method())))
        };
        #[cfg(feature = "server")]
        if let Some(health) = &mut self.health
            && let Some((response, next)) = health.answer(request)
        {
            return Some(refused().unwrap_or_else(|| match next {
                Next::Request => Step::tell(response, mem::take(leftover)),
                Next::End => Step::ordinary(response, self.timeout),
            }));
        }
        #[cfg(feature = "server")]
        if self.hands_over {
            let mut admitted = || self.admit(request.headers()).err();
            let refused = refused().or_else(|| admitted().map(|it| Step::refuse(&it)));
            return Some(refused.unwrap_or_else(|| {
                let mut unread = BytesMut::from(reader.head());
                unread.unsplit(mem::take(leftover));
                Step::HandingOver(unread)
            }));
        }
        let otherwise = self.otherwise.take()?;
        Some(refused().unwrap_or_else(|| Step::ordinary(otherwise(request), self.timeout)))
    }

    fn handle_request(
        &mut self,
        request: Request<()>,
        head: Box<[u8]>,
        leftover: BytesMut,
    ) -> Result<Step, Refusal> {
        let handshake = ServerHandshake::read(&request)?;
        self.origin_policy.check(&handshake)?;
        #[cfg(feature = "server")]
        self.admit(request.headers())?;
        let mut asked = Asked {
            handshake,
            head,
            leftover,
        };
        match self.check.take() {
            Some(check) => {
                let approving = check(Arc::new(request));
                Ok(Step::Checking(approving, asked))
            }
            None => asked.answer(self, Approval::default()),
        }
    }
}

impl Asked {
    fn answer(&mut self, options: &Options, approval: Approval) -> Result<Step, Refusal> {
        let (subprotocols, compression) = (&options.subprotocols, options.compression);
        let (response, agreed) = answer(&self.handshake, subprotocols, compression, approval)?;
        Ok(Step::Answering(Answering {
            answer: encode_response(&response).into(),
            agreed,
            head: mem::take(&mut self.head),
            leftover: mem::take(&mut self.leftover),
        }))
    }
}

impl Step {
    /// Reads a request's head, which begins with what was read already.
    fn read(limits: HeadLimits, unread: BytesMut) -> Self {
        Self::Reading(HeadReader::new(limits), unread)
    }

    fn is_refusal(&self) -> bool {
        matches!(self, Self::Ending(ending) if matches!(ending.error, AcceptError::Refused(_)))
    }

    fn refuse(refusal: &Refusal) -> Self {
        let head = encode_refusal(refusal);
        Self::Ending(Box::new(Ending {
            write: LastWrite::new(head, Bytes::new(), REFUSAL_TIMEOUT),
            error: refusal.clone().into(),
        }))
    }

    /// The answer to an ordinary request; its content is not copied, as one may be sent to many at a time.
    fn ordinary(response: Response<Bytes>, part_timeout: Duration) -> Self {
        let (mut parts, body) = response.into_parts();
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
        if !parts.headers.contains_key(CONTENT_LENGTH) {
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let error = AcceptError::Answered(parts.status);
        let head = encode_response(&Response::from_parts(parts, ()));
        Self::Ending(Box::new(Ending {
            write: LastWrite::new(head, body, part_timeout),
            error,
        }))
    }

    /// An answer of known length, behind which another request may follow.
    #[cfg(feature = "server")]
    fn tell(response: Response<Bytes>, leftover: BytesMut) -> Self {
        let (parts, body) = response.into_parts();
        let mut answer = encode_response(&Response::from_parts(parts, ()));
        answer.extend_from_slice(&body);
        Self::Telling(Telling {
            answer: answer.into(),
            leftover,
        })
    }
}

fn lost(error: io::Error) -> AcceptError {
    AcceptError::Lost(Arc::new(error))
}

impl<T> fmt::Debug for Accepting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepting").finish_non_exhaustive()
    }
}
