//! How a channel stays connected: what the program wants, and how a try is made.

use std::sync::Arc;

use talkback_proto::CloseInfo;

use crate::connect::Connect;
#[cfg(not(browser))]
use crate::connect::failed_addresses::FailedAddresses;
use crate::driver::heart::{BoxHeart, MakeHeart};
use crate::driver::pump::Known;
use crate::error::connect::ConnectError;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::connected::{Connected, Place};
use crate::reconnect::draw::Draw;
use crate::reconnect::heartbeat::Heartbeat;
use crate::reconnect::hooks::{BoxFuture, Hooks, Tried};
use crate::reconnect::lost::{Lost, LostCause};
use crate::reconnect::schedule::{BeforeTry, Schedule, TryLimits};
use crate::reconnect::verdict::Verdict;
use crate::socket::Socket;

/// The socket of a channel that connects.
#[cfg(not(browser))]
pub(crate) type ChannelSocket = crate::websocket::WebSocket<crate::connect::transport::Transport>;
#[cfg(browser)]
pub(crate) use crate::driver::browser::Connection as ChannelSocket;

#[cfg(not(browser))]
pub(crate) type Decide = Box<dyn FnMut(&Lost, Verdict) -> Verdict + Send>;
#[cfg(browser)]
pub(crate) type Decide = Box<dyn FnMut(&Lost, Verdict) -> Verdict>;

/// What a program wants.
pub(crate) struct Plan {
    pub(crate) connect: Connect,
    pub(crate) backoff: Backoff,
    pub(crate) limits: TryLimits,
    pub(crate) decide: Option<Decide>,
    pub(crate) hooks: Hooks,
    pub(crate) heartbeat: Option<(Heartbeat, MakeHeart)>,
    pub(crate) draw: Draw,
    /// Where its tries have failed.
    #[cfg(not(browser))]
    pub(crate) failed: Arc<FailedAddresses>,
}

/// A try that has failed.
pub(crate) struct Failed {
    pub(crate) cause: LostCause,
    /// What was opened, to be closed.
    pub(crate) socket: Option<(Box<ChannelSocket>, Known)>,
}

impl From<LostCause> for Failed {
    fn from(cause: LostCause) -> Self {
        let socket = None;
        Self { cause, socket }
    }
}

impl Plan {
    pub(crate) fn schedule(&mut self) -> Schedule {
        let before_try = match self.hooks.before_try {
            Some(_) => BeforeTry::Set,
            None => BeforeTry::None,
        };
        let limits = std::mem::take(&mut self.limits);
        Schedule::new(self.backoff.clone(), limits, before_try, self.draw.clone())
    }

    /// What looks after a connection that is open, if the program wants that.
    pub(crate) fn heart(&self) -> Option<BoxHeart> {
        let (heartbeat, make) = self.heartbeat.as_ref()?;
        Some(make(heartbeat))
    }

    /// What comes after a loss.
    pub(crate) fn decide(&mut self, lost: &Lost, verdict: Verdict) -> Verdict {
        // A program that wants another connection has decided already.
        let is_asked = matches!(lost.cause(), LostCause::Asked);
        match &mut self.decide {
            Some(decide) if !is_asked => decide(lost, verdict),
            _ => verdict,
        }
    }

    /// Makes a try: up to where the channel is open. The last connection had this subprotocol, if there was one.
    pub(crate) fn attempt(
        &self,
        tried: Tried,
        was: Option<Option<Box<str>>>,
    ) -> BoxFuture<Result<ChannelSocket, Failed>> {
        let (connect, hooks) = (self.connect.clone(), self.hooks.clone());
        #[cfg(not(browser))]
        let failed = Arc::clone(&self.failed);
        Box::pin(async move {
            let connect = hooks.before_try(connect, tried).await;
            let connect = connect.map_err(LostCause::BeforeTry)?;
            #[cfg(browser)]
            let opened = open(connect).await;
            #[cfg(not(browser))]
            let opened = open(connect, &failed).await;
            let begun = match opened {
                Ok(socket) => begin(&hooks, socket, was).await,
                Err(error) => Err(LostCause::Connect(error).into()),
            };
            #[cfg(not(browser))]
            match &begun {
                Ok(_) => failed.clear(),
                Err(_) => failed.fail(),
            }
            begun
        })
    }
}

/// Goes on from the opening handshake to where the channel is open.
async fn begin(
    hooks: &Hooks,
    socket: ChannelSocket,
    was: Option<Option<Box<str>>>,
) -> Result<ChannelSocket, Failed> {
    let is = Socket::subprotocol(&socket);
    if let Some(was) = was
        && was != is
    {
        let cause = LostCause::Subprotocol { was, is };
        let socket = Some((Box::new(socket), Known::Open));
        return Err(Failed { cause, socket });
    }
    greet(hooks, socket).await
}

/// Has the program's hook greet the server.
async fn greet(hooks: &Hooks, socket: ChannelSocket) -> Result<ChannelSocket, Failed> {
    if hooks.on_connected.is_none() {
        return Ok(socket);
    }
    let lent = Lent(Place::new(socket));
    let greeted = hooks.on_connected(Connected::new(&lent.0)).await;
    let (socket, info) = lent.take_back();
    let (cause, known) = match (info, greeted) {
        (None, Ok(())) => return Ok(socket),
        (None, Err(error)) => (LostCause::OnConnected(error), Known::Open),
        // What the hook said of a connection that has ended is of no account.
        (Some(info), _) => (LostCause::Closed(info), Known::Ended),
    };
    let socket = Some((Box::new(socket), known));
    Err(Failed { cause, socket })
}

/// A socket that the hook has. It is taken from it when the try is given up, too.
struct Lent(Arc<Place<ChannelSocket>>);

impl Lent {
    fn take_back(self) -> (ChannelSocket, Option<CloseInfo>) {
        let taken = self.0.take();
        #[cfg_attr(browser, expect(unused_mut))]
        let (mut socket, info) = taken.expect("nobody else takes it");
        // The hook may have polled it elsewhere.
        #[cfg(not(browser))]
        socket.forget_timer();
        (socket, info)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[cfg(not(browser))]
async fn open(
    mut connect: Connect,
    failed: &FailedAddresses,
) -> Result<ChannelSocket, ConnectError> {
    // Also of one that the hook has made.
    connect.keepalive.get_or_insert_default();
    connect.run(Some(failed)).await
}

#[cfg(browser)]
async fn open(connect: Connect) -> Result<ChannelSocket, ConnectError> {
    crate::driver::browser::open_again(connect.opening()?).await
}
