//! What the scenarios ask of a platform.

use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use talkback::{Connect, Error, Limits, WebSocketChannel};

use crate::behaviour::Behaviour;

/// What a scenario needs of a platform beyond a channel to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Opens by a URL and a real opening handshake.
    pub const CONNECT: Self = Self(1);
    /// Sees the status and the body of a refusal, which browsers hide.
    pub const REFUSAL: Self = Self(1 << 1);
    /// Opens if the server chooses none of the subprotocols offered, as RFC 6455 allows; browsers
    /// differ.
    pub const NO_SUBPROTOCOL: Self = Self(1 << 2);
    /// Its transport can be reset.
    pub const RESET: Self = Self(1 << 3);
    /// Makes a server wait whose messages nobody reads; a browser reads on, and keeps them.
    pub const BACKPRESSURE: Self = Self(1 << 4);
    /// Fails a connection whose server masks a frame, closes with one byte, or chooses a subprotocol
    /// though none was offered; Firefox takes all three.
    pub const STRICT: Self = Self(1 << 5);
    /// Tells that it is open before it tells of a fault that comes right behind the 101, and of a reset
    /// that it was the peer's doing. Firefox may tell only of the end, and of a reset as of a fault
    /// that it found itself; scenarios take both from a backend without this.
    pub const IN_ORDER: Self = Self(1 << 6);
    /// Tells whether a message has left this machine. A browser tells a page how much it has taken off its
    /// hands, which may be all of a large one that never left.
    pub const WRITTEN: Self = Self(1 << 7);
    /// Lets a connection go that is given up before it is open; Firefox has the next ones to that address wait
    /// behind it, as RFC 6455 §4.1 has them open one at a time.
    pub const LETS_GO: Self = Self(1 << 8);
    /// Everything: programs over TCP and over TLS.
    pub const ALL: Self = Self(0b1_1111_1111);
    /// What is open from the beginning, in memory: it has no URL, no opening handshake, and no reset.
    pub const IN_MEMORY: Self = Self::BACKPRESSURE
        .with(Self::STRICT)
        .with(Self::IN_ORDER)
        .with(Self::WRITTEN)
        .with(Self::LETS_GO);
    /// A page in Firefox.
    pub const FIREFOX: Self = Self::CONNECT.with(Self::RESET).with(Self::NO_SUBPROTOCOL);
    /// A page in Chromium.
    pub const CHROMIUM: Self = Self::CONNECT
        .with(Self::RESET)
        .with(Self::STRICT)
        .with(Self::IN_ORDER)
        .with(Self::LETS_GO);
    /// All backends with what each can do.
    pub const BACKENDS: [(&str, Self); 5] = [
        ("TCP", Self::ALL),
        ("TLS", Self::ALL),
        ("memory", Self::IN_MEMORY),
        ("Chromium", Self::CHROMIUM),
        ("Firefox", Self::FIREFOX),
    ];

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of those are among these.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// A scenario that does not hold on a backend.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// The scenario as `module::name`.
    pub scenario: &'static str,
    /// Why it cannot.
    pub reason: &'static str,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of a scenario that is an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It fails. One that holds after all is no exception any more, and that is an error.
    Failure,
    /// This or that, so that nothing would follow from it: it is not run.
    Either,
}

/// How a channel is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The subprotocols to offer.
    pub subprotocols: Vec<String>,
    /// The connect timeout, if it is not the default.
    pub timeout: Option<Duration>,
    /// The bounds of the connection.
    pub limits: Limits,
}

/// How far a socket has come when a channel is put over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketStage {
    /// It connects.
    Connecting,
    /// It is open.
    Open,
    /// It was open, and is closed.
    Closed,
}

/// A platform that gives channels to the server.
pub trait Backend {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The scenarios that do not hold on it, each with the reason: those that need what it cannot do.
    fn exceptions(&self) -> &[Exception];

    /// The way to a server that behaves as told, with an opening handshake.
    fn connect(&self, behaviour: &Behaviour) -> Connect;

    /// Opens a channel to a server that behaves as told.
    fn open(&self, behaviour: &Behaviour, options: Options) -> WebSocketChannel;

    /// Puts a channel over a socket of the platform.
    fn wrap<'a>(
        &'a self,
        behaviour: &'a Behaviour,
        stage: SocketStage,
    ) -> LocalBoxFuture<'a, Result<WebSocketChannel, Error>>;

    /// Runs a task beside the scenario.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Waits for a time.
    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()>;
}
