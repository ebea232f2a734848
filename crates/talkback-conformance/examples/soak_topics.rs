//! Clients that stay subscribed to hubs, and account for every publication: `cargo xtask soak hubs` reads what it prints.
//!
//! `soak_topics URL,URL SUBSCRIBERS TOPICS RATE SIZE` subscribes so many at each hub, each to one of so many topics, and
//! publishes so many messages a second, of so many bytes. A client whose hub is gone goes to the next one. Each second has a line; a line of
//! its input ends it, and then comes the account, in JSON.

#[cfg(not(target_arch = "wasm32"))]
#[path = "soak_topics/account.rs"]
mod account;

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    clients::run().await;
}

/// A page has no standard output.
#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod clients {
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use talkback_topics::client::{ErrorKind, Event, TopicChannel};
    use talkback_topics::{SUBPROTOCOL, subscribe};
    use tokio::sync::{Notify, mpsc, watch};
    use tokio::task::JoinSet;
    use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

    use crate::account::{Account, Fate, Ledger};

    /// Who publishes: a topic's messages come from one of them.
    const PUBLISHERS: usize = 4;
    /// How long all may take to have the last publication.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// The number of the message that ends a topic.
    const END: u64 = u64::MAX;
    /// Of a publisher's own numbers.
    const NUMBERS: u64 = 1 << 32;

    type Shared = Arc<Mutex<Ledger>>;

    #[derive(Clone)]
    struct Rig {
        hubs: Arc<[String]>,
        topics: usize,
        /// Of all publishers, in a second.
        rate: f64,
        size: usize,
        begun: Instant,
    }

    pub(super) async fn run() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [hubs, subscribers, topics, rate, size] = &arguments[..] else {
            return eprintln!("soak_topics URL,URL SUBSCRIBERS TOPICS RATE SIZE");
        };
        let number = |text: &String| text.parse::<usize>().expect("it is a number");
        let rig = Rig {
            hubs: hubs.split(',').map(str::to_owned).collect(),
            topics: number(topics),
            rate: number(rate) as f64,
            size: number(size),
            begun: Instant::now(),
        };
        let ledger = Shared::default();
        let gives_up = watch::Sender::new(false);
        let mut accounts = begin(&rig, &ledger, number(subscribers), &gives_up).await;
        println!("begun");
        let is_over = watch::Sender::new(false);
        let mut publishing = JoinSet::new();
        for index in 0..PUBLISHERS {
            publishing.spawn(publish(
                index,
                rig.clone(),
                Arc::clone(&ledger),
                is_over.subscribe(),
            ));
        }
        let seconds = tokio::spawn(tell_seconds(Arc::clone(&ledger)));
        end_of_input().await;
        is_over.send_replace(true);
        let mut ended = Vec::new();
        let all = async {
            while let Some(account) = accounts.join_next().await {
                ended.push(account.expect("a client does not panic"));
            }
        };
        if timeout(2 * PATIENCE, all).await.is_err() {
            gives_up.send_replace(true);
            ended.extend(accounts.join_all().await);
        }
        seconds.abort();
        println!("{}", lock(&ledger).audit(&ended));
    }

    fn lock(ledger: &Shared) -> std::sync::MutexGuard<'_, Ledger> {
        ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(topic: usize) -> String {
        format!("topic {topic}")
    }

    /// A channel that is subscribed, or is none yet, and goes to the hubs in turn.
    fn channel(rig: &Rig, first: usize, topic: Option<usize>) -> TopicChannel {
        let (hubs, next) = (Arc::clone(&rig.hubs), AtomicUsize::new(first));
        // Nobody publishes to the topic of a publisher.
        let topic = topic.map_or_else(|| format!("of publisher {first}"), name);
        let start = hubs[first % hubs.len()].clone();
        subscribe(start, topic)
            .reconnecting(move |reconnecting| {
                reconnecting.before_try(move |_, _| {
                    let hub = &hubs[next.fetch_add(1, Ordering::Relaxed) % hubs.len()];
                    ready(Ok(talkback::connect(hub).subprotocol(SUBPROTOCOL)))
                })
            })
            .channel()
    }

    /// Begins all clients: each gives its account once its topic has ended.
    async fn begin(
        rig: &Rig,
        ledger: &Shared,
        subscribers: usize,
        gives_up: &watch::Sender<bool>,
    ) -> JoinSet<Account> {
        let mut accounts = JoinSet::new();
        let (begun, mut is_begun) = mpsc::unbounded_channel();
        for index in 0..subscribers * rig.hubs.len() {
            // Each topic has as many at each hub.
            let topic = index / rig.hubs.len() % rig.topics;
            let channel = channel(rig, index, Some(topic));
            let (ledger, begun, mut gives_up) =
                (Arc::clone(ledger), begun.clone(), gives_up.subscribe());
            let zero = rig.begun;
            accounts.spawn(async move {
                let mut account = Account::new(topic);
                tokio::select! {
                    () = follow(channel, &mut account, zero, ledger, begun) => {}
                    _ = gives_up.wait_for(|it| *it) => account.ended("it has not come to the end"),
                }
                account
            });
            if index % 100 == 99 {
                // Not all at once: a storm is another soak.
                sleep(Duration::from_millis(20)).await;
            }
        }
        for _ in 0..accounts.len() {
            is_begun.recv().await;
        }
        accounts
    }

    /// Follows a topic to its end.
    async fn follow(
        mut channel: TopicChannel,
        account: &mut Account,
        zero: Instant,
        ledger: Shared,
        begun: mpsc::UnboundedSender<()>,
    ) {
        loop {
            match channel.recv().await {
                Ok(Some(Event::Delivery(delivery))) => {
                    let text = delivery.message().as_text().unwrap_or_default();
                    let mut words = text.split(' ').map(|word| word.parse().unwrap_or(0));
                    let (number, due) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
                    let took = (zero.elapsed().as_micros() as u64).saturating_sub(due);
                    account.delivered(delivery.position(), number);
                    lock(&ledger).delivered(account.topic, delivery.position(), number, took);
                    if number == END {
                        return;
                    }
                }
                Ok(Some(Event::Subscribed(at))) => {
                    account.begins(at.position());
                    // Nobody may wait for it any more.
                    let _ = begun.send(());
                }
                Ok(Some(Event::Reset(at))) => account.reset(at.position()),
                Ok(Some(Event::Gap(gap))) => account.gap(gap.before(), gap.missed()),
                Ok(Some(Event::Stale)) => lock(&ledger).stale(),
                Ok(Some(Event::Live)) => lock(&ledger).live(),
                Ok(Some(_)) => {}
                Ok(None) => return account.ended("closed"),
                Err(error) => return account.ended(&error.to_string()),
            }
        }
    }

    /// Publishes to its topics in turn until it is over, and then their ends, again and again, once all is answered.
    async fn publish(index: usize, rig: Rig, ledger: Shared, mut is_over: watch::Receiver<bool>) {
        let mut channel = channel(&rig, index, None);
        let own: Vec<usize> = (index..rig.topics).step_by(PUBLISHERS).collect();
        if own.is_empty() {
            return;
        }
        let rate = rig.rate * own.len() as f64 / rig.topics as f64;
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (start, mut sent) = (Instant::now(), 0_u64);
        while !*is_over.borrow() {
            tokio::select! {
                received = channel.recv() => answered(index, received, &ledger),
                _ = is_over.changed() => {}
                _ = tick.tick() => {
                    while (sent as f64) < start.elapsed().as_secs_f64() * rate {
                        let due = start + Duration::from_secs_f64(sent as f64 / rate);
                        let topic = own[sent as usize % own.len()];
                        let number = index as u64 * NUMBERS + sent + 1;
                        let head = format!("{number} {} ", (due - rig.begun).as_micros());
                        let text = format!("{head:x<size$}", size = rig.size);
                        if channel.publish(&name(topic), text).is_err() {
                            // Too many wait for an answer. It is due, and leaves later.
                            break;
                        }
                        sent += 1;
                        lock(&ledger).published(number, topic, Fate::Unknown);
                    }
                }
            }
        }
        let unanswered =
            |ledger: &Shared| lock(ledger).unanswered(index as u64 * NUMBERS, NUMBERS) > 0;
        let answers = async {
            while unanswered(&ledger) {
                answered(index, channel.recv().await, &ledger);
            }
        };
        let _ = timeout(PATIENCE, answers).await;
        // Whoever comes back late, and begins behind an end, gets the next one.
        loop {
            for topic in &own {
                end(&mut channel, &rig, *topic).await;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn answered(
        index: usize,
        received: Result<Option<Event>, talkback_topics::client::Error>,
        ledger: &Shared,
    ) {
        let own = index as u64 * NUMBERS;
        match received {
            Ok(Some(Event::Published(published))) => {
                let fate = Fate::Ok(published.position());
                lock(ledger).answered(own + published.number(), fate);
            }
            Err(error) if error.kind() == ErrorKind::NotPublished => {
                let number = error.number().unwrap_or(0);
                lock(ledger).answered(own + number, Fate::Refused(error.to_string()));
            }
            Ok(Some(_)) => {}
            Ok(None) => println!("publisher {index} was closed"),
            Err(error) => println!("publisher {index}: {error}"),
        }
    }

    /// Publishes the end of a topic until it stands.
    async fn end(channel: &mut TopicChannel, rig: &Rig, topic: usize) {
        loop {
            let due = rig.begun.elapsed().as_micros();
            let _ = channel.publish(&name(topic), format!("{END} {due} "));
            loop {
                match channel.recv().await {
                    Ok(Some(Event::Published(published))) if published.topic() == name(topic) => {
                        return;
                    }
                    Err(error) if error.kind() == ErrorKind::NotPublished => break,
                    Ok(None) => return,
                    _ => {}
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn tell_seconds(ledger: Shared) {
        let mut tick = interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            println!("{}", lock(&ledger).second());
        }
    }

    async fn end_of_input() {
        let notify = Arc::new(Notify::new());
        let ended = Arc::clone(&notify);
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_line(&mut String::new());
            ended.notify_one();
        });
        notify.notified().await;
    }
}
