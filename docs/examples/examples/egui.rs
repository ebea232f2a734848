//! The recipe's screen in egui: `cargo run -p talkback-docs --features window --example egui`.

use eframe::egui;
use talkback::{Sender, WebSocketChannel};
use talkback_demo::egui_snapshots::EguiSnapshots;

struct App {
    sender: Sender,
    snapshots: EguiSnapshots,
    field: String,
    problem: String,
}

impl App {
    fn new(ctx: &egui::Context) -> Self {
        let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
        Self {
            sender: channel.sender(),
            snapshots: EguiSnapshots::new(channel.into_snapshots(), ctx),
            field: String::new(),
            problem: String::new(),
        }
    }

    fn send(&mut self) {
        if !self.field.is_empty() {
            let sent = self.sender.try_send(self.field.as_str());
            self.problem = sent.map_or_else(|error| error.to_string(), |()| String::new());
        }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        egui::CentralPanel::default().show(ui, |ui| {
            let label = ui.label("Send a message");
            let field = ui
                .text_edit_singleline(&mut self.field)
                .labelled_by(label.id);
            let entered =
                field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if ui.button("Send message").clicked() || entered {
                self.send();
                field.request_focus();
            }
            let snapshot = self.snapshots.latest();
            ui.label(snapshot.text());
            ui.label(&self.problem);
            if let Some(info) = &snapshot.close {
                ui.label(info.to_string());
            }
        });
    }
}

fn main() -> eframe::Result {
    let open = |cc: &eframe::CreationContext<'_>| Ok(Box::new(App::new(&cc.egui_ctx)) as _);
    eframe::run_native(
        "WebSocket Demo",
        eframe::NativeOptions::default(),
        Box::new(open),
    )
}
