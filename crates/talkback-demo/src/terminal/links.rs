//! What a person is told of the connection: that it is lost, and that there is another.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_core::Stream as _;
use talkback::{ChannelState, Link, LostCause, Snapshots};
use talkback_demo::state::reason;
use talkback_terminal::explain;

/// The connections of a channel, as far as they were told of.
#[derive(Debug)]
pub(crate) struct Links {
    snapshots: Snapshots,
    told: Told,
}

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    /// The number of the last connection, and 0 before the first.
    connection: u64,
    is_lost: bool,
}

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is no connection; why, in a sentence without its full stop.
    Lost(String),
    /// There is one again.
    Back,
}

impl Links {
    pub(crate) fn new(snapshots: Snapshots) -> Self {
        let told = Told::default();
        Self { snapshots, told }
    }

    /// Waits for the next change. On a channel that does not reconnect there is none, and this waits for ever.
    ///
    /// # Cancel safety
    /// A dropped call loses no change.
    pub(crate) async fn next(&mut self) -> Change {
        poll_fn(|cx| {
            loop {
                if let Some(change) = self.told.next(&self.snapshots.latest().link) {
                    return Poll::Ready(change);
                }
                let Poll::Ready(Some(_)) = Pin::new(&mut self.snapshots).poll_next(cx) else {
                    return Poll::Pending;
                };
            }
        })
        .await
    }
}

impl Told {
    /// What is to be told next, as things are. A loss comes first, also if there is another connection already.
    fn next(&mut self, link: &Link) -> Option<Change> {
        let is_open = link.state() == ChannelState::Open;
        let is_trying = matches!(
            link.state(),
            ChannelState::Connecting | ChannelState::Retrying
        );
        let is_another = is_open && self.connection > 0 && link.connection() > self.connection;
        let lost = link.lost().filter(|_| is_trying || is_another);
        if let (Some(lost), false) = (lost, self.is_lost) {
            self.is_lost = true;
            return Some(Change::Lost(match lost.cause() {
                LostCause::Connect(error) if link.connection() == 0 => {
                    let why = explain::connect_error(error);
                    why.trim_end_matches('.').to_owned()
                }
                _ => format!("connection lost ({})", reason(lost)),
            }));
        }
        if is_open {
            self.connection = link.connection();
            return std::mem::take(&mut self.is_lost).then_some(Change::Back);
        }
        None
    }
}
