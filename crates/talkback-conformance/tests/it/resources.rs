//! What holds on a page in a browser only: nothing is left behind there, and what a page cannot do
//! is said.
//!
//! They count the server's connections and the page's objects, so they have a page to themselves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use talkback::http::HeaderValue;
use talkback::{
    ChannelState, CloseCause, CloseCode, CloseFrameError, Compression, Connect, ConnectError,
    CookieStore, Error, HeadLimits, Initiator, Keepalive, Limits, Message, SendErrorKind, Sender,
    Snapshots, WebSocketChannel,
};
use talkback_conformance::{Backend, Behaviour, When};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::Page;
use crate::page::reconnecting::that_goes_away;

/// How long the server may take to see that connections have ended.
const GONE_LIMIT: usize = 100;

const fn is_send_and_sync<T: Send + Sync>() {}
const _: () = is_send_and_sync::<WebSocketChannel>();
const _: () = is_send_and_sync::<Sender>();
const _: () = is_send_and_sync::<Snapshots>();

#[wasm_bindgen_test]
async fn a_dropped_channel_leaves_no_socket_and_frees_its_callbacks() {
    // What the first use sets up for good.
    drop(opened().await);
    wait_until_alone().await;
    let before = objects().await;
    for _ in 0..20 {
        drop(opened().await);
    }
    // One that is not open yet, and one that never will be.
    drop(Page::connect(&Behaviour::ECHO).channel());
    drop(Page::connect(&Behaviour::Silent).channel());
    wait_until_alone().await;
    assert_eq!(objects().await, before);
}

#[wasm_bindgen_test]
async fn a_thousand_channels_one_after_the_other() {
    wait_until_alone().await;
    let before = objects().await;
    for number in 0..1000 {
        let mut channel = Page::connect(&Behaviour::ECHO).channel();
        exchange(&mut channel, number.to_string().into()).await;
        let info = channel.close().await.unwrap();
        assert!(info.clean, "{info}");
    }
    wait_until_alone().await;
    assert_eq!(objects().await, before);
}

#[wasm_bindgen_test]
async fn a_socket_that_the_server_ended_frees_its_callbacks() {
    wait_until_alone().await;
    let before = objects().await;
    for behaviour in [Behaviour::Disconnect { when: When::Open }, refusal()] {
        let mut channel = Page::connect(&behaviour).channel();
        assert!(channel.recv().await.is_err());
        // The handle still lives.
        assert_eq!(objects().await, before);
        assert_eq!(channel.state(), ChannelState::Closed);
    }
}

#[wasm_bindgen_test]
async fn re91_a_thousand_reconnects_leave_nothing() {
    wait_until_alone().await;
    let before = objects().await;
    let mut channel = that_goes_away().soon().channel();
    let mut after_some = (0, 0);
    for number in 1..=1000 {
        channel.send("go").await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some("go".into()));
        assert_eq!(channel.connection(), number);
        while channel.link().connection() == number {
            Page.sleep(Duration::from_millis(1)).await;
        }
        if number == 100 {
            after_some = (objects().await, core::arch::wasm32::memory_size(0));
        }
    }
    let after = (objects().await, core::arch::wasm32::memory_size(0));
    assert_eq!(after, after_some);
    drop(channel);
    wait_until_alone().await;
    assert_eq!(objects().await, before);
}

#[wasm_bindgen_test]
async fn more_than_a_page_may_keep_ends_the_channel() {
    // 64 MB; the channel keeps 16 MiB for a program that does not read, and a little.
    let pour = Behaviour::Pour { count: 1000, id: 0 };
    let mut channel = Page::connect(&pour).channel();
    let info = channel.closed().await.unwrap();
    assert_eq!(info.cause, CloseCause::Overflow);
    assert_eq!((info.clean, info.initiator), (false, Initiator::Local));
    // What is in the queue is still there.
    let mut received = 0;
    let error = loop {
        match channel.recv().await {
            Ok(Some(message)) => received += message.len(),
            Ok(None) => panic!("the end without an error"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Closed(_)), "{error}");
    assert!((1..=2 * 1024 * 1024).contains(&received), "{received}");
    wait_until_alone().await;
}

#[wasm_bindgen_test]
async fn leaving_the_page_closes() {
    let mut channel = Page::connect(&Behaviour::Observe { id: 1 }).channel();
    channel.ready().await.unwrap();
    js_sys::eval("dispatchEvent(new Event('pagehide'))").unwrap();
    assert_eq!(channel.recv().await.unwrap(), None);
    let info = channel.close_info().unwrap();
    assert_eq!((info.clean, info.initiator), (true, Initiator::Local));
    let mut report = Page::connect(&Behaviour::Report { id: 1 }).channel();
    let end = report.recv().await.unwrap();
    assert_eq!(end, Some(Message::from("close 1005")));
}

#[wasm_bindgen_test]
async fn a_hidden_page_sends_without_its_slow_timers() {
    const COUNT: usize = 60;
    let channel = Page::connect(&Behaviour::Observe { id: 2 }).channel();
    channel.ready().await.unwrap();
    js_sys::eval(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });
         globalThis.kept = setTimeout; globalThis.setTimeout = () => 0;",
    )
    .unwrap();
    for _ in 0..COUNT {
        channel.send(vec![0; 64 * 1024]).await.unwrap();
    }
    channel.close();
    let mut report = Page::connect(&Behaviour::Report { id: 2 }).channel();
    for _ in 0..COUNT {
        let message = report.recv().await.unwrap().unwrap();
        assert_eq!(message.len(), 64 * 1024);
    }
    js_sys::eval("delete document.hidden; globalThis.setTimeout = kept;").unwrap();
    assert_eq!(report.recv().await.unwrap(), Some("close 1005".into()));
}

#[wasm_bindgen_test]
async fn ten_thousand_messages_come_back_in_order() {
    const COUNT: usize = 10_000;
    let (sender, receiver) = opened().await.split();
    let sending = async {
        for number in 0..COUNT {
            sender.send(number.to_string()).await.unwrap();
        }
    };
    let ((), received) = join(sending, receiver.take(COUNT).collect::<Vec<_>>()).await;
    for (number, message) in received.into_iter().enumerate() {
        assert_eq!(message.unwrap(), Message::from(number.to_string()));
    }
}

#[wasm_bindgen_test]
async fn sixteen_megabytes_of_text_both_ways() {
    let line = "안녕하세요 👩🏽‍🚀 🇰🇷\n";
    let text = line.repeat(16_000_000 / line.len());
    exchange(&mut opened().await, text.into()).await;
}

#[wasm_bindgen_test]
async fn korean_and_emoji_in_a_close_reason() {
    let code = CloseCode::new(4000);
    let reason = "안녕히 계세요 👋🏽";
    let info = opened().await.close_with(code, reason).unwrap();
    let info = info.await.unwrap();
    assert_eq!((info.clean, info.code, &*info.reason), (true, code, reason));
}

#[wasm_bindgen_test]
async fn options_that_a_page_does_not_have_are_errors_with_the_way_round() {
    let echo = || Page::connect(&Behaviour::ECHO);
    let url = Page::url(&Behaviour::ECHO).replace("ws://", "ws://user:secret@");
    let token = "send a token";
    refuses(echo().header("Authorization", "Bearer x"), "header", token).await;
    refuses(echo().header("no name", "x"), "header", token).await;
    refuses(echo().origin("https://a.example"), "origin", "page's own").await;
    refuses(
        echo().keepalive(Keepalive::default()),
        "keepalive",
        "message of your own",
    )
    .await;
    refuses(talkback::connect(url), "user name and password", token).await;
    let limits = HeadLimits::default();
    refuses(echo().head_limits(limits), "head_limits", "of its own").await;
    let limits = Limits::default().frame_size_max(1024);
    refuses(echo().limits(limits), "frame_size_max", "by itself").await;
    let certificates = "decide on certificates";
    refuses(echo().tls_roots(""), "tls_roots", certificates).await;
    let identity = echo().tls_client_certificate("", "");
    refuses(identity, "tls_client_certificate", certificates).await;
    let any = echo().danger_accept_any_certificate();
    refuses(any, "danger_accept_any_certificate", certificates).await;
    let connections = "makes its connections";
    let own = echo().connector(|_| async { Ok(tokio::io::duplex(1).0) });
    refuses(own, "connector", connections).await;
    let own = echo().resolver(|_, _| std::future::pending());
    refuses(own, "resolver", connections).await;
    let by_url = "server's own into the URL";
    refuses(echo().address(([127, 0, 0, 1], 1)), "address", by_url).await;
    refuses(echo().host("a.example"), "host", by_url).await;
    refuses(echo().server_name("a.example"), "server_name", by_url).await;
    let socket = echo().unix_socket("/run/app.sock");
    refuses(socket, "unix_socket", "listen at a port").await;
    let local = echo().local_address([127, 0, 0, 1]);
    refuses(local, "local_address", "its system").await;
    refuses(echo().redirects(1), "redirects", "follows none").await;
    let named = echo().redirect_header("Authorization");
    refuses(named, "redirect_header", "follows none").await;
    refuses(echo().cookies(Arc::new(NoCookies)), "cookies", "its own").await;
    refuses(echo().on_progress(|_| {}), "on_progress", "tools for").await;
}

struct NoCookies;

impl CookieStore for NoCookies {
    fn cookies(&self, _: &str) -> Option<HeaderValue> {
        None
    }

    fn set_cookies(&self, _: &str, _: &mut dyn Iterator<Item = &HeaderValue>) {}
}

#[wasm_bindgen_test]
async fn options_for_native_programs_are_passed_over() {
    let native = |connect: Connect| {
        let connect = connect.header("Authorization", "Bearer x");
        connect
            .origin("https://a.example")
            .keepalive(Keepalive::default())
    };
    let mut channel = Page::connect(&Behaviour::ECHO).native(native).channel();
    exchange(&mut channel, "open".into()).await;
    // To do without is what a page does anyway.
    let mut channel = Page::connect(&Behaviour::ECHO)
        .keepalive(Keepalive::OFF)
        .channel();
    exchange(&mut channel, "open".into()).await;
}

#[wasm_bindgen_test]
async fn what_a_page_cannot_do_is_an_error_that_says_so() {
    let mut channel = opened().await;
    let error = channel.ping("are you there?").await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Invalid);
    assert!(
        error.to_string().contains("a browser sends no pings"),
        "{error}"
    );
    let skipped = channel.send_with("s3cret", Compression::Skip).await;
    let error = skipped.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Invalid);
    assert!(
        error.to_string().contains("a browser decides by itself"),
        "{error}"
    );
    assert_eq!(error.into_message(), Some("s3cret".into()));
    assert!(channel.response().is_none());
    exchange(&mut channel, "still open".into()).await;
}

#[wasm_bindgen_test]
async fn a_close_code_that_a_page_does_not_have_is_an_error() {
    let mut channel = opened().await;
    for code in [CloseCode::GOING_AWAY, CloseCode::new(1011)] {
        let refused = channel.close_with(code, "").unwrap_err();
        assert_eq!(refused, CloseFrameError::CodeInBrowser(code.number()));
    }
    exchange(&mut channel, "still open".into()).await;
}

#[wasm_bindgen_test]
async fn a_server_that_refuses_is_told_apart_as_far_as_a_page_can() {
    let channel = Page::connect(&refusal()).channel();
    let refused = channel.ready().await;
    assert!(
        matches!(refused, Err(Error::Connect(ConnectError::Browser { .. }))),
        "{refused:?}"
    );
}

async fn opened() -> WebSocketChannel {
    let channel = Page::connect(&Behaviour::ECHO).channel();
    channel.ready().await.unwrap();
    channel
}

async fn exchange(channel: &mut WebSocketChannel, message: Message) {
    channel.send(message.clone()).await.unwrap();
    let answer = channel.recv().await.unwrap();
    // Not `assert_eq`: a message may have megabytes.
    assert!(
        answer.as_ref() == Some(&message),
        "another message came back"
    );
}

fn refusal() -> Behaviour {
    let body = "the token has expired".to_owned();
    Behaviour::Status { code: 401, body }
}

async fn refuses(connect: Connect, name: &str, way_round: &str) {
    let error = connect.channel().ready().await.unwrap_err();
    assert!(
        matches!(&error, Error::Connect(ConnectError::NotInBrowser { option, instead })
        if option.contains(name) && instead.contains(way_round)),
        "{error}"
    );
    assert!(error.to_string().contains("native"), "{error}");
}

/// How many objects of the browser's the program holds, callbacks included, once the tasks that are
/// about to end have ended.
async fn objects() -> u32 {
    Page.sleep(Duration::from_millis(20)).await;
    wasm_bindgen::externref_heap_live_count()
}

/// Waits until the connection that asks is the server's only one.
async fn wait_until_alone() {
    let mut seen = String::new();
    for _ in 0..GONE_LIMIT {
        let mut channel = Page::connect(&Behaviour::Connections).channel();
        let answer = channel.recv().await.unwrap().unwrap();
        channel.close().await.unwrap();
        seen = answer.as_text().unwrap_or_default().to_owned();
        if seen == "1" {
            return;
        }
        Page.sleep(Duration::from_millis(50)).await;
    }
    panic!("{seen} connections are still open");
}
