//! A store that a test scripts, and the engines of the hubs that are connected to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use talkback::{Compression, Message};
use talkback_topics::{
    Backplane, Carried, Inbox, Keep, Page, Placed, Position, PublishFailure, Reply, Stored, Topics,
    Unavailable,
};
use tokio::sync::Notify;

/// What is stored, and who is connected.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells those whose answers hang.
    answers: Notify,
}

#[derive(Clone, Default)]
pub(crate) struct Streams(HashMap<Arc<str>, Stream>);

#[derive(Clone)]
struct Stream {
    epoch: u64,
    head: u64,
    mark: Option<u16>,
    entries: VecDeque<Stored>,
    ids: HashMap<Arc<str>, Position>,
}

#[derive(Default)]
pub(crate) struct State {
    streams: Streams,
    hubs: Vec<Hub>,
    /// What is to get to the hubs.
    outbox: Vec<(Inbox, Arc<str>, Stored)>,
    epochs: u64,
    marks: u16,
    /// Why it cannot be reached.
    down: Option<&'static str>,
    /// Answers do not come, and what is asked happens nevertheless.
    pub(crate) is_hanging: bool,
    /// Engines do not say at first whether they are reached.
    pub(crate) is_silent: bool,
    /// How long it takes for an answer.
    pub(crate) delay: Duration,
    /// How many publications of a topic are kept.
    pub(crate) kept: Option<usize>,
    pub(crate) has_no_marks: bool,
    pub(crate) size_max: Option<usize>,
    /// How often it was asked what.
    pub(crate) calls: HashMap<&'static str, usize>,
    /// The most topics in one call.
    pub(crate) batch: usize,
}

#[derive(Default)]
struct Hub {
    inbox: Option<Inbox>,
    listens: HashSet<Arc<str>>,
    /// How many publications do not get to it.
    drops: usize,
}

impl Store {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Another engine, for the hub with this number.
    pub(crate) fn engine(&self) -> Engine {
        let mut state = self.state();
        state.hubs.push(Hub::default());
        Engine {
            store: self.clone(),
            hub: state.hubs.len() - 1,
        }
    }

    pub(crate) fn topics(&self) -> Topics {
        Topics::over(self.engine())
    }

    pub(crate) fn topics_keeping(&self, keep: Keep) -> Topics {
        Topics::over_keeping(self.engine(), keep)
    }

    pub(crate) fn calls(&self, of: &'static str) -> usize {
        self.state().calls.get(of).copied().unwrap_or(0)
    }

    fn tell(&self, tell: impl Fn(&Inbox)) {
        let inboxes: Vec<_> = {
            let state = self.state();
            let inboxes = state.hubs.iter().filter_map(|hub| hub.inbox.clone());
            inboxes.collect()
        };
        inboxes.iter().for_each(tell);
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.state().down = Some("the test has cut it");
        self.tell(|inbox| inbox.down("the test has cut it"));
    }

    /// Connects all again.
    pub(crate) fn restore(&self) {
        self.state().down = None;
        self.tell(Inbox::up);
    }

    /// What is published does not get to a hub, so often.
    pub(crate) fn drop_for(&self, hub: usize, count: usize) {
        self.state().hubs[hub].drops = count;
    }

    /// An engine finds that it may have lost something.
    pub(crate) fn lose(&self, hub: usize) {
        let inbox = self.state().hubs[hub].inbox.clone();
        inbox.unwrap().lost();
    }

    /// Hands something to a hub that nobody has published now.
    pub(crate) fn hand(&self, hub: usize, topic: &str, stored: Stored) {
        let inbox = self.state().hubs[hub].inbox.clone();
        inbox.unwrap().publication(topic.into(), stored);
    }

    pub(crate) fn snapshot(&self) -> Streams {
        self.state().streams.clone()
    }

    /// Starts again with what it had then.
    pub(crate) fn fall_back(&self, to: Streams) {
        self.state().streams = to;
    }

    pub(crate) fn hang(&self) {
        self.state().is_hanging = true;
    }

    pub(crate) fn answer(&self) {
        self.state().is_hanging = false;
        self.0.answers.notify_waiters();
    }

    /// Publishes from elsewhere, at once.
    pub(crate) fn publish(&self, topic: &str, text: impl Into<Message>) {
        let carried = Carried {
            message: text.into(),
            compression: Compression::Auto,
            id: None,
            except: None,
        };
        self.state().publish(topic.into(), carried);
        self.deliver();
    }

    fn deliver(&self) {
        let outbox = std::mem::take(&mut self.state().outbox);
        for (inbox, topic, stored) in outbox {
            inbox.publication(topic, stored);
        }
    }

    /// Publishes the number that it gets.
    pub(crate) fn publish_next(&self, topic: &str) {
        let carried = |number: u64| Carried {
            message: number.to_string().into(),
            compression: Compression::Auto,
            id: None,
            except: None,
        };
        {
            let mut state = self.state();
            let next = state.head(&topic.into()).offset() + 1;
            state.publish(topic.into(), carried(next));
        }
        self.deliver();
    }

    /// The same, and it gets to no hub.
    pub(crate) fn publish_unseen(&self, topic: &str, text: &str) {
        let set = |drops: usize| {
            let mut state = self.state();
            state.hubs.iter_mut().for_each(|hub| hub.drops = drops);
        };
        set(1);
        self.publish(topic, text);
        set(0);
    }

    /// Where a topic stands.
    pub(crate) fn head(&self, topic: &str) -> Position {
        self.state().head(&topic.into())
    }

    /// The last publication of a topic.
    pub(crate) fn last(&self, topic: &str) -> Stored {
        let state = self.state();
        state.streams.0[topic].entries.back().unwrap().clone()
    }

    pub(crate) fn listeners(&self, topic: &str) -> usize {
        let state = self.state();
        let hubs = state.hubs.iter();
        hubs.filter(|hub| hub.listens.contains(topic)).count()
    }

    /// Answers in its time with what happens now.
    fn reply<T: Send + 'static, E: Send + 'static>(
        &self,
        of: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, E> + Send + 'static,
        refuse: impl FnOnce(Unavailable) -> E + Send + 'static,
    ) -> Reply<'static, T, E> {
        let store = self.clone();
        Box::pin(async move {
            let (delay, answer) = {
                let mut state = store.state();
                *state.calls.entry(of).or_default() += 1;
                match state.down {
                    Some(why) => (Duration::ZERO, Err(refuse(Unavailable::new(why)))),
                    None => (state.delay, act(&mut state)),
                }
            };
            store.deliver();
            if delay > Duration::ZERO {
                tokio::time::sleep(delay).await;
            }
            loop {
                let answers = store.0.answers.notified();
                if !store.state().is_hanging {
                    return answer;
                }
                answers.await;
            }
        })
    }
}

impl State {
    fn stream(&mut self, topic: &Arc<str>) -> &mut Stream {
        let epochs = &mut self.epochs;
        self.streams.0.entry(Arc::clone(topic)).or_insert_with(|| {
            *epochs += 1;
            Stream {
                epoch: *epochs,
                head: 0,
                mark: None,
                entries: VecDeque::new(),
                ids: HashMap::new(),
            }
        })
    }

    fn head(&mut self, topic: &Arc<str>) -> Position {
        let stream = self.stream(topic);
        Position::new(stream.epoch, stream.head, stream.mark)
    }

    fn publish(&mut self, topic: Arc<str>, carried: Carried) -> Placed {
        let kept = self.kept.unwrap_or(usize::MAX);
        self.marks = self.marks.wrapping_add(7919);
        let mark = (!self.has_no_marks).then_some(self.marks);
        let stream = self.stream(&topic);
        let known = carried.id.as_ref().and_then(|id| stream.ids.get(id));
        if let Some(position) = known {
            return Placed {
                position: *position,
                is_duplicate: true,
            };
        }
        stream.head += 1;
        let position = Position::new(stream.epoch, stream.head, mark);
        let previous = std::mem::replace(&mut stream.mark, mark);
        if let Some(id) = &carried.id {
            stream.ids.insert(Arc::clone(id), position);
        }
        let stored = Stored {
            position,
            previous,
            carried,
        };
        stream.entries.push_back(stored.clone());
        while stream.entries.len() > kept {
            stream.entries.pop_front();
        }
        for hub in &mut self.hubs {
            if !hub.listens.contains(&topic) {
                continue;
            }
            if hub.drops > 0 {
                hub.drops -= 1;
                continue;
            }
            if let Some(inbox) = &hub.inbox {
                let delivery = (inbox.clone(), Arc::clone(&topic), stored.clone());
                self.outbox.push(delivery);
            }
        }
        Placed {
            position,
            is_duplicate: false,
        }
    }

    fn read(&mut self, topic: &Arc<str>, after: Position, limit: usize) -> Page {
        let head = self.head(topic);
        let stream = self.stream(topic);
        let after = match stream.epoch == after.epoch() {
            true => after.offset(),
            false => 0,
        };
        let behind = stream.entries.iter();
        let behind = behind.filter(|it| it.position.offset() > after);
        Page {
            head,
            publications: behind.take(limit).cloned().collect(),
        }
    }
}

/// What connects a hub.
pub(crate) struct Engine {
    store: Store,
    hub: usize,
}

impl Backplane for Engine {
    fn start(&self, inbox: Inbox) {
        let down = {
            let mut state = self.store.state();
            state.hubs[self.hub].inbox = Some(inbox.clone());
            if state.is_silent {
                return;
            }
            state.down
        };
        match down {
            Some(why) => inbox.down(why),
            None => inbox.up(),
        }
    }

    fn attach(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        let hub = self.hub;
        let attach = move |state: &mut State| {
            state.batch = state.batch.max(topics.len());
            state.hubs[hub].listens.extend(topics.iter().cloned());
            Ok(topics.iter().map(|topic| state.head(topic)).collect())
        };
        self.store.reply("attach", attach, |why| why)
    }

    fn detach(&self, topics: Vec<Arc<str>>) {
        let mut state = self.store.state();
        *state.calls.entry("detach").or_default() += 1;
        for topic in topics {
            state.hubs[self.hub].listens.remove(&topic);
        }
    }

    fn publish(&self, topic: Arc<str>, carried: Carried) -> Reply<'_, Placed, PublishFailure> {
        let publish = |state: &mut State| match state.size_max {
            Some(size_max) if carried.message.len() > size_max => {
                Err(PublishFailure::TooLarge(size_max))
            }
            _ => Ok(state.publish(topic, carried)),
        };
        self.store
            .reply("publish", publish, PublishFailure::Unavailable)
    }

    fn read(&self, topic: Arc<str>, after: Position, limit: usize) -> Reply<'_, Page> {
        let read = move |state: &mut State| Ok(state.read(&topic, after, limit));
        self.store.reply("read", read, |why| why)
    }

    fn heads(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        let heads = move |state: &mut State| {
            state.batch = state.batch.max(topics.len());
            Ok(topics.iter().map(|topic| state.head(topic)).collect())
        };
        self.store.reply("heads", heads, |why| why)
    }

    fn renew(&self, topic: Arc<str>, epoch: u64) -> Reply<'_, Position> {
        let renew = move |state: &mut State| {
            if state.stream(&topic).epoch == epoch {
                state.streams.0.remove(&topic);
            }
            Ok(state.head(&topic))
        };
        self.store.reply("renew", renew, |why| why)
    }
}

/// The engine goes with its hub.
impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = self.store.state();
        *state.calls.entry("drop").or_default() += 1;
        state.hubs[self.hub] = Hub::default();
    }
}
