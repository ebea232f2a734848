//! Topics under random schedules: `--cfg shuttle`.
//!
//! Every lock and every flag is a point at which another task may run. A subscriber that is left asleep is a deadlock, which
//! the checker reports. A round of wake-ups is in portions of one here, by a task wherever there is more than one subscriber.

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::RandomScheduler;
use shuttle::{Config, Runner, thread};
use talkback_topics::{Next, Position, Start, Subscriber, Topic, Topics};

/// How many schedules each test has, unless the environment says otherwise.
const SCHEDULES: usize = 10_000;
/// In bytes.
const STACK_SIZE: usize = 256 * 1024;
/// The variable of the environment that says it.
const SCHEDULES_VARIABLE: &str = "TALKBACK_SCHEDULES";

pub(crate) fn check(test: impl Fn() + Send + Sync + 'static) {
    let schedules = match std::env::var(SCHEDULES_VARIABLE) {
        Ok(number) => number.parse().expect("it is a number"),
        Err(_) => SCHEDULES,
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // All tasks of a schedule run on this thread.
    let _guard = runtime.enter();
    let mut config = Config::new();
    // A hub's tasks need more than a thread has by default.
    config.stack_size = STACK_SIZE;
    Runner::new(RandomScheduler::new(schedules), config).run(test);
}

fn topic() -> Topic {
    Topics::new().topic("prices").unwrap()
}

fn subscribed(topic: &Topic, start: Start) -> Subscriber {
    let mut subscriber = Subscriber::new();
    block_on(subscriber.subscribe(topic, start)).unwrap();
    subscriber
}

fn publish(topic: &Topic, text: &str) -> Position {
    let publishing = topic.publish(text).into_future();
    block_on(publishing).unwrap().position()
}

pub(crate) async fn read(subscriber: &mut Subscriber, count: usize) -> Vec<(Position, String)> {
    let mut read = Vec::new();
    while read.len() < count {
        match subscriber.next().await.unwrap() {
            Next::Delivery(delivery) => {
                let text = delivery.message().message().as_text().unwrap();
                read.push((delivery.position(), text.to_owned()));
            }
            next => panic!("{next:?}"),
        }
    }
    read
}

#[test]
fn to2_several_publishers_and_one_order() {
    check(|| {
        let topic = topic();
        let reading: Vec<_> = (0..3)
            .map(|_| {
                let mut subscriber = subscribed(&topic, Start::Now);
                spawn(async move { read(&mut subscriber, 4).await })
            })
            .collect();
        for publisher in ["a", "b"] {
            let topic = topic.clone();
            thread::spawn(move || {
                for number in 0..2 {
                    publish(&topic, &format!("{publisher}{number}"));
                }
            });
        }
        block_on(async {
            let mut orders = Vec::new();
            for reading in reading {
                orders.push(reading.await.unwrap());
            }
            assert!(orders.iter().all(|order| *order == orders[0]));
        });
    });
}

#[test]
fn to16_a_subscriber_that_publishes() {
    check(|| {
        let topic = topic();
        let subscribers = [(); 2].map(|()| subscribed(&topic, Start::Now));
        let handling: Vec<_> = subscribers
            .into_iter()
            .map(|mut subscriber| {
                let topic = topic.clone();
                spawn(async move {
                    topic.publish("hello").await.unwrap();
                    read(&mut subscriber, 2).await
                })
            })
            .collect();
        block_on(async {
            for handling in handling {
                assert_eq!(handling.await.unwrap().len(), 2);
            }
        });
    });
}

#[test]
fn to20_an_id_from_two_at_once() {
    check(|| {
        let topic = topic();
        let publishing = [(); 2].map(|()| {
            let topic = topic.clone();
            spawn(async move { topic.publish("1").id("order-17").await.unwrap() })
        });
        block_on(async {
            let mut published = Vec::new();
            for publishing in publishing {
                published.push(publishing.await.unwrap());
            }
            assert_eq!(published[0].position(), published[1].position());
            assert_ne!(published[0].is_duplicate(), published[1].is_duplicate());
        });
    });
}

#[test]
fn to24_nobody_sleeps_over_a_publication() {
    check(|| {
        let topic = topic();
        let reading: Vec<_> = (0..3)
            .map(|_| {
                let mut subscriber = subscribed(&topic, Start::Now);
                // Each waits anew for each.
                spawn(async move {
                    for _ in 0..3 {
                        read(&mut subscriber, 1).await;
                    }
                })
            })
            .collect();
        let publishing: Vec<_> = (0..3)
            .map(|_| {
                let topic = topic.clone();
                spawn(async move { topic.publish("hello").await.unwrap() })
            })
            .collect();
        block_on(async {
            for publishing in publishing {
                publishing.await.unwrap();
            }
            for reading in reading {
                reading.await.unwrap();
            }
        });
    });
}

#[test]
fn to24_while_others_come_and_go() {
    check(|| {
        let topic = topic();
        let mut stays = subscribed(&topic, Start::Now);
        let reading = spawn(async move { read(&mut stays, 2).await });
        for _ in 0..2 {
            let topic = topic.clone();
            thread::spawn(move || drop(subscribed(&topic, Start::Now)));
        }
        for text in ["1", "2"] {
            let topic = topic.clone();
            thread::spawn(move || publish(&topic, text));
        }
        block_on(reading).unwrap();
    });
}

#[test]
fn rv2_a_recovery_amid_publications() {
    check(|| {
        let topic = topic();
        let first = publish(&topic, "0");
        publish(&topic, "1");
        let publishing = {
            let topic = topic.clone();
            thread::spawn(move || {
                for number in 2..5 {
                    publish(&topic, &number.to_string());
                }
            })
        };
        let mut subscriber = subscribed(&topic, Start::After(first));
        let got = block_on(read(&mut subscriber, 4));
        let texts: Vec<_> = got.iter().map(|(_, text)| &**text).collect();
        assert_eq!(texts, ["1", "2", "3", "4"]);
        publishing.join().unwrap();
        // It comes back amid them as well.
        let mut again = subscribed(&topic, Start::After(got[1].0));
        assert_eq!(block_on(read(&mut again, 2)), got[2..]);
    });
}
