//! The window in pixels, light and dark, held against the pictures in `snapshots/`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p talkback-demo --all-features --test it pictures` renews them after a
//! change that is meant; look at them then.

mod raster;

use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

use eframe::egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use eframe::egui::{Context, Event, FontData, FontFamily, Key, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use image::{Rgba, RgbaImage};
use talkback::{CloseCode, WebSocketChannel, pair};
use talkback_demo::state::{Page, Sending, TITLE};
use talkback_demo::window::Window;
use tokio::runtime::Runtime;

use self::raster::Raster;

const SIZE: [f32; 2] = [360.0, 640.0];
const GREETING: &str = "안녕하세요";
const THEMES: [(Theme, &str); 2] = [(Theme::Light, "light"), (Theme::Dark, "dark")];
/// By how much a channel of a pixel may differ: glyphs are rounded differently on other processors.
const TOLERANCE: u8 = 16;
const LIMIT: Duration = Duration::from_secs(20);

fn page(channel: WebSocketChannel) -> Page {
    Page::new(TITLE, "ws://127.0.0.1:9001/", channel)
}

/// A window, and what paints it.
struct Painted {
    harness: Harness<'static, Window>,
    raster: Raster,
}

impl Painted {
    fn open(page: Page, theme: Theme) -> Self {
        let raster = Raster::default();
        let builder = Harness::builder()
            .with_size(SIZE)
            .with_theme(theme)
            .with_context_setup(add_hangul)
            .renderer(raster.clone());
        let mut harness = builder.build_eframe(|cc| Window::new(page, &cc.egui_ctx));
        harness.run();
        Self { harness, raster }
    }

    /// Compares the window with a picture; with `UPDATE_SNAPSHOTS` set it becomes the picture.
    #[track_caller]
    fn looks_like(&self, name: &str) {
        let painted = self.raster.paint(&self.harness.ctx, self.harness.output());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
        let path = folder.join(format!("{name}.png"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            painted.save(&path).unwrap();
            return;
        }
        let expected = image::open(&path).unwrap().into_rgba8();
        let count = differences(&painted, &expected);
        if count > 0 {
            let new = path.with_extension("new.png");
            painted.save(&new).unwrap();
            panic!(
                "{count} pixels of {} differ: {}",
                path.display(),
                new.display()
            );
        }
    }
}

/// How many pixels differ in a way that can be seen.
fn differences(one: &RgbaImage, other: &RgbaImage) -> usize {
    assert_eq!(one.dimensions(), other.dimensions());
    let differs = |(one, other): (&Rgba<u8>, &Rgba<u8>)| {
        let mut channels = one.0.iter().zip(other.0);
        channels.any(|(one, other)| one.abs_diff(other) > TOLERANCE)
    };
    one.pixels()
        .zip(other.pixels())
        .filter(|pair| differs(*pair))
        .count()
}

/// The syllables that the pictures show, as what fonts a machine has differs.
fn add_hangul(ctx: &Context) {
    let font = FontData::from_static(include_bytes!("../fonts/hangul.otf"));
    let family = InsertFontFamily {
        family: FontFamily::Proportional,
        priority: FontPriority::Lowest,
    };
    ctx.add_font(FontInsert::new("hangul", font, vec![family]));
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    { runtime }.worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn the_first_screen() {
    for (theme, name) in THEMES {
        let (client, _server) = pair();
        let window = Painted::open(page(client), theme);
        window.looks_like(&format!("blank-{name}"));
    }
}

#[test]
fn the_answer_stands_below_the_field() {
    let runtime = runtime();
    for (theme, name) in THEMES {
        let (client, mut server) = pair();
        let mut window = Painted::open(page(client), theme);
        window.harness.event(Event::Text(GREETING.to_owned()));
        window.harness.key_press(Key::Enter);
        window.harness.run();
        runtime.block_on(async {
            let message = server.recv().await.unwrap().unwrap();
            server.send(message).await.unwrap();
        });
        let end = Instant::now() + LIMIT;
        while window.harness.state().page().answer() != GREETING {
            assert!(Instant::now() < end);
            window.harness.run();
        }
        window.harness.run();
        window.looks_like(&format!("answered-{name}"));
    }
}

/// What the log shows of the time is fixed: the page lives before there is a window.
#[test]
fn a_connection_that_the_server_closed_unfolded() {
    let runtime = runtime();
    for (theme, name) in THEMES {
        let (client, mut server) = pair();
        let mut page = page(client);
        page.field = GREETING.to_owned();
        assert_eq!(page.send(Duration::from_millis(7_000)), Sending::Sent);
        runtime.block_on(async {
            let message = server.recv().await.unwrap().unwrap();
            server.send(message).await.unwrap();
            let code = CloseCode::new(4001);
            server.close_with(code, "enough").unwrap().await.unwrap();
            poll_fn(|cx| {
                page.poll(cx, Duration::from_millis(7_250));
                match page.ending() {
                    Some(_) => Poll::Ready(()),
                    None => Poll::Pending,
                }
            })
            .await;
        });
        let mut window = Painted::open(page, theme);
        window.harness.get_by_label("Connection").click();
        window.harness.run();
        window.looks_like(&format!("closed-{name}"));
    }
}
