//! A hub: topics over Redis, in this process, and those who read there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use talkback_topics::{
    Backplane, Begun, Carried, Inbox, Next, Page, Placed, Position, PublishError, PublishFailure,
    Published, Redis, RedisConnect, Reply, Reset, Start, Subscriber, Topic, Topics,
};
use tokio::time::timeout;

/// How long anything may take that is not about time.
const PATIENCE: Duration = Duration::from_secs(90);

/// Topics over a Redis.
pub(crate) struct Hub {
    pub(crate) topics: Topics,
    pub(crate) asked: Arc<Asked>,
}

/// How often a hub has asked its Redis.
#[derive(Default)]
pub(crate) struct Asked {
    attached: AtomicUsize,
    read: AtomicUsize,
}

impl Asked {
    pub(crate) fn attached(&self) -> usize {
        self.attached.load(Ordering::SeqCst)
    }

    pub(crate) fn read(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }
}

impl Hub {
    /// A hub that has its connections.
    pub(crate) async fn at(url: &str) -> Self {
        Self::by(Redis::connect(url)).await
    }

    pub(crate) async fn by(connect: RedisConnect) -> Self {
        let hub = Self::down(connect).await;
        in_time("the first connection", hub.topics.up()).await;
        hub
    }

    /// A hub that need not have them yet.
    pub(crate) async fn down(connect: RedisConnect) -> Self {
        let redis = connect.await.expect("nothing is wrong with it");
        let asked = Arc::<Asked>::default();
        let counting = Counting(redis, Arc::clone(&asked));
        let topics = Topics::over(counting);
        Self { topics, asked }
    }

    pub(crate) fn topic(&self, name: &str) -> Topic {
        self.topics.topic(name).expect("it is a name")
    }

    pub(crate) async fn publish(&self, topic: &str, text: &str) -> Published {
        self.try_publish(topic, text)
            .await
            .expect("it is published")
    }

    pub(crate) async fn try_publish(
        &self,
        topic: &str,
        text: &str,
    ) -> Result<Published, PublishError> {
        self.topic(topic).publish(text).await
    }

    /// One who reads from now on.
    pub(crate) async fn reader(&self, topic: &str) -> Reader {
        self.reader_from(topic, Start::Now).await.0
    }

    pub(crate) async fn reader_from(&self, topic: &str, start: Start) -> (Reader, Begun) {
        let mut subscriber = Subscriber::new();
        let begun = subscriber.subscribe(&self.topic(topic), start).await;
        let begun = begun.expect("the topic can be had");
        (Reader { subscriber }, begun)
    }
}

/// One who reads a topic.
pub(crate) struct Reader {
    pub(crate) subscriber: Subscriber,
}

impl Reader {
    pub(crate) async fn next(&mut self) -> Next {
        let next = in_time("what comes next", self.subscriber.next()).await;
        next.expect("it is not slow")
    }

    /// The next publication, and where it stands.
    pub(crate) async fn delivery(&mut self) -> (String, Position) {
        match self.next().await {
            Next::Delivery(delivery) => {
                let message = delivery.message().message();
                let text = message.as_text().expect("it is text");
                (text.to_owned(), delivery.position())
            }
            other => panic!("no publication: {other:?}"),
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        self.delivery().await.0
    }

    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.text().await);
        }
        texts
    }

    /// Everything but publications until one of this text has come, and the texts of all of them.
    pub(crate) async fn until(&mut self, last: &str) -> (Vec<String>, Vec<Next>) {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        loop {
            match self.next().await {
                Next::Delivery(delivery) => {
                    let message = delivery.message().message();
                    texts.push(message.as_text().expect("it is text").to_owned());
                }
                other => others.push(other),
            }
            if texts.last().is_some_and(|it| it == last) {
                return (texts, others);
            }
        }
    }

    /// What of this kind comes next; publications before it are an error.
    pub(crate) async fn told(&mut self, what: fn(&Next) -> bool) {
        let next = self.next().await;
        assert!(what(&next), "{next:?}");
    }

    /// That the topic was lost; an outage before it is told where it lasts, which is the machine's matter.
    pub(crate) async fn reset(&mut self) -> Reset {
        loop {
            match self.next().await {
                Next::Reset(reset) => break reset,
                Next::Stale | Next::Live => {}
                other => panic!("it was lost: {other:?}"),
            }
        }
    }

    /// A publication, and nothing before it but the end of an outage.
    pub(crate) async fn only(&mut self, text: &str) {
        let (texts, others) = self.until(text).await;
        assert_eq!(texts, [text]);
        let is_live = others.iter().all(|it| matches!(it, Next::Live));
        assert!(is_live, "{others:?}");
    }
}

pub(crate) async fn in_time<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, done).await;
    done.unwrap_or_else(|_| panic!("{what} takes more than {PATIENCE:?}"))
}

/// Counts what is asked.
struct Counting(Redis, Arc<Asked>);

impl Backplane for Counting {
    fn start(&self, inbox: Inbox) {
        self.0.start(inbox);
    }

    fn attach(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        self.1.attached.fetch_add(topics.len(), Ordering::SeqCst);
        self.0.attach(topics)
    }

    fn detach(&self, topics: Vec<Arc<str>>) {
        self.0.detach(topics);
    }

    fn publish(&self, topic: Arc<str>, carried: Carried) -> Reply<'_, Placed, PublishFailure> {
        self.0.publish(topic, carried)
    }

    fn read(&self, topic: Arc<str>, after: Position, limit: usize) -> Reply<'_, Page> {
        self.1.read.fetch_add(1, Ordering::SeqCst);
        self.0.read(topic, after, limit)
    }

    fn heads(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        self.0.heads(topics)
    }

    fn renew(&self, topic: Arc<str>, epoch: u64) -> Reply<'_, Position> {
        self.0.renew(topic, epoch)
    }
}
