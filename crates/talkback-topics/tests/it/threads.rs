//! Several threads at a time.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use talkback_topics::{Next, Start, Subscriber, Topic};

use crate::support::{now, publish, text, topic};

/// Reads so many, on a thread of its own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

async fn read(subscriber: &mut Subscriber, count: usize) -> Vec<String> {
    let mut read = Vec::new();
    while read.len() < count {
        match subscriber.next().await.unwrap() {
            Next::Delivery(delivery) => read.push(text(delivery.message().message()).to_owned()),
            next => panic!("{next:?}"),
        }
    }
    read
}

fn subscribed(topic: &Topic, start: Start) -> Subscriber {
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(topic, start)).unwrap();
    subscriber
}

#[test]
fn to2_all_see_one_order() {
    let topic = topic();
    let subscribers: Vec<_> = (0..4).map(|_| subscribed(&topic, Start::Now)).collect();
    let all: Vec<_> = thread::scope(|scope| {
        let reading = subscribers
            .into_iter()
            .map(|mut subscriber| scope.spawn(move || block_on(read(&mut subscriber, 1000))));
        let reading: Vec<_> = reading.collect();
        for publisher in 0..4 {
            let topic = &topic;
            scope.spawn(move || publish(topic, publisher * 1000..publisher * 1000 + 250));
        }
        reading.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(all.iter().all(|it| *it == all[0]));
    for publisher in 0..4 {
        let of_one = all[0].iter().map(|it| it.parse::<u64>().unwrap());
        let of_one: Vec<_> = of_one.filter(|it| it / 1000 == publisher).collect();
        let expected: Vec<_> = (publisher * 1000..publisher * 1000 + 250).collect();
        assert_eq!(of_one, expected);
    }
}

#[test]
fn rv2_a_recovery_amid_publications_has_no_hole_and_no_double() {
    let topic = topic();
    publish(&topic, 0..10);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 10..600 {
                publish(&topic, [number]);
                thread::yield_now();
            }
        });
        let mut position = None;
        let mut next = 0;
        while next < 600 {
            let start = position.map_or(Start::Last(1000), Start::After);
            let mut subscriber = subscribed(&topic, start);
            // It comes back again and again.
            for _ in 0..20.min(600 - next) {
                let Next::Delivery(delivery) = block_on(subscriber.next()).unwrap() else {
                    panic!("it is not slow");
                };
                assert_eq!(text(delivery.message().message()), next.to_string());
                position = Some(delivery.position());
                next += 1;
            }
        }
    });
}

#[test]
fn to20_an_id_from_two_threads_is_published_once() {
    for round in 0..100 {
        let topic = topic();
        let mut subscriber = subscribed(&topic, Start::Now);
        let barrier = Barrier::new(4);
        let published: Vec<_> = thread::scope(|scope| {
            let publishing = [(); 4].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    now(topic.publish("1").id("order-17").into_future()).unwrap()
                })
            });
            publishing
                .into_iter()
                .map(|it| it.join().unwrap())
                .collect()
        });
        assert_eq!(
            published.iter().filter(|it| !it.is_duplicate()).count(),
            1,
            "{round}"
        );
        assert!(
            published
                .iter()
                .all(|it| it.position() == published[0].position())
        );
        assert_eq!(crate::support::read(&mut subscriber), ["1"]);
    }
}

#[test]
fn to22_some_come_while_10000_leave() {
    let topic = topic();
    let leaving: Vec<_> = (0..10_000)
        .map(|_| subscribed(&topic, Start::Now))
        .collect();
    let barrier = Barrier::new(3);
    let stayed: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            drop(leaving);
        });
        scope.spawn(|| {
            barrier.wait();
            publish(&topic, 0..100);
        });
        barrier.wait();
        let begun = std::time::Instant::now();
        let stayed = (0..100).map(|_| subscribed(&topic, Start::Now)).collect();
        // The goal is 50 ms for each; that of all of them is a hundred times more than it takes.
        assert!(begun.elapsed() < Duration::from_secs(30));
        stayed
    });
    assert_eq!(topic.subscribers(), 100);
    let published = now(topic.publish("last").into_future()).unwrap();
    assert_eq!(published.subscribers(), 100);
    for mut subscriber in stayed {
        let all = crate::support::read(&mut subscriber);
        assert_eq!(all.last().unwrap(), "last");
    }
    assert_eq!(topic.subscribers(), 0);
}
