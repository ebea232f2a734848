//! The screen of Flutter's recipe "Work with WebSockets": a field, a button, the last answer.
//!
//! `cargo run` opens it in a window, `trunk serve` in a page. The server is the first argument, or
//! what stands behind the `?` of the page's address. It may go away and come back: the last answer stays, and
//! what is sent meanwhile waits.

use std::time::Duration;

use eframe::egui::{self, Color32};
use talkback::{ChannelState, ConnectError, Link, LostCause, Sender, Snapshots};

const TITLE: &str = "WebSocket Demo";
/// `talkback echo` listens there.
const SERVER: &str = "ws://127.0.0.1:9001/";

struct App {
    sender: Sender,
    snapshots: Snapshots,
    field: String,
    problem: String,
}

impl App {
    /// Connects, at once, and again whenever the connection is lost; what is sent before it is open waits for it.
    fn new(ctx: &egui::Context, url: Option<String>) -> Self {
        let connect = talkback::connect(url.as_deref().unwrap_or(SERVER));
        let channel = connect.reconnect().channel();
        let sender = channel.sender();
        let snapshots = channel.into_snapshots();
        let ctx = ctx.clone();
        snapshots.on_change(move || ctx.request_repaint());
        Self {
            sender,
            snapshots,
            field: String::new(),
            problem: String::new(),
        }
    }

    fn send(&mut self) {
        if self.field.is_empty() {
            return;
        }
        self.problem = match self.sender.try_send(&self.field) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        if self.problem.is_empty() {
            self.field.clear();
        }
    }
}

/// That there is no connection, but will be: `reconnecting in 3 s (connection refused)`.
fn reconnecting(link: &Link) -> Option<String> {
    let lost = link.lost()?;
    let why = match lost.cause() {
        LostCause::Connect(ConnectError::Tcp { error, .. }) => error.kind().to_string(),
        LostCause::Closed(info) if !info.clean => info.cause.to_string(),
        _ => lost.to_string(),
    };
    match (link.state(), link.next_try_in()) {
        (ChannelState::Retrying, Some(wait)) => {
            Some(format!("reconnecting in {} s ({why})", wait.as_secs() + 1))
        }
        (ChannelState::Connecting, _) => Some(format!("reconnecting ({why})")),
        _ => None,
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        egui::Panel::top("title").show(ui, |ui| ui.heading(TITLE));
        egui::CentralPanel::default().show(ui, |ui| {
            ui.add_space(12.0);
            let label = ui.label("Send a message");
            let (field, button) = ui
                .horizontal(|ui| {
                    let field = egui::TextEdit::singleline(&mut self.field).desired_width(240.0);
                    (ui.add(field), ui.button("Send message"))
                })
                .inner;
            let field = field.labelled_by(label.id);
            let has_entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            if button.clicked() || has_entered {
                self.send();
            }
            if button.clicked() || has_entered || ui.memory(|memory| memory.focused().is_none()) {
                field.request_focus();
            }
            // What has come so far; a change has the next frame drawn.
            let snapshot = self.snapshots.latest();
            ui.add_space(24.0);
            ui.label(egui::RichText::new(snapshot.text()).size(18.0));
            ui.add_space(24.0);
            ui.colored_label(ui.visuals().error_fg_color, &self.problem);
            if let Some(mut text) = reconnecting(&snapshot.link) {
                if self.sender.buffered_amount() > 0 {
                    text += "; your message waits";
                }
                ui.colored_label(amber(ui.visuals()), text);
            }
            if snapshot.link.next_try_in().is_some() {
                // Nothing changes but the seconds.
                ui.ctx().request_repaint_after(Duration::from_secs(1));
            }
            if let Some(info) = &snapshot.close {
                ui.label(info.to_string());
            }
        });
    }
}

/// An amber that can be read on this ground.
fn amber(visuals: &egui::Visuals) -> Color32 {
    match visuals.dark_mode {
        true => Color32::from_rgb(0xff, 0xb9, 0x5c),
        false => Color32::from_rgb(0x8a, 0x58, 0x00),
    }
}

/// The window is gone; what was queued leaves, and the channel closes, before the program ends.
#[cfg(not(target_arch = "wasm32"))]
impl Drop for App {
    fn drop(&mut self) {
        // However it ended, nobody is there to be told.
        let _ = self.sender.close().wait();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> eframe::Result {
    let url = std::env::args().nth(1);
    let open = |cc: &eframe::CreationContext<'_>| Ok(Box::new(App::new(&cc.egui_ctx, url)) as _);
    eframe::run_native(TITLE, eframe::NativeOptions::default(), Box::new(open))
}

#[cfg(target_arch = "wasm32")]
fn main() {
    use eframe::wasm_bindgen::JsCast as _;
    let window = eframe::web_sys::window().expect("this is a page");
    let query = window.location().search().unwrap_or_default();
    let url = query.strip_prefix('?').map(str::to_owned);
    let canvas = window
        .document()
        .and_then(|page| page.get_element_by_id("app"));
    let canvas = canvas.and_then(|canvas| canvas.dyn_into().ok());
    let canvas = canvas.expect("index.html has the canvas");
    let open = |cc: &eframe::CreationContext<'_>| Ok(Box::new(App::new(&cc.egui_ctx, url)) as _);
    wasm_bindgen_futures::spawn_local(async {
        let started = eframe::WebRunner::new()
            .start(canvas, eframe::WebOptions::default(), Box::new(open))
            .await;
        started.expect("the browser draws with WebGL");
    });
}
