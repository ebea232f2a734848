//! The window, without a screen: keys and clicks go in, what a screen reader reads comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, ImeEvent, Key, Theme, ViewportId};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use talkback::test_util::ScriptedServer;
use talkback::{Verdict, WebSocketChannel};
use talkback_demo::state::{Direction, Page, TITLE};
use talkback_demo::window::{Window, theme};
use talkback_echo::Echo;

const LIMIT: Duration = Duration::from_secs(20);

/// A window, and the echo server that it is connected to, if it is one.
struct Demo {
    harness: Harness<'static, Window>,
    server: Option<Echo>,
}

impl Demo {
    fn open() -> Self {
        let server = talkback_echo::start().unwrap();
        let channel = WebSocketChannel::connect(server.url());
        channel.ready().wait().unwrap();
        let mut demo = Self::show(Page::new(TITLE, server.url(), channel));
        demo.server = Some(server);
        demo
    }

    fn show(page: Page) -> Self {
        let size = [480.0, 640.0];
        let mut harness = Harness::builder()
            .with_size(size)
            // The machine that tests may have no Korean font; what is drawn is not looked at here.
            .allow_missing_glyphs()
            // Each wake of the channel's thread has it painted twice, and they come when they like.
            .with_max_steps(64)
            .build_eframe(|cc| Window::new(page, &cc.egui_ctx));
        harness.run();
        let server = None;
        Self { harness, server }
    }

    fn shut_server_down(&mut self) {
        self.server.take().unwrap().shutdown();
    }

    fn press(&mut self, key: Key) {
        self.harness.key_press(key);
        self.harness.run();
    }

    fn event(&mut self, event: Event) {
        self.harness.event(event);
        self.harness.run();
    }

    fn type_text(&mut self, text: &str) {
        self.event(Event::Text(text.to_owned()));
    }

    fn preedit(&mut self, text: &str) {
        let text = text.to_owned();
        self.event(Event::Ime(ImeEvent::Preedit {
            text,
            active_range_chars: None,
        }));
    }

    fn compose(&mut self, preedits: [&str; 3]) {
        for preedit in preedits {
            self.preedit(preedit);
        }
    }

    fn click(&mut self, role: Role, label: &str) {
        self.harness.get_by_role_and_label(role, label).click();
        self.harness.run();
    }

    fn commit(&mut self, text: &str) {
        self.event(Event::Ime(ImeEvent::Commit(text.to_owned())));
    }

    fn field(&self) -> String {
        let field = self
            .harness
            .get_by_role_and_label(Role::TextInput, "Send a message");
        field.value().unwrap_or_default()
    }

    /// Paints until the page is as wanted.
    #[track_caller]
    fn shows(&mut self, wanted: impl Fn(&Page) -> bool) {
        let end = Instant::now() + LIMIT;
        while !wanted(self.harness.state().page()) {
            let page = self.harness.state().page();
            assert!(Instant::now() < end, "{page:?}");
            std::thread::sleep(Duration::from_millis(2));
            self.harness.run();
        }
    }

    fn sent(&self) -> Vec<String> {
        let log = self.harness.state().page().log().iter();
        let sent = log.filter(|entry| entry.direction == Direction::Sent);
        sent.map(|entry| entry.text.clone()).collect()
    }
}

#[test]
fn enter_sends_and_the_answer_appears() {
    let mut demo = Demo::open();
    demo.harness.get_by_label("WebSocket Demo");
    demo.type_text("Hello!");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "Hello!");
    assert!(
        demo.harness
            .query_by_role_and_label(Role::Label, "Hello!")
            .is_some()
    );
    assert_eq!(demo.field(), "Hello!", "the text stays");
    // It is selected, and the focus is kept: what is typed next replaces it.
    demo.type_text("안녕하세요");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "안녕하세요");
    assert_eq!(demo.sent(), ["Hello!", "안녕하세요"]);
}

#[test]
fn the_button_sends() {
    let mut demo = Demo::open();
    demo.type_text("Hello!");
    demo.harness
        .get_by_role_and_label(Role::Button, "Send message")
        .click();
    demo.harness.run();
    demo.shows(|page| page.answer() == "Hello!");
    demo.type_text("again");
    assert_eq!(
        demo.field(),
        "again",
        "the focus is in the field, its text was selected"
    );
}

#[test]
fn the_button_is_reached_and_pressed_by_keyboard() {
    let mut demo = Demo::open();
    demo.type_text("Hello!");
    for _ in 0..9 {
        let button = demo
            .harness
            .get_by_role_and_label(Role::Button, "Send message");
        if button.is_focused() {
            demo.press(Key::Space);
            demo.shows(|page| page.answer() == "Hello!");
            return;
        }
        demo.press(Key::Tab);
    }
    panic!("the button does not get the focus");
}

#[test]
fn an_empty_field_is_withheld() {
    let mut demo = Demo::open();
    demo.press(Key::Enter);
    demo.harness
        .get_by_role_and_label(Role::Button, "Send message")
        .click();
    demo.harness.run();
    assert!(demo.sent().is_empty());
}

#[test]
fn disconnecting_says_why_it_closed() {
    let mut demo = Demo::open();
    assert!(
        demo.harness.query_by_label("Disconnect").is_none(),
        "it is folded away"
    );
    demo.harness.get_by_label("Connection").click();
    demo.harness.run();
    demo.harness.get_by_label("open");
    demo.harness.get_by_role_and_label(Role::TextInput, "URL");
    demo.harness.get_by_label("Disconnect").click();
    demo.harness.run();
    demo.shows(|page| page.ending().is_some());
    demo.harness.get_by_label("closed");
    demo.harness
        .get_by_label("Closed by this end, without a code.");
    demo.harness.get_by_label("Connect").click();
    demo.harness.run();
    demo.shows(|page| page.status().0 == "open");
}

#[test]
fn a_server_that_stops_is_told_on_the_screen() {
    let mut demo = Demo::open();
    demo.shut_server_down();
    let end = Instant::now() + LIMIT;
    while demo.harness.state().page().ending().is_none() {
        assert!(Instant::now() < end);
        demo.harness.run();
    }
    let ending = demo.harness.state().page().ending().unwrap();
    assert!(
        ending.contains("by the peer, code 1012 (service restart)"),
        "{ending}"
    );
}

#[test]
fn hangul_is_composed_and_no_syllable_is_lost() {
    let mut demo = Demo::open();
    for (preedits, syllable) in [(["ㅎ", "하", "한"], "한"), (["ㄱ", "그", "글"], "글")] {
        for preedit in preedits {
            demo.preedit(preedit);
        }
        assert!(demo.field().ends_with(syllable), "{}", demo.field());
        demo.commit(syllable);
    }
    assert_eq!(demo.field(), "한글");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "한글");
    assert_eq!(demo.sent(), ["한글"]);
    // The selected text gives way to what is composed next.
    demo.preedit("ㅎ");
    demo.preedit("하");
    demo.commit("하");
    assert_eq!(demo.field(), "하");
}

#[test]
fn enter_while_composing_sends_neither_early_nor_twice() {
    let mut demo = Demo::open();
    demo.preedit("ㅎ");
    demo.preedit("한");
    // Some systems pass on the key that ends the composition, before the syllable or behind it.
    demo.press(Key::Enter);
    assert!(demo.sent().is_empty());
    demo.commit("한");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "한");
    demo.preedit("글");
    demo.harness
        .event(Event::Ime(ImeEvent::Commit("글".to_owned())));
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "글");
    assert_eq!(demo.sent(), ["한", "글"]);
}

#[test]
fn a_space_ends_a_syllable_and_stands_behind_it() {
    let mut demo = Demo::open();
    demo.compose(["ㅎ", "하", "한"]);
    demo.commit("한");
    demo.type_text(" ");
    demo.compose(["ㄱ", "그", "글"]);
    demo.commit("글");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "한 글");
    assert_eq!(demo.sent(), ["한 글"]);
}

#[test]
fn the_button_sends_what_is_being_composed_whole_and_once() {
    for is_committed in [false, true] {
        let mut demo = Demo::open();
        demo.compose(["ㅎ", "하", "한"]);
        if is_committed {
            // With the click, as some systems do.
            let commit = ImeEvent::Commit("한".to_owned());
            demo.harness.event(Event::Ime(commit));
        }
        demo.click(Role::Button, "Send message");
        demo.shows(|page| page.answer() == "한");
        assert_eq!(
            (demo.sent(), demo.field()),
            (vec!["한".to_owned()], "한".to_owned())
        );
        // The composition is over, told or not: Enter sends, and what is typed replaces the text.
        demo.press(Key::Enter);
        assert_eq!(demo.sent(), ["한", "한"]);
        demo.type_text("a");
        assert_eq!(demo.field(), "a");
    }
}

#[test]
fn what_is_being_composed_stays_when_the_focus_goes() {
    let mut demo = Demo::open();
    demo.compose(["ㅎ", "하", "한"]);
    demo.harness.get_by_label("Connection").click();
    demo.harness.run();
    assert_eq!((demo.field(), demo.sent()), ("한".to_owned(), Vec::new()));
    demo.click(Role::TextInput, "Send a message");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "한");
    assert_eq!(demo.sent(), ["한"]);
}

#[test]
fn what_is_being_composed_stays_when_the_window_loses_the_focus() {
    let mut demo = Demo::open();
    demo.compose(["ㅎ", "하", "한"]);
    demo.event(Event::WindowFocused(false));
    demo.event(Event::WindowFocused(true));
    assert_eq!((demo.field(), demo.sent()), ("한".to_owned(), Vec::new()));
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "한");
    assert_eq!(demo.sent(), ["한"]);
}

#[test]
fn an_idle_window_asks_for_no_frame_until_a_message_comes() {
    let mut demo = Demo::open();
    demo.type_text("Hello!");
    demo.press(Key::Enter);
    demo.shows(|page| page.answer() == "Hello!");
    // What the driver had still to tell.
    std::thread::sleep(Duration::from_millis(200));
    demo.harness.run();
    let frames = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&frames);
    demo.harness.ctx.set_request_repaint_callback(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
    });
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(frames.load(Ordering::SeqCst), 0);
    demo.shut_server_down();
    let end = Instant::now() + LIMIT;
    while frames.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < end, "a change asks for a frame");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn light_and_dark_have_their_own_colours() {
    let mut demo = Demo::open();
    let mut surfaces = Vec::new();
    for theme in [Theme::Light, Theme::Dark] {
        demo.harness.ctx.set_theme(theme);
        demo.harness.run();
        let style = demo.harness.ctx.global_style();
        surfaces.push(theme::palette(&style.visuals).surface);
        assert_eq!(style.visuals.panel_fill, surfaces[surfaces.len() - 1]);
    }
    assert_ne!(surfaces[0], surfaces[1]);
}

/// How long the window waits until it is painted again by itself.
fn next_paint_in(demo: &Harness<'_, Window>) -> Duration {
    demo.output().viewport_output[&ViewportId::ROOT].repaint_delay
}

#[test]
fn a_countdown_is_painted_once_a_second_and_what_is_sent_meanwhile_waits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut server = ScriptedServer::new();
    let connect = talkback::connect("ws://server.example/").connector(server.connector());
    let minute = |_: &_, _| Verdict::RetryAfter(Duration::from_secs(60));
    let channel = connect.reconnect().decide(minute).channel();
    let sender = channel.sender();
    runtime
        .block_on(server.next_try())
        .fail(std::io::ErrorKind::ConnectionRefused);
    let mut demo = Demo::show(Page::new(TITLE, "ws://server.example/", channel));
    demo.shows(|page| page.next_tick_in().is_some());
    demo.harness.run();

    let seconds = |demo: &Demo| -> u64 {
        let label = demo.harness.get_by_label_contains("(connection refused)");
        let label = label.value().unwrap_or_default();
        let rest = label.strip_prefix("reconnecting in ").unwrap();
        rest.split_once(" s ").unwrap().0.parse().unwrap()
    };
    // The wake for what is seen already may come late, and has it painted too.
    std::thread::sleep(next_paint_in(&demo.harness));
    demo.harness.run();
    let (begun, mut paints) = (seconds(&demo), 0);
    while seconds(&demo) > begun - 2 {
        std::thread::sleep(next_paint_in(&demo.harness));
        demo.harness.step();
        paints += 1;
    }
    assert!(paints <= 2, "{paints} paints for 2 s");

    demo.type_text("안녕");
    demo.press(Key::Enter);
    demo.harness.get_by_label_contains("; your message waits");
    assert_eq!(demo.sent(), ["안녕"]);
    sender.reconnect_now();
    let peer = runtime.block_on(async {
        let mut peer = server.next_try().await.accept().await.unwrap();
        let message = peer.recv().await.unwrap().unwrap();
        peer.send(message).await.unwrap();
        peer
    });
    demo.shows(|page| page.answer() == "안녕");
    demo.harness.run();
    assert!(
        demo.harness
            .query_by_label_contains("reconnecting")
            .is_none()
    );
    assert_eq!(next_paint_in(&demo.harness), Duration::MAX);
    drop(peer);
}
