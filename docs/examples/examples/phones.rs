//! What an app on a phone tells its channel: `cargo run -p talkback-docs --example phones -- ws://127.0.0.1:9001/`, and
//! then a line `background`, `foreground` or `network`.

use std::error::Error;
use std::time::Duration;

use talkback::Sender;
use tokio::io::{AsyncBufReadExt, BufReader};

/// What the system tells an app.
enum Told {
    Background,
    Foreground,
    NetworkChanged,
}

/// From any thread, as often as the system says it: nothing here waits.
fn tell(channel: &Sender, told: Told) {
    match told {
        Told::Background => channel.pause(), // closes; what is sent meanwhile is queued
        Told::Foreground => channel.resume(), // connects at once
        Told::NetworkChanged => channel.reconnect_now(), // the old way may be gone without a word
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give a URL")?;
    let mut channel = talkback::connect(url)
        .native(|native| native.keepalive(Duration::from_secs(60))) // each ping wakes the radio
        .reconnect()
        .age_max(Duration::from_secs(60)) // what waited longer is not sent late
        .channel();

    let sender = channel.sender();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            message = channel.recv() => match message? {
                Some(message) => println!("{message}"),
                None => return Ok(()),
            },
            line = lines.next_line() => match line?.as_deref() {
                Some("background") => tell(&sender, Told::Background),
                Some("foreground") => tell(&sender, Told::Foreground),
                Some("network") => tell(&sender, Told::NetworkChanged),
                Some(line) => sender.try_send(line)?,
                None => return Ok(()),
            },
        }
    }
}
