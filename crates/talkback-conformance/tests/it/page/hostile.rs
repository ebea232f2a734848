//! What a page must survive: servers, programs and browsers that do not do as hoped.

use std::time::Duration;

use futures_util::StreamExt;
use talkback::{
    ChannelState, CloseCause, CloseCode, ConnectError, Error, HandshakeError, Initiator, Limits,
    ProtocolError, TrySendErrorKind,
};
use talkback_conformance::{Backend, Behaviour, When};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::Page;

#[wasm_bindgen_test]
async fn an_end_is_told_to_one_who_does_not_read() {
    // More messages than the queue takes, then a close frame.
    const COUNT: usize = 200;
    let mut bytes = b"\x81\x01x".repeat(COUNT);
    bytes.extend(close_frame(4001));
    let mut channel = Page::connect(&told(bytes)).channel();
    channel.ready().await.unwrap();
    while channel.state() == ChannelState::Open {
        sleep(5).await;
    }
    // Nobody but the peer has closed, whether the code is known yet or not.
    let refused = channel.try_send("tick").unwrap_err().to_string();
    assert!(
        refused.contains("the peer") && refused.ends_with("Connect anew to send"),
        "{refused}"
    );
    let info = within(5000, channel.closed()).await.unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::new(4001), true));
    for _ in 0..COUNT {
        assert_eq!(channel.recv().await.unwrap(), Some("x".into()));
    }
    assert!(matches!(channel.recv().await, Err(Error::Closed(_))));
    assert_eq!(channel.recv().await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn a_close_after_the_peers_does_not_make_it_ours() {
    // The server leaves TCP open, so that the browser waits for a while after both close frames.
    let mut channel = Page::connect(&told(close_frame(4001))).channel();
    channel.ready().await.unwrap();
    sleep(300).await;
    let info = within(5000, channel.close()).await.unwrap();
    assert_eq!(info.initiator, Initiator::Remote, "{info}");
    assert_eq!((info.code, info.clean), (CloseCode::new(4001), true));
    assert!(matches!(channel.recv().await, Err(Error::Closed(_))));
}

#[wasm_bindgen_test]
async fn nothing_is_sent_after_a_message_that_is_too_big() {
    let limits = Limits::default()
        .message_size_max(10)
        .close_timeout(Duration::from_millis(800));
    // The server does not answer a close frame.
    let server = told(b"\x82\x14aaaaaaaaaaaaaaaaaaaa".to_vec());
    let mut channel = Page::connect(&server).limits(limits).channel();
    channel.ready().await.unwrap();
    sleep(300).await;
    assert_eq!(channel.state(), ChannelState::Closing);
    let refused = channel.try_send("late").unwrap_err();
    assert_eq!(refused.kind(), TrySendErrorKind::Closed);
    assert!(within(2000, channel.recv()).await.is_err());
    let info = channel.close_info().unwrap();
    let is_too_big = matches!(
        info.cause,
        CloseCause::Protocol(ProtocolError::MessageTooBig { size: 20, .. })
    );
    assert!(is_too_big, "{info}");
}

#[wasm_bindgen_test]
async fn the_close_timeout_counts_from_the_call_though_it_opens_later() {
    // A browser opens one connection to an address at a time.
    let first = Page::connect(&Behaviour::Silent).channel();
    sleep(50).await;
    let limits = Limits::default().close_timeout(Duration::from_millis(1200));
    let connect = Page::connect(&Behaviour::IgnoreClose).limits(limits);
    let channel = connect.channel();
    channel.try_send("queued").unwrap();
    let begun = js_sys::Date::now();
    let closing = channel.close();
    sleep(800).await;
    assert_eq!(channel.state(), ChannelState::Closing);
    drop(first);
    let info = closing.await.unwrap();
    let took = js_sys::Date::now() - begun;
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    assert!((1100.0..1700.0).contains(&took), "{took} ms");
}

#[wasm_bindgen_test]
async fn what_came_is_given_out_though_the_end_comes_with_the_opening() {
    // A socket whose events all come before any task runs.
    js_sys::eval(
        "globalThis.kept = WebSocket;
         globalThis.WebSocket = class extends EventTarget {
             readyState = 0; protocol = ''; bufferedAmount = 0;
             close() {}
             constructor() {
                 super();
                 setTimeout(() => {
                     this.readyState = 3;
                     this.onopen(new Event('open'));
                     this.onmessage(new MessageEvent('message', { data: 'only' }));
                     this.onclose(new CloseEvent('close', { code: 4001, wasClean: true }));
                 });
             }
         };",
    )
    .unwrap();
    let mut channel = Page::connect(&Behaviour::ECHO).channel();
    let ready = within(5000, channel.ready()).await;
    js_sys::eval("globalThis.WebSocket = kept;").unwrap();
    assert!(ready.is_ok(), "{ready:?}");
    assert_eq!(channel.recv().await.unwrap(), Some("only".into()));
    let info = channel.closed().await.unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::new(4001), true));
}

#[wasm_bindgen_test]
async fn c24_a_subprotocol_that_was_not_offered_fails_though_the_browser_takes_it() {
    for offered in [None, Some("chat")] {
        js_sys::eval(
            "globalThis.kept = WebSocket; globalThis.ended = 0;
             globalThis.WebSocket = class extends EventTarget {
                 readyState = 0; protocol = 'another'; bufferedAmount = 0;
                 close() { ended += 1; }
                 constructor() {
                     super();
                     setTimeout(() => { this.readyState = 1; this.onopen(new Event('open')); });
                 }
             };",
        )
        .unwrap();
        let mut connect = Page::connect(&Behaviour::ECHO);
        if let Some(name) = offered {
            connect = connect.subprotocol(name);
        }
        let channel = connect.channel();
        let ready = within(5000, channel.ready()).await;
        let ended = js_sys::eval("globalThis.WebSocket = kept; ended").unwrap();
        let error = ready.unwrap_err();
        let is_told = matches!(
            &error,
            Error::Connect(ConnectError::Handshake {
                error: HandshakeError::SubprotocolNotOffered { subprotocol },
                ..
            }) if subprotocol == "another"
        );
        assert!(is_told, "{error}");
        assert_eq!(channel.state(), ChannelState::Closed);
        assert_eq!(channel.subprotocol(), None);
        assert_eq!(ended.as_f64(), Some(1.0));
    }
}

#[wasm_bindgen_test]
async fn what_is_queued_leaves_with_the_page() {
    const COUNT: usize = 10;
    let channel = Page::connect(&Behaviour::Observe { id: 201 }).channel();
    channel.ready().await.unwrap();
    for _ in 0..COUNT {
        channel.try_send(vec![0; 100_000]).unwrap();
    }
    // No timer fires on a page that is gone.
    let waiting = Page.sleep(Duration::from_millis(500));
    js_sys::eval(
        "globalThis.kept = setTimeout; globalThis.setTimeout = () => 0;
         dispatchEvent(new Event('pagehide'));",
    )
    .unwrap();
    waiting.await;
    js_sys::eval("globalThis.setTimeout = kept;").unwrap();
    assert_eq!(channel.state(), ChannelState::Closed);
    let mut report = Page::connect(&Behaviour::Report { id: 201 }).channel();
    for _ in 0..COUNT {
        let message = within(5000, report.recv()).await.unwrap().unwrap();
        assert_eq!(message.len(), 100_000);
    }
    assert_eq!(report.recv().await.unwrap(), Some("close 1005".into()));
}

#[wasm_bindgen_test]
async fn nothing_ticks_while_a_channel_is_idle_and_little_while_its_peer_stalls() {
    let channel = Page::connect(&Behaviour::ECHO).channel();
    channel.send("x").await.unwrap();
    channel.flush().await.unwrap();
    assert_eq!(timers_in(500).await, 0);
    let delay = Duration::from_secs(5);
    let stalled = Page::connect(&Behaviour::Stall { delay }).channel();
    stalled.ready().await.unwrap();
    // More than the system takes for a peer that does not read.
    stalled.send(vec![0; 15_000_000]).await.unwrap();
    sleep(500).await;
    assert!(stalled.buffered_amount() > 0);
    let ticks = timers_in(1000).await;
    assert!((1..=20).contains(&ticks), "{ticks} timers in a second");
    within(10_000, stalled.flush()).await.unwrap();
    assert_eq!(stalled.buffered_amount(), 0);
}

#[wasm_bindgen_test]
async fn no_error_shows_the_secrets_of_a_url() {
    let urls = [
        // No address, and no name either.
        "ws://1.2.3.999/?token=secret",
        "ws://a%zz/?token=secret",
        // Ports that a browser does not connect to.
        "ws://127.0.0.1:6000/?token=secret",
        "ws://127.0.0.1:1/?token=secret",
    ];
    for url in urls {
        let channel = talkback::connect(url).channel();
        let error = within(5000, channel.ready()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        assert!(!error.to_string().contains("https"), "{error}");
    }
}

#[wasm_bindgen_test]
async fn timeouts_that_a_timer_cannot_hold_are_long() {
    let limits = Limits::default().close_timeout(Duration::MAX);
    let connect = Page::connect(&Behaviour::ECHO).timeout(Duration::MAX);
    let mut channel = connect.limits(limits).channel();
    channel.send("x").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("x".into()));
    assert!(channel.close().await.unwrap().clean);
    let connect = Page::connect(&Behaviour::Silent).timeout(Duration::ZERO);
    let error = within(2000, connect.channel().ready()).await;
    let is_timeout = matches!(error, Err(Error::Connect(ConnectError::Timeout { .. })));
    assert!(is_timeout, "{error:?}");
}

#[wasm_bindgen_test]
async fn five_hundred_wait_to_send_and_all_get_through() {
    const COUNT: usize = 500;
    let (sender, receiver) = Page::connect(&Behaviour::ECHO).channel().split();
    for number in 0..COUNT {
        let sender = sender.clone();
        Page.spawn(Box::pin(async move {
            sender.send(vec![0; 1000 + number]).await.unwrap();
        }));
    }
    let receiving = receiver.take(COUNT).collect::<Vec<_>>();
    let received = within(10_000, receiving).await;
    let mut sizes: Vec<_> = received.into_iter().map(|m| m.unwrap().len()).collect();
    sizes.sort_unstable();
    assert!(sizes.into_iter().eq(1000..1000 + COUNT));
}

#[wasm_bindgen_test]
async fn small_messages_count_with_what_keeping_them_takes() {
    // Capacity for 64 KiB beyond the largest message: a thousand of these, not ten thousand.
    let limits = Limits::default()
        .message_size_max(10)
        .close_timeout(Duration::from_millis(500));
    let burst = Behaviour::Burst { count: 3000 };
    let mut channel = Page::connect(&burst).limits(limits).channel();
    let info = within(5000, channel.closed()).await.unwrap();
    assert_eq!(info.cause, CloseCause::Overflow);
    assert_eq!(channel.recv().await.unwrap(), Some("0".into()));
}

/// A server that writes these bytes and answers nothing.
fn told(bytes: Vec<u8>) -> Behaviour {
    let when = When::Open;
    Behaviour::Raw { bytes, when }
}

fn close_frame(code: u16) -> Vec<u8> {
    [[0x88, 2], code.to_be_bytes()].concat()
}

async fn sleep(milliseconds: u64) {
    Page.sleep(Duration::from_millis(milliseconds)).await;
}

/// The outcome, which must come within so many milliseconds.
pub(crate) async fn within<F: Future>(milliseconds: u64, future: F) -> F::Output {
    use futures_util::future::{Either, select};
    let limit = Page.sleep(Duration::from_millis(milliseconds));
    match select(Box::pin(future), limit).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("nothing happened within {milliseconds} ms"),
    }
}

/// How many timers the program sets in so many milliseconds.
async fn timers_in(milliseconds: u64) -> u32 {
    let waiting = Page.sleep(Duration::from_millis(milliseconds));
    js_sys::eval(
        "globalThis.ticks = 0; globalThis.kept = setTimeout;
         globalThis.setTimeout = (...all) => { ticks += 1; return kept(...all); };",
    )
    .unwrap();
    waiting.await;
    let ticks = js_sys::eval("globalThis.setTimeout = kept; ticks").unwrap();
    ticks.as_f64().unwrap() as u32
}

#[wasm_bindgen_test]
async fn v12_l3_a_browser_that_refuses_to_try_tells_no_secret() {
    // As Chromium does for a port that no page may connect to, but not each time.
    js_sys::eval(
        "globalThis.kept = WebSocket;
         globalThis.WebSocket = class {
             constructor(url, names) { throw new DOMException(`'${url}' with '${names}'`, 'SecurityError'); }
         };",
    )
    .unwrap();
    let connecting = talkback::connect("ws://127.0.0.1:25/chat?token=hunter2");
    let channel = connecting.subprotocol("hunter2").channel();
    let ready = channel.ready().await;
    js_sys::eval("globalThis.WebSocket = kept;").unwrap();
    let error = ready.unwrap_err();
    assert!(
        matches!(&error, Error::Connect(ConnectError::BrowserRefused { .. })),
        "{error}"
    );
    let told = format!("{error} {error:?} {:?}", channel.snapshots().latest());
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("ws://127.0.0.1:25/chat?…"), "{told}");
}
