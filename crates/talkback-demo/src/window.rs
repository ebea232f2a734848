//! The demo in a window: the recipe's screen, in egui.
//!
//! What is shown and done is the [`Page`]'s; this draws it. `window/` has the widgets that egui does
//! not bring: the app bar, the field with its label, the round button, the folded section.

mod app_bar;
mod connection;
mod field;
mod send_button;
pub mod theme;

use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use eframe::egui;
use talkback::Closing;

use self::field::Entered;
use crate::state::{self, ANSWER_SPACE, FIELD_LABEL, PADDING, Page, SEND_LABEL, TITLE};

/// Space below the body, so that the button never hides its end.
const BUTTON_SPACE: f32 = 72.0;

/// The window's content.
#[derive(Debug)]
pub struct Window {
    page: Page,
    /// Has the window painted when something comes.
    waker: Waker,
    opened: Instant,
    /// Who waits for the channel to close once the window has.
    leaving: Option<mpsc::Sender<Closing>>,
}

/// Has egui paint the next frame. The page takes every message, and so is polled; who draws snapshots
/// alone takes [`on_change`](talkback::Snapshots::on_change).
struct Repaint(egui::Context);

impl Wake for Repaint {
    fn wake(self: Arc<Self>) {
        self.0.request_repaint();
    }
}

/// Opens the window, and returns when it was closed and the channel was, too.
///
/// # Errors
/// Why no window could be opened.
pub fn run(url: &str, theme: egui::ThemePreference) -> Result<(), eframe::Error> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id("talkback-demo")
            .with_inner_size([480.0, 640.0])
            .with_min_inner_size([280.0, 320.0]),
        ..Default::default()
    };
    let (leaving, left) = mpsc::channel();
    let open = |cc: &eframe::CreationContext<'_>| {
        cc.egui_ctx.set_theme(theme);
        let page = Page::new(TITLE, url, state::channel(url));
        let mut window = Window::new(page, &cc.egui_ctx);
        window.leaving = Some(leaving);
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    eframe::run_native(TITLE, options, Box::new(open))?;
    if let Ok(closing) = left.try_recv() {
        // However it ended, nobody is there to be told.
        let _ = closing.wait();
    }
    Ok(())
}

impl Window {
    /// A window that shows this page.
    pub fn new(page: Page, ctx: &egui::Context) -> Self {
        theme::apply(ctx);
        Self {
            page,
            waker: Waker::from(Arc::new(Repaint(ctx.clone()))),
            opened: Instant::now(),
            leaving: None,
        }
    }

    /// The page.
    pub fn page(&self) -> &Page {
        &self.page
    }

    fn body(&mut self, ui: &mut egui::Ui) {
        let problem = self.page.problem();
        let field = field::show(ui, FIELD_LABEL, &mut self.page.field, problem);
        if field == Entered::Yes {
            self.send(ui);
        }
        self.reconnecting(ui);
        ui.add_space(ANSWER_SPACE);
        let answer = egui::RichText::new(self.page.answer()).size(16.0);
        let answer = ui.add(egui::Label::new(answer).wrap());
        // A screen reader says it when it comes.
        ui.ctx().accesskit_node_builder(answer.id, |node| {
            node.set_live(egui::accesskit::Live::Polite);
        });
        ui.add_space(ANSWER_SPACE);
        connection::show(ui, &mut self.page);
        ui.add_space(BUTTON_SPACE);
    }

    /// Says that there is no connection for now. The field and the button can be used all the same.
    fn reconnecting(&self, ui: &mut egui::Ui) {
        let Some(reconnecting) = self.page.reconnecting() else {
            return;
        };
        let color = theme::palette(ui.visuals()).busy;
        ui.add_space(4.0);
        let text = egui::RichText::new(reconnecting).size(field::SMALL_SIZE);
        ui.add(egui::Label::new(text.color(color)).wrap());
        if let Some(time) = self.page.next_tick_in() {
            ui.ctx().request_repaint_after(time);
        }
    }

    /// Sends; the text stays, selected, and the next key replaces it.
    fn send(&mut self, ui: &egui::Ui) {
        self.page.send(self.opened.elapsed());
        field::select_all(ui, FIELD_LABEL, &self.page.field);
    }
}

impl eframe::App for Window {
    /// Runs before each frame, and also when a message comes while the window is hidden.
    fn logic(&mut self, _: &egui::Context, _: &mut eframe::Frame) {
        let mut cx = Context::from_waker(&self.waker);
        self.page.poll(&mut cx, self.opened.elapsed());
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        app_bar::show(ui, self.page.title());
        let frame = egui::Frame::central_panel(ui.style()).inner_margin(0);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            let whole = ui.max_rect();
            egui::ScrollArea::vertical()
                .auto_shrink(false)
                .show(ui, |ui| {
                    egui::Frame::new()
                        .inner_margin(PADDING)
                        .show(ui, |ui| self.body(ui));
                });
            if send_button::show(ui, whole, SEND_LABEL).clicked() {
                self.send(ui);
            }
        });
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        if let Some(leaving) = &self.leaving {
            let _ = leaving.send(self.page.leave());
        }
    }
}
