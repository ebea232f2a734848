//! What a widget draws: the state of a channel at one moment.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use talkback_proto::{CloseInfo, Message};

use crate::channel::inbox::Reading;
use crate::channel::receiver::Receiver;
use crate::channel::state::{Shared, State, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::error::Error;

/// How far a channel has come, as a widget sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SnapshotState {
    /// There is no channel.
    #[default]
    None,
    /// The channel connects, or no message has come yet.
    Waiting,
    /// Messages come.
    Active,
    /// The channel has ended; the last message stays visible.
    Done,
}

/// A channel at one moment: the last message, the error, the end.
///
/// The states are those of the recipe's `AsyncSnapshot`. Unlike there, an error does not drop the
/// data: the last message stays beside it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// How far the channel has come.
    pub state: SnapshotState,
    /// The last message.
    pub data: Option<Message>,
    /// What went wrong, if something did.
    pub error: Option<Error>,
    /// How the channel ended, once it has.
    pub close: Option<CloseInfo>,
}

impl Snapshot {
    /// The last message's text, or the empty string: what the recipe draws.
    pub fn text(&self) -> &str {
        self.data.as_ref().and_then(Message::as_text).unwrap_or("")
    }

    fn of(channel: &State) -> Self {
        let state = match (channel.lifecycle.is_ended(), channel.inbox.has_data()) {
            (true, _) => SnapshotState::Done,
            (false, true) => SnapshotState::Active,
            (false, false) => SnapshotState::Waiting,
        };
        Self {
            state,
            data: channel.inbox.latest().cloned(),
            error: channel.lifecycle.error().cloned(),
            close: channel.lifecycle.close_info().cloned(),
        }
    }
}

/// The snapshots of a channel, the newest each time: what came between is passed over.
///
/// [`latest`](Self::latest) gives the newest at once, for a program that draws again and again; as a
/// [`Stream`] it waits for a change, and ends after the snapshot that is done.
#[derive(Debug)]
pub struct Snapshots {
    shared: Arc<Shared>,
    /// The channel, if this is its reader.
    _receiver: Option<Receiver>,
    /// The version that was given out last.
    seen: Option<u64>,
    key: WaitKey,
}

impl Snapshots {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let key = WaitKey::new(Arc::clone(&shared));
        shared.lock().inbox.add_watcher();
        Self {
            shared,
            _receiver: None,
            seen: None,
            key,
        }
    }

    /// Snapshots that are the channel's reader, and keep nothing but the newest message.
    pub(crate) fn of(receiver: Receiver) -> Self {
        // It sees the newest message that is unread, before all of those go.
        let mut snapshots = Self::new(Arc::clone(&receiver.handle));
        receiver.set_reading(Reading::Latest);
        snapshots._receiver = Some(receiver);
        snapshots
    }

    /// The newest snapshot, at once.
    pub fn latest(&self) -> Snapshot {
        Snapshot::of(&self.shared.lock())
    }

    /// Whether [`latest`](Self::latest) gives something else than this gave last.
    pub fn has_changed(&self) -> bool {
        self.seen != Some(self.shared.lock().version())
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.shared.lock().inbox.remove_watcher();
    }
}

impl Stream for Snapshots {
    type Item = Snapshot;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Snapshot>> {
        let snapshots = self.get_mut();
        let mut state = snapshots.shared.lock();
        if snapshots.seen != Some(state.version()) {
            snapshots.seen = Some(state.version());
            return Poll::Ready(Some(Snapshot::of(&state)));
        }
        if state.lifecycle.is_ended() {
            return Poll::Ready(None);
        }
        state.wait(&mut snapshots.key, WaitFor::Change, cx);
        Poll::Pending
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use talkback_proto::{CloseCause, CloseCode, Initiator};

    use super::*;
    use crate::driver::port::Port;

    /// What happens to a channel.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Open,
        Data(&'static str),
        Lost,
        Closed,
    }

    fn happen(step: Step, port: &Port) {
        let info = |code, cause| CloseInfo::abnormal(code, Initiator::Remote, cause);
        match step {
            Step::Open => port.opened(None),
            Step::Data(text) => port.deliver(text.into()),
            Step::Lost => {
                let cause = CloseCause::Transport("reset".into());
                port.ended(info(CloseCode::ABNORMAL, cause));
            }
            Step::Closed => {
                port.ended(info(CloseCode::NORMAL, CloseCause::ClosingHandshake));
            }
        }
    }

    /// The steps, and what a widget shows then: state, data, whether an error, close code.
    type Row = (
        &'static [Step],
        SnapshotState,
        &'static str,
        bool,
        Option<u16>,
    );

    use SnapshotState::{Active, Done, Waiting};
    use Step::{Closed, Data, Lost, Open};

    const ROWS: [Row; 10] = [
        (&[], Waiting, "", false, None),
        (&[Open], Waiting, "", false, None),
        (&[Open, Data("a")], Active, "a", false, None),
        (&[Open, Data("")], Active, "", false, None),
        (&[Open, Data("a"), Data("b")], Active, "b", false, None),
        (&[Open, Data("a"), Lost], Done, "a", true, Some(1006)),
        (&[Open, Lost, Closed], Done, "", true, Some(1006)),
        (&[Lost], Done, "", true, Some(1006)),
        (&[Closed], Done, "", false, Some(1000)),
        (&[Open, Data("a"), Closed], Done, "a", false, Some(1000)),
    ];

    #[test]
    fn every_state_and_edge_has_its_snapshot() {
        assert_eq!(Snapshot::default().state, SnapshotState::None);
        for (steps, state, data, has_error, code) in ROWS {
            let shared = Shared::new();
            let snapshots = Snapshots::new(Arc::clone(&shared));
            let port = Port::new(shared);
            for step in steps {
                happen(*step, &port);
            }
            let snapshot = snapshots.latest();
            assert_eq!(
                (snapshot.state, snapshot.text()),
                (state, data),
                "{steps:?}"
            );
            assert_eq!(snapshot.error.is_some(), has_error, "{steps:?}");
            let closed = snapshot.close.map(|info| info.code.number());
            assert_eq!(closed, code, "{steps:?}");
        }
    }
}
