//! What happens to a page, and what comes of it on a channel that stays connected. The events are made by the
//! tests, as a browser makes them.

use std::time::Duration;

use talkback::{
    Backoff, ChannelEvent, ChannelState, CloseCause, Limits, LostCause, Message, Reconnecting,
    Verdict, WebSocketChannel,
};
use talkback_conformance::{Backend, Behaviour, When};
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::{Page, is_firefox};

/// How long it takes until something is seen that should not come.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// A server whose connections behave in turn.
pub(crate) struct InTurn {
    id: u64,
    turns: Vec<Behaviour>,
}

impl InTurn {
    pub(crate) fn new(turns: impl Into<Vec<Behaviour>>) -> Self {
        // It may outlive this page.
        let id = (js_sys::Math::random() * 2_f64.powi(53)) as u64;
        let turns = turns.into();
        Self { id, turns }
    }

    /// A channel that tries again soon.
    pub(crate) fn soon(&self) -> Reconnecting {
        self.soon_within(Limits::default())
    }

    fn soon_within(&self, limits: Limits) -> Reconnecting {
        let (id, turns) = (self.id, self.turns.clone());
        let soon = Duration::from_millis(2);
        let backoff = Backoff::default().first(soon).shortest(soon).longest(soon);
        let connect = Page::connect(&Behaviour::InTurn { id, turns });
        connect.limits(limits).reconnect().backoff(backoff)
    }

    /// A channel that waits until something hastens it.
    fn hardly_ever(&self) -> WebSocketChannel {
        let hour = Duration::from_secs(3600);
        let reconnecting = self.soon().decide(move |_, _| Verdict::RetryAfter(hour));
        reconnecting.channel()
    }

    /// How many connections the server saw, and how many of them there still are.
    async fn connections(&self) -> String {
        let mut turns = Page::connect(&Behaviour::Turns { id: self.id }).channel();
        let counts = turns.recv().await.unwrap().unwrap();
        counts.as_text().unwrap().to_owned()
    }
}

/// A server that refuses; a page learns no more than that.
fn refuses() -> Behaviour {
    let (code, body) = (503, String::new());
    Behaviour::Status { code, body }
}

/// Has the page, or a worker, told of something.
pub(crate) fn dispatch(target: &str, name: &str) {
    js_sys::eval(&format!("{target}.dispatchEvent(new Event('{name}'))")).unwrap();
}

pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        Page.sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing happened within 10 s");
}

async fn in_state(channel: &WebSocketChannel, state: ChannelState) {
    until(|| channel.state() == state).await;
}

pub(crate) async fn words(channel: &mut WebSocketChannel, count: usize) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..count {
        words.push(match channel.recv_event().await.unwrap() {
            Some(ChannelEvent::Opened(opened)) => format!("opened {}", opened.connection()),
            Some(ChannelEvent::Lost(lost)) => format!("lost {}", lost.connection()),
            Some(ChannelEvent::Message(message)) => message.to_string(),
            other => format!("{other:?}"),
        });
    }
    words
}

/// Holds an event to bring a try on, and no more than that one.
pub(crate) async fn hastens(target: &str, name: &str) {
    let server = InTurn::new([refuses()]);
    let channel = server.hardly_ever();
    in_state(&channel, ChannelState::Retrying).await;
    dispatch(target, name);
    until(|| channel.link().tries() == 2).await;
    in_state(&channel, ChannelState::Retrying).await;
    // Then the waits go on.
    let wait = channel.link().next_try_in().unwrap();
    assert!(wait > Duration::from_secs(3000), "{wait:?}");
    assert_eq!(server.connections().await, "2 0");
}

#[wasm_bindgen_test]
async fn re85_a_network_that_is_back_hastens_a_try() {
    hastens("globalThis", "online").await;
}

#[wasm_bindgen_test]
async fn re85_so_does_a_page_that_is_looked_at() {
    hastens("document", "visibilitychange").await;
    hastens("document", "resume").await;
}

#[wasm_bindgen_test]
async fn re85_one_that_is_not_looked_at_waits() {
    let server = InTurn::new([refuses()]);
    let channel = server.hardly_ever();
    in_state(&channel, ChannelState::Retrying).await;
    js_sys::eval("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        .unwrap();
    dispatch("document", "visibilitychange");
    js_sys::eval("delete document.hidden").unwrap();
    Page.sleep(Duration::from_secs(2)).await;
    assert_eq!(channel.link().tries(), 1);
}

#[wasm_bindgen_test]
async fn re83_without_a_network_tries_go_on_with_the_longest_waits() {
    let server = InTurn::new([refuses()]);
    // The chance of a wait below a minute is one in 28,000.
    let longest = Duration::from_secs(20 * 24 * 3600);
    let backoff = Backoff::default()
        .first(Duration::from_millis(400))
        .longest(longest);
    let channel = server.soon().backoff(backoff).channel();
    in_state(&channel, ChannelState::Retrying).await;
    dispatch("globalThis", "offline");
    until(|| channel.link().tries() == 2).await;
    in_state(&channel, ChannelState::Retrying).await;
    let wait = channel.link().next_try_in().unwrap();
    assert!(wait > Duration::from_secs(60), "{wait:?}");
}

#[wasm_bindgen_test]
async fn re92_re93_a_page_that_is_left_hands_all_over_and_comes_back() {
    const SIZE: usize = 100_000;
    let observed = (js_sys::Math::random() * 2_f64.powi(53)) as u64;
    let server = InTurn::new([Behaviour::Observe { id: observed }, Behaviour::ECHO]);
    let mut channel = server.soon().channel();
    channel.ready().await.unwrap();
    for _ in 0..3 {
        channel.try_send(vec![0; SIZE]).unwrap();
    }
    // No timer fires on a page that is gone.
    let waiting = Page.sleep(Duration::from_millis(500));
    js_sys::eval("globalThis.kept = setTimeout; globalThis.setTimeout = () => 0;").unwrap();
    dispatch("globalThis", "pagehide");
    waiting.await;
    js_sys::eval("globalThis.setTimeout = kept;").unwrap();
    assert_eq!(channel.state(), ChannelState::Paused);
    let link = channel.link();
    assert!(
        matches!(link.lost().unwrap().cause(), LostCause::PageLeft),
        "{link:?}"
    );
    let mut report = Page::connect(&Behaviour::Report { id: observed }).channel();
    for _ in 0..3 {
        let message = report.recv().await.unwrap().unwrap();
        assert_eq!(message.len(), SIZE);
    }
    assert_eq!(report.recv().await.unwrap(), Some("close 1005".into()));
    assert_eq!(server.connections().await, "1 0");
    channel.try_send("queued meanwhile").unwrap();
    dispatch("globalThis", "pageshow");
    let expected = ["opened 1", "lost 1", "opened 2", "queued meanwhile"];
    assert_eq!(words(&mut channel, 4).await, expected);
    assert_eq!(server.connections().await, "2 1");
}

#[wasm_bindgen_test]
async fn re92_a_page_that_is_left_while_it_waits_or_tries_stops_that() {
    // Firefox has others wait behind a try that is given up unanswered.
    let stalls = (!is_firefox()).then_some(Behaviour::Silent);
    for before in [refuses()].into_iter().chain(stalls) {
        let state = match before {
            Behaviour::Silent => ChannelState::Connecting,
            _ => ChannelState::Retrying,
        };
        let server = InTurn::new([before, Behaviour::ECHO]);
        let channel = server.hardly_ever();
        in_state(&channel, state).await;
        Page.sleep(LONG_ENOUGH).await;
        dispatch("globalThis", "pagehide");
        in_state(&channel, ChannelState::Paused).await;
        // What has to do with the network does not end that.
        dispatch("globalThis", "online");
        Page.sleep(2 * LONG_ENOUGH).await;
        assert_eq!(server.connections().await, "1 0");
        dispatch("globalThis", "pageshow");
        channel.ready().await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn re93_a_pause_of_the_programs_outlives_the_page() {
    // Made before the page is left, and while it is.
    for is_paused_first in [true, false] {
        let server = InTurn::new([Behaviour::ECHO]);
        let channel = server.soon().channel();
        channel.ready().await.unwrap();
        if is_paused_first {
            channel.pause();
            in_state(&channel, ChannelState::Paused).await;
        }
        dispatch("globalThis", "pagehide");
        in_state(&channel, ChannelState::Paused).await;
        channel.pause();
        Page.sleep(LONG_ENOUGH).await;
        dispatch("globalThis", "pageshow");
        Page.sleep(5 * LONG_ENOUGH).await;
        assert_eq!(channel.state(), ChannelState::Paused);
        channel.resume();
        channel.ready().await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn re95_without_reconnecting_the_channel_ends_with_the_page() {
    let mut channel = Page::connect(&Behaviour::ECHO).channel();
    channel.ready().await.unwrap();
    dispatch("globalThis", "pagehide");
    assert_eq!(channel.recv().await.unwrap(), None);
    dispatch("globalThis", "pageshow");
    Page.sleep(LONG_ENOUGH).await;
    assert_eq!(channel.state(), ChannelState::Closed);
    assert!(channel.close_info().unwrap().clean);
}

#[wasm_bindgen_test]
async fn re96_what_the_old_socket_says_late_reaches_nobody() {
    // Sockets that do what the test says.
    js_sys::eval(
        "globalThis.kept = WebSocket;
         globalThis.sockets = [];
         globalThis.WebSocket = class extends EventTarget {
             readyState = 0; protocol = ''; bufferedAmount = 0;
             constructor() { super(); sockets.push(this); }
             close() { this.readyState = 2; }
             send() {}
         };
         globalThis.say = (number, name, event) => sockets[number]['on' + name]?.(event);
         globalThis.opened = number => {
             sockets[number].readyState = 1;
             say(number, 'open', new Event('open'));
         };",
    )
    .unwrap();
    let count = || js_sys::eval("sockets.length").unwrap().as_f64();
    let server = InTurn::new([Behaviour::ECHO]);
    let mut channel = server.soon().channel();
    until(|| count() == Some(1.0)).await;
    js_sys::eval("opened(0)").unwrap();
    channel.ready().await.unwrap();
    dispatch("globalThis", "pagehide");
    in_state(&channel, ChannelState::Paused).await;
    dispatch("globalThis", "pageshow");
    until(|| count() == Some(2.0)).await;
    js_sys::eval(
        "opened(1);
         say(0, 'message', new MessageEvent('message', { data: 'old' }));
         sockets[0].readyState = 3;
         say(0, 'error', new Event('error'));
         say(0, 'close', new CloseEvent('close', { code: 1006 }));
         say(1, 'message', new MessageEvent('message', { data: 'new' }));",
    )
    .unwrap();
    let words = words(&mut channel, 4).await;
    Page.sleep(LONG_ENOUGH).await;
    let (link, sockets) = (channel.link(), count());
    // What it registered is gone, too.
    let is_left = js_sys::eval("sockets[0].onmessage || sockets[0].onclose").unwrap();
    js_sys::eval("globalThis.WebSocket = kept;").unwrap();
    assert_eq!(words, ["opened 1", "lost 1", "opened 2", "new"]);
    assert_eq!((link.state(), link.connection()), (ChannelState::Open, 2));
    let lost = link.lost().unwrap();
    assert!(matches!(lost.cause(), LostCause::PageLeft), "{lost}");
    assert_eq!(sockets, Some(2.0));
    assert!(is_left.is_falsy(), "{is_left:?}");
}

#[wasm_bindgen_test]
async fn re118_more_than_a_page_may_keep_is_the_end_at_the_fourth() {
    let limits = Limits::default()
        .message_size_max(10)
        .close_timeout(Duration::from_millis(500));
    let server = InTurn::new([Behaviour::Burst { count: 3000 }]);
    let mut channel = server.soon_within(limits).channel();
    let info = channel.closed().await.unwrap();
    assert_eq!(info.cause, CloseCause::Overflow);
    // What came first is still there.
    assert_eq!(channel.recv().await.unwrap(), Some(Message::from("0")));
    Page.sleep(LONG_ENOUGH).await;
    assert_eq!(server.connections().await, "4 0");
}

/// A server that goes away after the first message of each connection.
pub(crate) fn that_goes_away() -> InTurn {
    let (reason, when) = (Vec::new(), When::Message);
    let code = Some(1001);
    InTurn::new([Behaviour::Close { code, reason, when }])
}

#[wasm_bindgen_test]
async fn re114_a_panic_elsewhere_in_the_page_ends_no_channel() {
    let server = that_goes_away();
    let mut channel = server.soon().channel();
    channel.ready().await.unwrap();
    let panics = Closure::<dyn FnMut()>::new(|| panic!("as the test wants it"));
    let call = js_sys::Function::new_with_args("f", "try { f() } catch { return true }");
    let called = call.call1(&JsValue::NULL, panics.as_ref()).unwrap();
    assert!(called.is_truthy(), "no panic");
    for number in 1..=3 {
        channel.send("go").await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some("go".into()));
        assert_eq!(channel.connection(), number);
        until(|| channel.link().connection() > number).await;
    }
    drop(panics);
}
