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
use crate::channel::watchers::Callback;
use crate::error::Error;
use crate::reconnect::link::Link;

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
    /// What went wrong, if something did. On a channel that reconnects it is the last loss, until the channel is
    /// open again.
    pub error: Option<Error>,
    /// How the channel ended, once it has.
    pub close: Option<CloseInfo>,
    /// How far the connection has come, and what it waits for.
    pub link: Link,
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
            error: channel.error(),
            close: channel.lifecycle.close_info().cloned(),
            link: channel.link(),
        }
    }
}

/// The snapshots of a channel, the newest each time: what came between is passed over.
///
/// [`latest`](Self::latest) gives the newest at once, and [`on_change`](Self::on_change) tells when to
/// draw it; as a [`Stream`] it waits for a change, and ends after the snapshot that is done.
#[derive(Debug)]
pub struct Snapshots {
    shared: Arc<Shared>,
    /// The channel, if this is its reader.
    _receiver: Option<Receiver>,
    /// Its key among those who look.
    watcher: u64,
    /// The task that polls it.
    key: WaitKey,
}

impl Snapshots {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let key = WaitKey::new(Arc::clone(&shared));
        let watcher = shared.lock().inbox.add_watcher();
        Self {
            shared,
            _receiver: None,
            watcher,
            key,
        }
    }

    /// Snapshots that are the channel's reader, and keep nothing but the newest message.
    pub(crate) fn of(receiver: Receiver) -> Self {
        // It sees the newest message that is unread, before all of those go.
        let mut snapshots = Self::new(Arc::clone(receiver.handle()));
        receiver.set_reading(Reading::Latest);
        snapshots._receiver = Some(receiver);
        snapshots
    }

    /// The newest snapshot, at once.
    pub fn latest(&self) -> Snapshot {
        self.look(&mut self.shared.lock())
    }

    /// Whether there is a snapshot that was not looked at yet.
    pub fn has_changed(&self) -> bool {
        self.is_new(&self.shared.lock())
    }

    /// Has `callback` called when there is something new to draw: `on_change(move ||
    /// ctx.request_repaint())`.
    ///
    /// That is a message, an error, the end, and each change of [`Snapshot::link`]: that the channel has opened, was lost,
    /// tries, waits or is paused.
    ///
    /// It is called once for each change that was not looked at yet: after a call there is none until
    /// somebody has looked, with [`latest`](Self::latest) or as a [`Stream`]. If there is a snapshot
    /// that nobody has looked at already, as at the beginning, it is called before this returns.
    ///
    /// It is called from the thread on which the change happens, which may be the channel's own or
    /// the one that closes, and under no lock: it may look, send, close, and drop these snapshots.
    /// It holds up the channel for as long as it runs, and must not panic. A second callback takes the
    /// place of the first. Once the snapshots are dropped it is dropped with them, and not called any
    /// more; a call that another thread has begun before that ends in its own time.
    ///
    /// The callback lives in the snapshots: one that holds them in an `Arc` of its own keeps both for
    /// good, so give it a [`Weak`](std::sync::Weak).
    pub fn on_change(&self, callback: impl Fn() + Send + Sync + 'static) {
        let callback: Callback = std::sync::Arc::new(callback);
        let mut state = self.shared.lock();
        let watchers = state.inbox.watchers();
        let before = watchers.and_then(|all| all.set_callback(self.watcher, callback.clone()));
        let is_new = self.is_new(&state);
        drop(state);
        drop(before);
        if is_new {
            callback();
        }
    }

    fn is_new(&self, state: &State) -> bool {
        state.inbox.seen(self.watcher) != Some(state.version())
    }

    /// The newest snapshot, which has been looked at then.
    fn look(&self, state: &mut State) -> Snapshot {
        let version = state.version();
        if let Some(watchers) = state.inbox.watchers() {
            watchers.look(self.watcher, version);
        }
        Snapshot::of(state)
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        let Some(mut state) = self.shared.lock_to_leave() else {
            return;
        };
        let callback = state.inbox.remove_watcher(self.watcher);
        drop(state);
        // What it holds is foreign code, too, and not dropped under the lock.
        drop(callback);
    }
}

impl Stream for Snapshots {
    type Item = Snapshot;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Snapshot>> {
        let snapshots = self.get_mut();
        let mut state = snapshots.shared.lock();
        if snapshots.is_new(&state) {
            return Poll::Ready(Some(snapshots.look(&mut state)));
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Waker;
    use std::thread;

    use talkback_proto::{CloseCause, CloseCode, Compression, Initiator};

    use super::*;
    use crate::channel::handle::Handle;
    use crate::driver::port::{Exchange, Port};
    use crate::socket::SendProgress;

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
            Step::Open => port.opened(None, None),
            Step::Data(text) => {
                let mut exchange = Exchange::default();
                exchange.received.push(text.into(), Compression::Auto);
                port.exchange_last(&mut exchange);
            }
            Step::Lost => {
                let cause = CloseCause::Transport("reset".into());
                port.ended(info(CloseCode::ABNORMAL, cause), SendProgress::default());
            }
            Step::Closed => {
                let info = info(CloseCode::NORMAL, CloseCause::ClosingHandshake);
                port.ended(info, SendProgress::default());
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
            let shared = Shared::with_defaults();
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

    /// Snapshots of a channel that a port drives, and how often their callback was called.
    fn counted() -> (Port, Snapshots, Arc<AtomicUsize>) {
        let shared = Shared::with_defaults();
        let snapshots = Snapshots::new(Arc::clone(&shared));
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        snapshots.on_change(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        (Port::new(shared), snapshots, calls)
    }

    #[test]
    fn on_change_tells_that_the_channel_has_opened() {
        let (port, snapshots, calls) = counted();
        snapshots.latest();
        happen(Open, &port);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn on_change_is_called_once_until_somebody_looks() {
        let (port, mut snapshots, calls) = counted();
        let mut cx = Context::from_waker(Waker::noop());
        let calls = || calls.load(Ordering::Relaxed);
        assert_eq!(calls(), 1, "at once, as nobody has looked");
        for step in [Open, Data("a"), Data("b")] {
            happen(step, &port);
        }
        assert_eq!(calls(), 1, "nobody has looked yet");
        assert!(snapshots.has_changed());
        assert_eq!(snapshots.latest().text(), "b");
        assert!(!snapshots.has_changed());
        happen(Data("c"), &port);
        happen(Data("d"), &port);
        assert_eq!(calls(), 2);
        let polled = Pin::new(&mut snapshots).poll_next(&mut cx);
        assert!(matches!(polled, Poll::Ready(Some(snapshot)) if snapshot.text() == "d"));
        happen(Lost, &port);
        assert_eq!(calls(), 3, "polling is looking");
        assert_eq!(snapshots.latest().state, Done);
        drop(port);
        assert_eq!(calls(), 3, "nothing comes behind the end");
    }

    #[test]
    fn on_change_is_called_at_once_only_for_what_is_new() {
        let (_port, snapshots, _) = counted();
        snapshots.latest();
        snapshots.on_change(|| panic!("there is nothing new"));
    }

    #[test]
    fn a_second_callback_takes_the_place_of_the_first() {
        let (port, snapshots, calls) = counted();
        let (called, second) = mpsc::channel();
        snapshots.on_change(move || called.send(()).unwrap());
        snapshots.latest();
        happen(Open, &port);
        assert_eq!(
            (calls.load(Ordering::Relaxed), second.try_iter().count()),
            (1, 2)
        );
        assert_eq!(Arc::strong_count(&calls), 1, "the first is dropped");
    }

    #[test]
    fn on_change_may_look_and_drop_on_the_thread_of_the_change() {
        let shared = Shared::with_defaults();
        let receiver = Receiver::new(Handle::new(Arc::clone(&shared)));
        let snapshots = Snapshots::of(receiver);
        snapshots.latest();
        let shown = Arc::new(std::sync::Mutex::new(Some(snapshots)));
        let held = Arc::clone(&shown);
        let (called, calls) = mpsc::channel();
        let callback = move || {
            // Dropping the channel's last handle closes it: looking, dropping and closing take the lock.
            let snapshots = held.lock().unwrap().take().expect("it is called once");
            let text = snapshots.latest().text().to_owned();
            drop(snapshots);
            called.send((text, thread::current().id())).unwrap();
        };
        // It is not called at once, which would be under the lock of this test.
        shown.lock().unwrap().as_ref().unwrap().on_change(callback);
        let driver = thread::spawn(move || {
            let port = Port::new(shared);
            happen(Data("a"), &port);
            happen(Data("b"), &port);
            thread::current().id()
        });
        let driver = driver.join().unwrap();
        assert_eq!(calls.iter().collect::<Vec<_>>(), [("a".to_owned(), driver)]);
    }

    #[test]
    fn a_callback_that_takes_its_time_holds_up_nobody_who_waits() {
        #[derive(Default)]
        struct Woken(AtomicUsize);

        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        let (port, snapshots, _) = counted();
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        port.poll_unopened(&Context::from_waker(&waker));
        let (called, calls) = mpsc::channel();
        snapshots.latest();
        // As one that waits for the end: that takes a driver that knows of the close.
        snapshots.on_change(move || called.send(woken.0.load(Ordering::Relaxed)).unwrap());
        Handle::new(Arc::clone(&snapshots.shared)).close();
        assert_eq!(calls.try_iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn dropped_snapshots_call_nobody() {
        let (port, snapshots, calls) = counted();
        snapshots.latest();
        let mut state = snapshots.shared.lock();
        let version = state.version();
        let watchers = state.inbox.watchers().unwrap();
        let taken: Vec<_> = watchers.called_after(version).collect();
        drop(state);
        drop(snapshots);
        happen(Data("a"), &port);
        // Whoever has taken a waker may come to it late.
        taken.into_iter().for_each(Waker::wake);
        assert_eq!(calls.load(Ordering::Relaxed), 1, "at once, before");
        assert_eq!(Arc::strong_count(&calls), 1, "the callback is dropped");
    }
}
