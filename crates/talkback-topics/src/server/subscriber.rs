//! A subscriber: how far it has read its topics.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, Sleep};

use crate::server::error::{SubscribeError, SubscribeErrorKind, TooSlow};
use crate::server::event::{Delivery, Next};
use crate::server::form::Form;
use crate::server::joining::join;
use crate::server::keep::EVER;
use crate::server::mailbox::{Mailbox, News};
use crate::server::metrics;
use crate::server::slow::Slow;
use crate::server::state::TopicState;
use crate::server::subscription::{Batch, Read, Reading, Subscription, Told};
use crate::server::subscriptions::Subscriptions;
use crate::server::topic::Topic;
use crate::start::{Begun, Start};

/// How long what is next may have waited.
const LAG_MAX: Duration = Duration::from_secs(30);

/// One who reads topics, mostly for a connection: by [`pump`](Self::pump), which serves a [`WebSocket`](talkback::WebSocket), or by
/// hand, by [`next`](Self::next), for whatever it is sent over. It is a [`Stream`] of the same, which ends once it was too slow.
///
/// Each topic's publications come in their order, without a hole that it is not told of; topics take turns. It holds none of
/// them while it waits, but only how far it has read. Dropping it ends its subscriptions.
pub struct Subscriber {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) subscriptions: Subscriptions,
    /// Whose turn it is.
    pub(crate) turn: u32,
    pub(crate) slow: Slow,
    /// Whether its connection takes nothing at the moment.
    pub(crate) is_blocked: bool,
    /// Whether it was told that nothing comes.
    is_stale: bool,
    is_stream_over: bool,
    connection: Option<u64>,
    pub(crate) form: Option<Form>,
    delivered: u64,
    aside: Option<Box<Aside>>,
}

/// What few subscribers have: of those that wait there are many.
struct Aside {
    lag_max: Duration,
    too_slow: Option<TooSlow>,
    /// Set where its connection takes nothing, for when it has been so for too long.
    timer: Option<Pin<Box<Sleep>>>,
    skipped: u64,
    /// How many waited for it when it was too slow.
    unread: u64,
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            lag_max: LAG_MAX,
            too_slow: None,
            timer: None,
            skipped: 0,
            unread: 0,
        }
    }
}

impl Subscriber {
    /// A subscriber of no topic yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            mailbox: Mailbox::new(),
            subscriptions: Subscriptions::default(),
            turn: 0,
            slow: Slow::default(),
            is_blocked: false,
            is_stale: false,
            is_stream_over: false,
            connection: None,
            form: None,
            delivered: 0,
            aside: None,
        }
    }

    /// Sets what becomes of it if it is too far behind: [`Slow::Close`] by default.
    #[must_use]
    pub fn slow(mut self, slow: Slow) -> Self {
        self.slow = slow;
        self
    }

    /// Sets how long what it has to get next may have waited, since it was published or, if that is later, since the
    /// subscription began: 30 s by default.
    #[must_use]
    pub fn lag_max(mut self, lag_max: Duration) -> Self {
        self.aside().lag_max = lag_max.min(EVER);
        self
    }

    /// Says which connection it is for, by the number that [`Publish::except`](crate::Publish::except) leaves out, such as
    /// `ServerConnection::id`.
    #[must_use]
    pub fn for_connection(mut self, id: u64) -> Self {
        self.connection = Some(id);
        self
    }

    /// Sets what publications are sent as: as they were published, by default.
    #[must_use]
    pub fn form(mut self, form: &Form) -> Self {
        self.form = Some(form.clone());
        self
    }

    /// Subscribes to a topic, from now on or from an earlier publication: the first one that comes is the one behind
    /// [`Begun::position`], and none is left out between what was kept and what is published from now on.
    ///
    /// Over a [backplane](crate::Backplane), the first subscriber of a topic waits until that listens to it, and one with a position
    /// that is older than what is here until that is read from there, once for all who come meanwhile. While it cannot be reached, a
    /// subscription begins if what is here is enough for that.
    ///
    /// # Errors
    /// It is subscribed to the topic, or was too slow; or the backplane cannot be reached, and is needed.
    ///
    /// # Cancel safety
    /// In memory it subscribes at the first poll, or not at all. Over a backplane a dropped call has not subscribed, and may have had the
    /// backplane listen to the topic for some time.
    pub async fn subscribe(
        &mut self,
        topic: &Topic,
        start: impl Into<Start>,
    ) -> Result<Begun, SubscribeError> {
        let start = start.into();
        if self.too_slow().is_some() {
            return Err(SubscribeError::new(SubscribeErrorKind::TooSlow));
        }
        if self.subscriptions.iter().any(|it| it.is_of(&topic.state)) {
            return Err(SubscribeError::new(SubscribeErrorKind::Subscribed));
        }
        let (subscription, begun) = begin(&topic.state, &self.mailbox, start).await?;
        self.take(subscription);
        Ok(begun)
    }

    /// Who wakes it.
    #[cfg(feature = "json")]
    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    /// Takes in what [`begin`] gave.
    pub(crate) fn take(&mut self, mut subscription: Subscription) {
        let mut others = self.subscriptions.iter();
        subscription.is_behind = others.any(|other| other.is_in_topic_of(&subscription));
        self.mailbox.post(subscription.news());
        self.subscriptions.push(subscription);
    }

    /// Ends the subscription to a topic: what was published before still comes, and nothing after it. `false` if there is none.
    pub fn unsubscribe(&mut self, topic: &Topic) -> bool {
        let mut subscriptions = self.subscriptions.iter_mut();
        let Some(subscription) = subscriptions.find(|it| it.is_of(&topic.state)) else {
            return false;
        };
        subscription.leave();
        self.mailbox.post(subscription.news());
        self.drop_those_over();
        true
    }

    /// Waits for the next publication, or something that is to be told before it.
    ///
    /// It gives what there is, however long the caller was away: whether it is too far behind is found when this is called.
    ///
    /// # Errors
    /// It was too slow, with [`Slow::Close`]; then and ever after.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Result<Next, TooSlow> {
        poll_fn(|cx| self.poll_next_one(cx)).await
    }

    /// How many publications it was given.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many it has missed as it was too slow, has [`Slow::Latest`], or as the backplane has lost them.
    pub fn skipped(&self) -> u64 {
        self.aside.as_ref().map_or(0, |aside| aside.skipped)
    }

    /// How many wait for it. Of what was published since it subscribed, this, what was [`delivered`](Self::delivered), what was
    /// [`skipped`](Self::skipped), and what leaves out its connection, is all, as long as no topic begins anew.
    pub fn waiting(&self) -> u64 {
        let subscriptions = self.subscriptions.iter();
        let unread = self.aside.as_ref().map_or(0, |aside| aside.unread);
        unread + subscriptions.map(Subscription::waiting).sum::<u64>()
    }

    /// Whether there is something to come of a topic, now or later.
    #[cfg(feature = "json")]
    pub(crate) fn has(&self, topic: &Topic) -> bool {
        let mut subscriptions = self.subscriptions.iter();
        subscriptions.any(|it| it.is_in(&topic.state))
    }

    fn poll_next_one(&mut self, cx: &Context<'_>) -> Poll<Result<Next, TooSlow>> {
        loop {
            if let Some(too_slow) = self.too_slow() {
                return Poll::Ready(Err(too_slow.clone()));
            }
            if let Some(next) = self.read_one() {
                return Poll::Ready(Ok(next));
            }
            self.mailbox.rest(cx.waker());
            if self.too_slow().is_none() && !self.mailbox.has_news() {
                return Poll::Pending;
            }
        }
    }

    /// What is next.
    fn read_one(&mut self) -> Option<Next> {
        let news = self.mailbox.take_news();
        let next = self.read_one_of(news)?;
        // There may be more.
        self.mailbox.post(news);
        Some(next)
    }

    /// What is next of the topics with news, one after another.
    fn read_one_of(&mut self, news: News) -> Option<Next> {
        let now = Instant::now();
        let mut left = self.subscriptions.len();
        while left > 0 {
            let index = self.take_turn();
            if !self.subscriptions[index].has_news(news) {
                left -= 1;
                continue;
            }
            let mut batch = Batch::new();
            if self.read(index, now, 1, usize::MAX, &mut batch) == Read::TooFar {
                return None;
            }
            if let Some(told) = self.subscriptions[index].take_told() {
                self.drop_those_over();
                return Some(match told {
                    Told::Gap(gap) => Next::Gap(gap),
                    Told::Reset(reset) => Next::Reset(reset),
                });
            }
            let Some(entry) = batch.take().next() else {
                self.drop_those_over();
                left = self.subscriptions.len();
                continue;
            };
            self.hold_news(news);
            let is_own = self.is_own(entry.except);
            let prepared = (!is_own).then(|| entry.with(self.form.as_ref(), Clone::clone));
            self.subscriptions[index].advance();
            self.drop_those_over();
            match prepared {
                Some(prepared) => {
                    self.count(now.saturating_duration_since(entry.at));
                    return Some(Next::Delivery(Delivery { entry, prepared }));
                }
                None => left = self.subscriptions.len(),
            }
        }
        self.take_staleness(news).map(|staleness| match staleness {
            Staleness::Stale => Next::Stale,
            Staleness::Live => Next::Live,
        })
    }

    /// Whether it is to be told that nothing comes for a time, or that it does again. That is told once there is nothing else.
    pub(crate) fn take_staleness(&mut self, news: News) -> Option<Staleness> {
        let is_stale = match self.is_stale {
            // It is told in the topics that are.
            false => self
                .subscriptions
                .iter()
                .any(|it| it.has_become_stale(news)),
            true => {
                self.subscriptions.is_empty()
                    || self.subscriptions.iter().any(Subscription::is_stale)
            }
        };
        if is_stale == self.is_stale {
            return None;
        }
        self.is_stale = is_stale;
        Some(match self.is_stale {
            true => Staleness::Stale,
            false => Staleness::Live,
        })
    }

    /// Whose turn it is; then it is the next one's.
    pub(crate) fn take_turn(&mut self) -> usize {
        let index = self.turn as usize % self.subscriptions.len();
        self.turn_to(index + 1);
        index
    }

    /// Has this one be next.
    pub(crate) fn turn_to(&mut self, index: usize) {
        // Of more subscriptions than that, the first have their turn.
        self.turn = index as u32;
    }

    fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    pub(crate) fn too_slow(&self) -> Option<&TooSlow> {
        self.aside.as_ref()?.too_slow.as_ref()
    }

    pub(crate) fn allowed_lag(&self) -> Duration {
        self.aside.as_ref().map_or(LAG_MAX, |aside| aside.lag_max)
    }

    /// What tells that its connection has taken nothing for too long.
    pub(crate) fn timer(&mut self) -> &mut Option<Pin<Box<Sleep>>> {
        &mut self.aside().timer
    }

    /// Has it look again, should what makes a form panic, which is foreign code.
    pub(crate) fn hold_news(&self, news: News) {
        if self.form.is_some() {
            self.mailbox.post(news);
        }
    }

    pub(crate) fn is_own(&self, except: Option<u64>) -> bool {
        except.is_some() && except == self.connection
    }

    pub(crate) fn count(&mut self, lag: Duration) {
        self.delivered += 1;
        metrics::delivered(lag);
    }

    /// Reads what is next of one topic. If it was too far behind, it has ended.
    pub(crate) fn read(
        &mut self,
        index: usize,
        now: Instant,
        count: usize,
        room: usize,
        batch: &mut Batch,
    ) -> Read {
        let how = Reading {
            slow: self.slow,
            lag_max: self.allowed_lag(),
            now,
            count,
            room,
        };
        let subscription = &mut self.subscriptions[index];
        let read = subscription.read(&how, batch);
        match read {
            Read::Skipped(0) | Read::NoRoom => {}
            Read::Skipped(skipped) => {
                metrics::skipped(self.slow, skipped);
                self.aside().skipped += skipped;
            }
            Read::Missed(missed) => self.aside().skipped += missed,
            Read::TooFar => {
                let too_slow = TooSlow::new(Arc::clone(subscription.topic()));
                let unread = self.waiting();
                self.subscriptions = Subscriptions::default();
                let aside = self.aside();
                (aside.too_slow, aside.unread, aside.timer) = (Some(too_slow), unread, None);
                metrics::slow_closed();
            }
        }
        read
    }

    /// Drops subscriptions that have ended, and lets those begin that waited for them.
    pub(crate) fn drop_those_over(&mut self) {
        while let Some(index) = self.subscriptions.iter().position(Subscription::is_over) {
            let over = self.subscriptions.remove(index);
            let mut later = self.subscriptions[index..].iter_mut();
            if let Some(next) = later.find(|it| it.is_in_topic_of(&over)) {
                next.is_behind = false;
                self.mailbox.post(next.news());
            }
            if index < self.turn as usize {
                self.turn -= 1;
            }
        }
    }
}

/// Whether what a subscriber gets is all that there is.
pub(crate) enum Staleness {
    Stale,
    Live,
}

/// Begins a subscription that a subscriber with this mailbox is to [take](Subscriber::take).
pub(crate) async fn begin(
    topic: &Arc<TopicState>,
    mailbox: &Arc<Mailbox>,
    start: Start,
) -> Result<(Subscription, Begun), SubscribeError> {
    let joined = match topic.uplink {
        None => topic.join(mailbox, start),
        Some(_) => join(topic, mailbox, start).await?,
    };
    Ok((Subscription::new(topic, &joined), joined.begun))
}

/// A [`Subscriber`] of no topic yet.
impl Default for Subscriber {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream for Subscriber {
    type Item = Result<Next, TooSlow>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let subscriber = self.get_mut();
        if subscriber.is_stream_over {
            return Poll::Ready(None);
        }
        let next = subscriber.poll_next_one(cx);
        subscriber.is_stream_over = matches!(next, Poll::Ready(Err(_)));
        next.map(Some)
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("topics", &self.subscriptions.len())
            .field("slow", &self.slow)
            .field("delivered", &self.delivered)
            .field("skipped", &self.skipped())
            .finish_non_exhaustive()
    }
}
