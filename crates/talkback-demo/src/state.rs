//! What the window, the browser tab and the terminal show, and what they do: the same for all.
//!
//! It knows no toolkit. A view draws what [`Page`] says, hands in what a person does, and calls
//! [`Page::poll`] whenever it is woken. A view that shows each answer, as a pipe does, takes them one
//! by one with [`Page::poll_message`] instead. The page never asks for the time: the view hands it in.

mod log;
mod words;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream as _;
use futures_sink::Sink as _;
use talkback::{
    ChannelState, Closing, Error, Message, Ready, Snapshot, Snapshots, WebSocketChannel,
};

pub use self::log::{Direction, Entry, LOG_LENGTH, Log};
pub use self::words::{Role, reason};
use self::words::{beginning, seconds, sentence};

/// The title of the page, as in the recipe.
pub const TITLE: &str = "WebSocket Demo";
/// The label of the field, as in the recipe.
pub const FIELD_LABEL: &str = "Send a message";
/// The name of the button, as in the recipe.
pub const SEND_LABEL: &str = "Send message";
/// Space around the body, in points, as in the recipe.
pub const PADDING: f32 = 20.0;
/// Space above and below the answer, in points, as in the recipe.
pub const ANSWER_SPACE: f32 = 24.0;

/// How many characters of an answer are shown: a screen holds no more.
const ANSWER_LENGTH: usize = 2_000;
/// How many messages are taken before the view gets to draw.
const MESSAGES_AT_ONCE: usize = 256;
/// How much later than its second a countdown is drawn: a view that comes a frame early would have to come twice.
const TICK_MARGIN: Duration = Duration::from_millis(50);

/// A channel that stays connected, as a person wants it who looks at a [`Page`].
pub fn channel(url: &str) -> WebSocketChannel {
    talkback::connect(url.trim()).reconnect().channel()
}

/// What became of the text that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It is on its way.
    Sent,
    /// There was none.
    Withheld,
    /// The channel did not take it; [`Page::problem`] says why.
    Refused,
}

/// The page of the recipe: a field, a button, the last answer. It owns its channel: dropping the
/// page closes it.
#[derive(Debug)]
pub struct Page {
    title: String,
    /// The text of the field, which the view edits.
    pub field: String,
    /// The URL that [`connect`](Self::connect) goes to, which the view edits.
    pub url: String,
    channel: WebSocketChannel,
    snapshots: Snapshots,
    snapshot: Snapshot,
    /// The last answer, which stays when the channel is replaced.
    answer: String,
    /// Why the last message was not sent.
    unsent: Option<&'static str>,
    log: Log,
}

impl Page {
    /// A page with its title and its channel, which goes to `url`.
    pub fn new(
        title: impl Into<String>,
        url: impl Into<String>,
        channel: WebSocketChannel,
    ) -> Self {
        Self {
            title: title.into(),
            field: String::new(),
            url: url.into(),
            snapshots: channel.snapshots(),
            channel,
            snapshot: Snapshot::default(),
            answer: String::new(),
            unsent: None,
            log: Log::default(),
        }
    }

    /// Takes what has come since the last call, and has `cx` woken when there is more.
    ///
    /// `now` is the time since the page was opened; it stands in the log.
    pub fn poll(&mut self, cx: &mut Context<'_>, now: Duration) {
        for _ in 0..MESSAGES_AT_ONCE {
            let Poll::Ready(Some(_)) = self.poll_message(cx, now) else {
                return;
            };
        }
        self.poll_snapshots(cx);
        cx.waker().wake_by_ref();
    }

    /// Waits for the next message, which is in the log by then; `None` after the last one. Each is
    /// given out once and whole, in the order in which they came.
    ///
    /// The rest of the page is as new as the last call that gave no message. `now` is as for
    /// [`poll`](Self::poll).
    pub fn poll_message(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Option<Message>> {
        let message = match Pin::new(&mut self.channel).poll_next(cx) {
            Poll::Ready(Some(Ok(message))) => {
                self.log.push(Direction::Received, &message, now);
                return Poll::Ready(Some(message));
            }
            // An error is in the snapshot, too.
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        };
        self.poll_snapshots(cx);
        message
    }

    fn poll_snapshots(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(snapshot)) = Pin::new(&mut self.snapshots).poll_next(cx) {
            if let Some(data) = &snapshot.data {
                self.answer = beginning(data, ANSWER_LENGTH);
            }
            self.snapshot = snapshot;
        }
    }

    /// Waits until the channel has capacity for a message; once it has ended, for ever.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.channel).poll_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits until there is a connection, or tells why there is none.
    pub fn ready(&self) -> Ready {
        self.channel.ready()
    }

    /// Sends the text of the field. Only the empty text is withheld.
    ///
    /// The text stays. The view selects it and keeps the focus, so that the next key replaces it.
    pub fn send(&mut self, now: Duration) -> Sending {
        if self.field.is_empty() {
            return Sending::Withheld;
        }
        let message = Message::from(self.field.as_str());
        self.unsent = match self.channel.try_send(message.clone()) {
            Ok(()) => {
                self.log.push(Direction::Sent, &message, now);
                None
            }
            Err(error) if error.is_full() => {
                Some("Not sent: too much is waiting for the server already. Try again.")
            }
            Err(_) => Some("Not sent: the connection is closed. Connect first."),
        };
        match self.unsent {
            None => Sending::Sent,
            Some(_) => Sending::Refused,
        }
    }

    /// Leaves the channel for a new one, to the URL, which stays connected.
    pub fn connect(&mut self) {
        self.channel = channel(&self.url);
        self.snapshots = self.channel.snapshots();
        self.snapshot = Snapshot::default();
        self.unsent = None;
    }

    /// Begins to close; the end comes as any other does.
    pub fn disconnect(&mut self) {
        // The end is in the snapshots; nobody waits for it here.
        self.channel.close();
    }

    /// Closes for good, and says when that is done. Dropping the page closes as well, but a program
    /// that is about to end has to wait for it.
    pub fn leave(&mut self) -> Closing {
        self.channel.close()
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The last answer, or nothing; also after an error.
    pub fn answer(&self) -> &str {
        &self.answer
    }

    /// How far the connection has come, as a word and what its colour means.
    pub fn status(&self) -> (&'static str, Role) {
        let link = self.channel.link();
        match link.state() {
            ChannelState::Connecting if link.lost().is_none() => ("connecting", Role::Busy),
            ChannelState::Connecting | ChannelState::Retrying => ("reconnecting", Role::Busy),
            ChannelState::Open => ("open", Role::Good),
            ChannelState::Paused => ("paused", Role::Neutral),
            ChannelState::Closing => ("closing", Role::Busy),
            _ if self.snapshot.error.is_some() => ("closed", Role::Bad),
            // Closed; a channel has no further state yet.
            _ => ("closed", Role::Neutral),
        }
    }

    /// That there is no connection, but will be: when it is tried next, why there is none, and whether a message
    /// waits for it. `reconnecting in 3 s (connection refused)`, in the colour of [`Role::Busy`].
    ///
    /// The seconds go by without a wake: [`next_tick_in`](Self::next_tick_in) says when to draw them.
    pub fn reconnecting(&self) -> Option<String> {
        let link = self.channel.link();
        let lost = link.lost()?;
        let when = match (link.state(), link.next_try_in()) {
            (ChannelState::Retrying, Some(wait)) => format!(" in {} s", seconds(wait)),
            (ChannelState::Retrying | ChannelState::Connecting, _) => String::new(),
            _ => return None,
        };
        let waits = match self.unwritten() {
            0 => "",
            _ => "; your message waits",
        };
        Some(format!("reconnecting{when} ({}){waits}", reason(lost)))
    }

    /// How long it takes until [`reconnecting`](Self::reconnecting) says a second less. `None` where nothing counts
    /// down: then the view is woken by whatever changes.
    pub fn next_tick_in(&self) -> Option<Duration> {
        let left = self.channel.link().next_try_in()?;
        let next = seconds(left) - 1;
        (next > 0).then(|| left.saturating_sub(Duration::from_secs(next)) + TICK_MARGIN)
    }

    /// How many bytes of messages are not written yet; without a connection, they wait for the next.
    pub fn unwritten(&self) -> usize {
        self.channel.buffered_amount()
    }

    /// How the connection ended, once it has: who closed it, the code, the reason; or why there is none.
    pub fn ending(&self) -> Option<String> {
        let info = self.snapshot.close.as_ref()?;
        Some(match &self.snapshot.error {
            // There was no connection that anybody could have closed.
            Some(Error::Connect(error)) => sentence(&error.to_string()),
            _ => sentence(&info.to_string()),
        })
    }

    /// What a person should know at once: a message that was not sent, or why the connection failed.
    pub fn problem(&self) -> Option<String> {
        match self.unsent {
            Some(unsent) => Some(unsent.to_owned()),
            None => self.snapshot.error.as_ref().and_then(|_| self.ending()),
        }
    }

    /// Whether there is no connection, so that one can be made.
    pub fn can_connect(&self) -> bool {
        self.channel.state() == ChannelState::Closed
    }

    /// Whether there is a connection, or there will be.
    pub fn can_disconnect(&self) -> bool {
        let state = self.channel.state();
        !matches!(state, ChannelState::Closing | ChannelState::Closed)
    }

    /// The last messages both ways.
    pub fn log(&self) -> &Log {
        &self.log
    }
}
