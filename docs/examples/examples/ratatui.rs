//! The recipe's screen in ratatui: `cargo run -p talkback-docs --example ratatui`.

use std::error::Error;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use ratatui::DefaultTerminal;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use talkback::{Sender, Snapshot, Snapshots};
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = talkback::connect("ws://127.0.0.1:9001/")
        .reconnect()
        .channel();
    let sender = channel.sender();
    let mut terminal = ratatui::init();
    let outcome = run(&mut terminal, &sender, channel.into_snapshots()).await;
    ratatui::restore();
    println!("{}", sender.close().await?);
    outcome
}

async fn run(
    terminal: &mut DefaultTerminal,
    sender: &Sender,
    mut snapshots: Snapshots,
) -> Result<(), Box<dyn Error>> {
    let mut keys = EventStream::new();
    let mut snapshot = Snapshot::default();
    let mut field = String::new();
    let mut problem = String::new();
    loop {
        let page = Paragraph::new(vec![
            Line::from(format!("Send a message: {field}")),
            Line::from(snapshot.text()),
            Line::from(problem.as_str()),
            Line::from(status(&snapshot)),
        ]);
        terminal.draw(|frame| frame.render_widget(page, frame.area()))?;

        // Nothing is drawn until one of them has something.
        let key = tokio::select! {
            Some(latest) = snapshots.next() => {
                snapshot = latest;
                continue;
            }
            // Seconds are counted down to the next try.
            () = sleep(Duration::from_secs(1)), if snapshot.link.next_try_in().is_some() => {
                snapshot = snapshots.latest();
                continue;
            }
            Some(event) = keys.next() => match event? {
                Event::Key(key) if key.kind != KeyEventKind::Release => key,
                _ => continue,
            },
            else => return Ok(()),
        };
        match key.code {
            KeyCode::Esc => return Ok(()),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
            KeyCode::Char(character) => field.push(character),
            KeyCode::Backspace => drop(field.pop()),
            KeyCode::Enter if !field.is_empty() => {
                let sent = sender.try_send(field.as_str());
                problem = sent.map_or_else(|error| error.to_string(), |()| String::new());
            }
            _ => {}
        }
    }
}

/// How the connection is, unless it is open.
fn status(snapshot: &Snapshot) -> String {
    let wait = snapshot.link.next_try_in();
    match (&snapshot.close, &snapshot.error, wait) {
        (Some(info), ..) => info.to_string(),
        (None, Some(error), Some(wait)) => {
            format!("reconnecting in {} s: {error}", wait.as_secs() + 1)
        }
        (None, Some(error), None) => format!("reconnecting: {error}"),
        (None, None, _) => String::new(),
    }
}
