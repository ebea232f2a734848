//! What publications are sent as.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talkback::Message;
use talkback_topics::{Form, Next, Start, Subscriber, Topic};

use crate::support::{Served, now, poll_once, publish, read, topic};

fn with(form: &Form, topic: &Topic) -> Subscriber {
    let mut subscriber = Subscriber::new().form(form);
    now(subscriber.subscribe(topic, Start::Now)).unwrap();
    subscriber
}

/// A form that counts how often it was made.
fn counted(prefix: &'static str) -> (Form, Arc<AtomicUsize>) {
    let made = Arc::<AtomicUsize>::default();
    let form = Form::new({
        let made = Arc::clone(&made);
        move |publication| {
            made.fetch_add(1, Ordering::SeqCst);
            let text = publication.message().as_text().unwrap();
            format!("{prefix}{} {text}", publication.topic()).into()
        }
    });
    (form, made)
}

#[test]
fn a_form_is_made_once_for_all_that_have_it() {
    let topic = topic();
    let (form, made) = counted("");
    let mut subscribers: Vec<_> = (0..5).map(|_| with(&form, &topic)).collect();
    let mut served = Served::to(&topic, Subscriber::new().form(&form.clone()));
    publish(&topic, 1..=3);
    let mut places = Vec::new();
    for subscriber in &mut subscribers {
        let Some(Ok(Next::Delivery(delivery))) = poll_once(subscriber.next()) else {
            panic!("there is one");
        };
        places.push(delivery.message().message().as_bytes().as_ptr());
        assert_eq!(read(subscriber), ["prices 2", "prices 3"]);
    }
    assert_eq!(served.texts(), ["prices 1", "prices 2", "prices 3"]);
    assert_eq!(made.load(Ordering::SeqCst), 3);
    assert!(places.iter().all(|place| *place == places[0]));
}

#[test]
fn each_form_is_its_own_and_a_fifth_is_made_for_each() {
    let topic = topic();
    let forms: Vec<_> = ["0", "1", "2", "3", "4"].map(counted).into();
    let mut subscribers: Vec<_> = forms
        .iter()
        .flat_map(|(form, _)| [with(form, &topic), with(form, &topic)])
        .collect();
    let mut plain = Subscriber::new();
    now(plain.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, [7]);
    for (index, subscriber) in subscribers.iter_mut().enumerate() {
        assert_eq!(read(subscriber), [format!("{}prices 7", index / 2)]);
    }
    assert_eq!(read(&mut plain), ["7"]);
    let made: Vec<_> = forms
        .iter()
        .map(|(_, made)| made.load(Ordering::SeqCst))
        .collect();
    assert_eq!(made, [1, 1, 1, 1, 2]);
}

#[test]
fn to21_a_form_that_panics_harms_nobody_else() {
    let topic = topic();
    let bad = Form::new(|publication| match publication.message().as_text() {
        Some("2") => panic!("as the test wants it"),
        _ => publication.message().clone(),
    });
    let (good, _) = counted("");
    let mut unlucky = with(&bad, &topic);
    let mut pumped = Served::to(&topic, Subscriber::new().form(&bad));
    let mut others = [with(&good, &topic), with(&good, &topic)];
    publish(&topic, 1..=3);
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| read(&mut unlucky))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| pumped.pump())).is_err());
    }
    assert_eq!((unlucky.delivered(), unlucky.waiting()), (1, 2));
    for other in &mut others {
        assert_eq!(read(other), ["prices 1", "prices 2", "prices 3"]);
    }
    let published = now(topic.publish("4").into_future()).unwrap();
    assert_eq!(published.subscribers(), 4);
    drop((unlucky, pumped));
    assert_eq!(topic.subscribers(), 2);
    assert_eq!(read(&mut others[0]), ["prices 4"]);
}

#[test]
fn a_form_sees_what_was_published_and_where() {
    let topic = topic();
    let form = Form::new(|publication| Message::from(publication.position().to_string()));
    let mut subscriber = with(&form, &topic);
    let published = now(topic.publish(b"\xff").into_future()).unwrap();
    assert_eq!(read(&mut subscriber), [published.position().to_string()]);
}
