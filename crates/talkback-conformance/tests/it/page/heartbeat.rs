//! The heartbeat in a page: what happens to the page asks at once, and its timers may be late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use talkback::{ChannelState, Heartbeat, LostCause, Message, WebSocketChannel};
use talkback_conformance::{Backend, Behaviour};
use wasm_bindgen_test::wasm_bindgen_test;

use super::hostile::within;
use super::reconnecting::{InTurn, dispatch, until, words};
use crate::browser::Page;

const HOUR: Duration = Duration::from_secs(3600);

/// A channel that is open, and how often its server was asked.
async fn beating(
    behaviour: Behaviour,
    times: impl FnOnce(Heartbeat) -> Heartbeat,
) -> (WebSocketChannel, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let message = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Message::from("there?")
    };
    let is_answer = |message: &Message| message.as_text() == Some("there?");
    let heartbeat = times(Heartbeat::new(message, is_answer));
    let server = InTurn::new([behaviour, Behaviour::ECHO]);
    let channel = server.soon().heartbeat(heartbeat).channel();
    channel.ready().await.unwrap();
    (channel, asked)
}

/// Holds an event to have an open connection asked, which stays.
pub(crate) async fn asks(target: &str, name: &str) {
    let (mut channel, asked) = beating(Behaviour::ECHO, |heart| heart.interval(HOUR)).await;
    for count in 1..=2 {
        dispatch(target, name);
        until(|| asked.load(Ordering::Relaxed) == count).await;
        // The answer comes before it.
        channel.send("a").await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some("a".into()));
    }
    assert_eq!(channel.link().connection(), 1);
}

#[wasm_bindgen_test]
async fn re84_what_happens_to_the_page_asks_a_server_which_stays_if_it_answers() {
    asks("globalThis", "offline").await;
    asks("globalThis", "online").await;
    asks("document", "visibilitychange").await;
    asks("document", "resume").await;
}

#[wasm_bindgen_test]
async fn re84_one_that_does_not_is_lost_and_closed_without_a_code() {
    let id = (js_sys::Math::random() * 2_f64.powi(53)) as u64;
    let timeout = Duration::from_millis(200);
    let times = |heart: Heartbeat| heart.interval(HOUR).timeout(timeout);
    let (channel, _) = beating(Behaviour::Observe { id }, times).await;
    dispatch("globalThis", "offline");
    until(|| channel.link().connection() == 2).await;
    let link = channel.link();
    let lost = link.lost().unwrap();
    assert!(matches!(lost.cause(), LostCause::Heartbeat), "{lost}");
    let mut report = Page::connect(&Behaviour::Report { id }).channel();
    for expected in ["there?", "close 1005"] {
        // Of one that stays open the server never tells.
        let told = within(10_000, report.recv()).await.unwrap();
        assert_eq!(told, Some(expected.into()));
    }
}

#[wasm_bindgen_test]
async fn re84_without_a_heartbeat_nothing_happens() {
    let server = InTurn::new([Behaviour::ECHO]);
    let mut channel = server.soon().channel();
    assert_eq!(words(&mut channel, 1).await, ["opened 1"]);
    // One by one: the channel takes the first of those that come at once.
    for name in ["offline", "online"] {
        dispatch("globalThis", name);
        channel.send("a").await.unwrap();
        // A loss would come before it.
        assert_eq!(words(&mut channel, 1).await, ["a"]);
    }
    assert_eq!(channel.link().connection(), 1);
}

#[wasm_bindgen_test]
async fn re88_a_timer_that_is_late_counts_for_nothing() {
    let id = (js_sys::Math::random() * 2_f64.powi(53)) as u64;
    let timeout = Duration::from_millis(500);
    let times = |heart: Heartbeat| heart.interval(timeout).timeout(timeout);
    js_sys::eval(
        "globalThis.late = 0;
         performance.now = () => Performance.prototype.now.call(performance) + late;",
    )
    .unwrap();
    let (channel, asked) = beating(Behaviour::Observe { id }, times).await;
    until(|| asked.load(Ordering::Relaxed) == 1).await;
    js_sys::eval("globalThis.late = 60_000").unwrap();
    until(|| asked.load(Ordering::Relaxed) == 2 || channel.link().lost().is_some()).await;
    let state = channel.state();
    // What is asked then has its whole time.
    Page.sleep(timeout / 2).await;
    let later = channel.state();
    until(|| channel.link().lost().is_some()).await;
    js_sys::eval("delete performance.now").unwrap();
    assert_eq!([state, later], [ChannelState::Open; 2]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
