//! The state machine of an open connection (RFC 6455 §5.5, §7).

mod assembly;
mod closing;
mod control;
mod ending;
mod fast_path;
mod fragmenting;
mod incomplete;
mod inflating;
pub(crate) mod keepalive;
mod parse_state;
pub(crate) mod read_buffer;
mod receiving;
mod sending;
mod unfinished;

#[cfg(test)]
mod test_frames;

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::close::CloseInfo;
use crate::connection::control::Pongs;
use crate::connection::ending::Ending;
use crate::connection::incomplete::Incomplete;
use crate::connection::keepalive::{Keepalive, Watch};
use crate::connection::unfinished::Unfinished;
use crate::deflate::Deflate;
use crate::deflate::parameters::DeflateParameters;
use crate::frame::{COPIED_SIZE_MAX, Header, Opcode};
use crate::limits::Limits;
use crate::output::{MaskingKeys, Output};
use crate::role::Role;

/// Where a connection stands.
///
/// ```text
///            close()                  close frame received
///   Open ───────────────▶ Closing ──────────────┐
///    │ ╲                     ▲ close()          │
///    │  ╲ half_close()       │                  │
///    │   ╰────────────▶ HalfClosed ─────────────┤
///    │ close frame received,                    ▼
///    │ or the peer broke a rule ─────────▶ Draining
///    │                                          │ server: written and shut down
///    │                                          │ client, or failed: end of stream, timeout
///    │ end of stream, transport error           ▼
///    └────────────────────────────────────▶  Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Messages pass in both directions.
    Open,
    /// Our close frame is out, the peer's is awaited; the messages that come before it are given out.
    HalfClosed,
    /// Our close frame is out, the peer's is awaited; what comes before it is discarded.
    Closing,
    /// Close frames went both ways, or the connection has failed: input is discarded, what waits
    /// to be written is written, the transport is ended.
    Draining,
    /// The transport is ended and the [`CloseInfo`] is known.
    Ended,
}

/// An open WebSocket connection without its transport.
///
/// The caller is the driver: it brings bytes and time, and takes bytes to a transport.
///
/// - Bytes that arrive go to [`receive`](Self::receive), the transport's end to
///   [`handle_end`](Self::handle_end).
/// - What [`output`](Self::output) holds is written before more is read.
/// - While [`wants_shutdown`](Self::wants_shutdown) holds and nothing is left to write, the
///   writing side is shut down, and [`handle_shutdown`](Self::handle_shutdown) told.
/// - While [`wants_read`](Self::wants_read) holds, the transport is read.
/// - At [`poll_timeout`](Self::poll_timeout), [`handle_timeout`](Self::handle_timeout) is called.
/// - Once [`close_info`](Self::close_info) is known, the transport is dropped. What it will say is known
///   before, by [`final_close_info`](Self::final_close_info).
///
/// What only some connections need, or only at their end, is boxed: there may be many idle ones.
pub struct Connection {
    role: Role,
    state: State,
    /// Whether the transport takes bytes, as far as is known.
    can_write: bool,
    /// Up to this size in bytes a message is one frame that is copied into the output.
    copied_size_max: u16,
    /// Whether permessage-deflate was negotiated: RSV1 means that a message is compressed.
    has_agreed_deflate: bool,
    /// The bounds, if they are not the default.
    limits: Option<Box<Limits>>,
    /// What has come and is not whole.
    incomplete: Option<Box<Incomplete>>,
    output: Output,
    keys: Option<Box<dyn MaskingKeys>>,
    /// What was negotiated and its contexts, as long as messages pass.
    deflate: Option<Box<Deflate>>,
    /// The message that is sent in fragments.
    unfinished: Option<Box<Unfinished>>,
    /// The answers to pings, once one came.
    pongs: Option<Box<Pongs>>,
    keepalive: Option<Box<Watch>>,
    /// How it ends, once it does.
    ending: Option<Box<Ending>>,
}

impl Connection {
    /// The client's end of a connection whose opening handshake is done.
    ///
    /// `keys` must be cryptographically strong: a proxy that can be made to mistake payload for
    /// HTTP is what masking is against (RFC 6455 §10.3).
    pub fn client(limits: Limits, keys: impl MaskingKeys + 'static) -> Self {
        Self::new(Role::Client, limits, Some(Box::new(keys)))
    }

    /// The server's end of a connection whose opening handshake is done.
    pub fn server(limits: Limits) -> Self {
        Self::new(Role::Server, limits, None)
    }

    fn new(role: Role, limits: Limits, keys: Option<Box<dyn MaskingKeys>>) -> Self {
        let mut connection = Self {
            role,
            state: State::Open,
            can_write: true,
            copied_size_max: 0,
            has_agreed_deflate: false,
            limits: None,
            incomplete: None,
            output: Output::default(),
            keys,
            deflate: None,
            unfinished: None,
            pongs: None,
            keepalive: None,
            ending: None,
        };
        connection.set_limits(limits);
        connection
    }

    /// Compresses messages as the opening handshake agreed on (RFC 7692).
    ///
    /// Without context takeover, the connection owns no memory for it between messages. With it,
    /// 48 KiB once a compressed message came, and 140 KiB to 490 KiB once one was sent.
    #[must_use]
    pub fn with_deflate(mut self, parameters: &DeflateParameters) -> Self {
        self.set_deflate(parameters);
        self
    }

    /// As [`with_deflate`](Self::with_deflate), for a connection that stays where it is.
    pub fn set_deflate(&mut self, parameters: &DeflateParameters) {
        self.has_agreed_deflate = true;
        self.deflate = Some(Box::new(Deflate::new(self.role, parameters)));
    }

    /// Sets the bounds, before anything has come or gone.
    pub fn set_limits(&mut self, limits: Limits) {
        self.copied_size_max = COPIED_SIZE_MAX.min(limits.frame_size_max) as u16;
        self.limits = (limits != Limits::DEFAULT).then(|| Box::new(limits));
    }

    /// Whether messages may be compressed; not once the connection has ended.
    pub fn has_deflate(&self) -> bool {
        self.deflate.is_some()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The bounds of this connection.
    #[inline]
    pub fn limits(&self) -> &Limits {
        limits_of(&self.limits)
    }

    /// Whether messages can be sent: no close frame has been sent or received yet, and the
    /// transport takes bytes.
    #[inline]
    pub fn is_open(&self) -> bool {
        (self.state == State::Open) & self.can_write
    }

    /// How the connection ended, once the transport can be dropped.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.ending.as_ref()?.info.as_ref()
    }

    /// The bytes to be written, in order; advance it by what was taken.
    #[inline]
    pub fn output(&mut self) -> &mut Output {
        if self.pongs.is_some() {
            self.push_pong();
        }
        &mut self.output
    }

    /// Some of the output was taken by the transport; to be told after each write.
    ///
    /// `now` is asked for the time only where somebody wants to know it.
    #[inline]
    pub fn handle_written(&mut self, now: impl FnOnce() -> Instant) {
        if self.keepalive.is_some() | (self.state == State::Draining) {
            self.note_written(now());
        }
    }

    #[inline(never)]
    fn note_written(&mut self, now: Instant) {
        let written = self.output.written();
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.note_written(written, now);
        }
        self.bound_linger(now);
    }

    /// The transport takes no more of the output for now; to be told when a write has to wait.
    ///
    /// What it takes next is a sign of life of the peer.
    pub fn handle_write_pending(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.note_full(now());
        }
    }

    /// How many bytes were ever queued to be written.
    pub fn bytes_queued(&self) -> u64 {
        self.output.end()
    }

    /// How many bytes were ever written.
    pub fn bytes_written(&self) -> u64 {
        self.output.written()
    }

    /// Whether bytes were queued that will never be written.
    pub fn is_output_lost(&self) -> bool {
        self.ending.as_ref().is_some_and(|e| e.is_output_lost)
    }

    /// How many bytes were queued, and dropped where no more could be written.
    pub fn output_lost(&self) -> usize {
        self.ending.as_ref().map_or(0, |e| e.output_lost)
    }

    /// How many bytes wait to be written.
    pub fn buffered(&self) -> usize {
        self.output.remaining()
    }

    /// Queues a control frame, which MUST NOT be fragmented (§5.5).
    fn push(&mut self, opcode: Opcode, payload: Bytes) {
        if self.can_write {
            self.push_copied(opcode, &payload);
        }
    }

    /// Queues a frame with a small payload.
    #[inline]
    fn push_copied(&mut self, opcode: Opcode, payload: &[u8]) {
        let key = self.keys.as_mut().map(|keys| keys.next_key());
        self.output.push_copied(Header::whole(opcode, key), payload);
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) is about to end the connection because the
    /// peer was silent.
    ///
    /// A driver that has not read meanwhile looks first whether something came, and then calls
    /// [`handle_unread`](Self::handle_unread).
    pub fn is_peer_given_up(&self, now: Instant) -> bool {
        let keepalive = self.keepalive.as_ref().filter(|_| self.is_open());
        keepalive.is_some_and(|keepalive| keepalive.is_dead(now))
    }

    /// Something came that is not handed in yet: the peer is not silent, and is asked anew after
    /// the next silence.
    pub fn handle_unread(&mut self, now: Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.ask_anew(now);
        }
    }

    /// Whether the peer has taken anything since the keepalive's last ping was queued.
    pub fn is_output_taken(&self) -> bool {
        self.keepalive.as_ref().is_some_and(|k| k.has_written())
    }

    /// Asks a silent peer for a sign of life, or, with [`Keepalive::OFF`], leaves it in peace, as is
    /// the default.
    pub fn set_keepalive(&mut self, keepalive: impl Into<Keepalive>, now: Instant) {
        let options = keepalive.into();
        if options.is_off() {
            self.keepalive = None;
            return;
        }
        let written = self.output.written();
        let watch = self.keepalive.get_or_insert_with(|| {
            let mut watch = Watch::new(now);
            watch.note_written(written, now);
            Box::new(watch)
        });
        watch.start(options, now);
    }

    /// Asks the peer for a sign of life now, and gives it up if nothing comes within that time, whatever the
    /// keepalive's own (and zero is that; where that is for ever, it is never given up): for who has a reason to
    /// doubt that it is there.
    ///
    /// Nothing happens without a keepalive, while it is suspended, or if the connection is not open.
    pub fn ask_peer(&mut self, within: Duration, now: Instant) {
        let keepalive = self.keepalive.as_mut().filter(|k| !k.is_paused());
        let payload = keepalive.map(|keepalive| keepalive.ask(Some(within), now));
        if let Some(payload) = payload.filter(|_| self.is_open()) {
            self.push_keepalive_ping(payload);
        }
    }

    fn push_keepalive_ping(&mut self, payload: Bytes) {
        self.push(Opcode::Ping, payload);
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.note_queued(self.output.end());
        }
    }

    /// What keepalive there is.
    pub fn keepalive(&self) -> Option<Keepalive> {
        self.keepalive.as_ref().map(|watch| watch.options())
    }

    /// Suspends the keepalive while nothing is read.
    pub fn pause_keepalive(&mut self) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.pause();
        }
    }

    /// Goes on with the keepalive as reading goes on; `now` is asked for the time only then.
    #[inline]
    pub fn resume_keepalive(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(keepalive) = self.keepalive.as_mut().filter(|k| k.is_paused()) {
            keepalive.hear(now());
        }
    }

    /// How long the keepalive's last ping took to be answered.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.as_ref()?.latency()
    }
}

/// The bounds, which most connections share.
#[inline]
fn limits_of(own: &Option<Box<Limits>>) -> &Limits {
    own.as_deref().unwrap_or(&Limits::DEFAULT)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("in_message", &self.is_in_message())
            .field("buffered", &self.buffered())
            .field("close_info", &self.close_info())
            .finish_non_exhaustive()
    }
}
