//! The recipe's screen in iced: `cargo run -p talkback-docs-iced` in this workspace.

use iced::widget::{button, column, row, text, text_input};
use iced::{Element, Task};
use talkback::{Sender, Snapshot};

struct App {
    sender: Sender,
    snapshot: Snapshot,
    field: String,
    problem: String,
}

#[derive(Clone, Debug)]
enum Event {
    Changed(Box<Snapshot>),
    Typed(String),
    Send,
}

impl App {
    fn new() -> (Self, Task<Event>) {
        let channel = talkback::connect("ws://127.0.0.1:9001/")
            .reconnect()
            .channel();
        let app = Self {
            sender: channel.sender(),
            snapshot: Snapshot::default(),
            field: String::new(),
            problem: String::new(),
        };
        // Each snapshot is an event, and after each event the window is drawn.
        let changed = |snapshot| Event::Changed(Box::new(snapshot));
        (app, Task::run(channel.into_snapshots(), changed))
    }

    fn update(&mut self, event: Event) {
        match event {
            Event::Changed(snapshot) => self.snapshot = *snapshot,
            Event::Typed(field) => self.field = field,
            Event::Send if self.field.is_empty() => {}
            Event::Send => {
                let sent = self.sender.try_send(self.field.as_str());
                self.problem = sent.map_or_else(|error| error.to_string(), |()| String::new());
            }
        }
    }

    fn view(&self) -> Element<'_, Event> {
        let field = text_input("Send a message", &self.field)
            .on_input(Event::Typed)
            .on_submit(Event::Send);
        column![
            row![field, button("Send message").on_press(Event::Send)].spacing(8),
            text(self.snapshot.text()),
            text(&self.problem),
            text(status(&self.snapshot)),
        ]
        .spacing(24)
        .padding(20)
        .into()
    }
}

/// How the connection is, unless it is open.
fn status(snapshot: &Snapshot) -> String {
    match (&snapshot.close, &snapshot.error) {
        (Some(info), _) => info.to_string(),
        (None, Some(error)) => format!("reconnecting: {error}"),
        (None, None) => String::new(),
    }
}

fn main() -> iced::Result {
    iced::application(App::new, App::update, App::view)
        .title("WebSocket Demo")
        .run()
}
