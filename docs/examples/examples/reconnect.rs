//! Staying connected: `cargo run -p talkback-docs --example reconnect -- ws://127.0.0.1:9001/`. Stop the echo server
//! while it runs, and start it again.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use talkback::{ChannelEvent, ChannelState, Heartbeat, HookError, Link, Verdict};

/// The line that a window shows of its connection.
fn status(link: &Link) -> String {
    match (link.state(), link.lost(), link.next_try_in()) {
        (ChannelState::Open, ..) => "connected".to_owned(),
        (ChannelState::Retrying, Some(lost), Some(wait)) => {
            format!("reconnecting in {} s ({lost})", wait.as_secs() + 1)
        }
        (ChannelState::Paused, ..) => "paused".to_owned(),
        (ChannelState::Closing | ChannelState::Closed, ..) => "closed".to_owned(),
        _ => "connecting".to_owned(),
    }
}

/// Where a program gets its tokens.
struct Tokens;

impl Tokens {
    async fn get(&self, is_refused: bool) -> Result<String, HookError> {
        match is_refused {
            true => Err(HookError::stop("log in again")), // the channel ends with this
            false => Ok("secret".to_owned()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give a URL")?;

    let heartbeat = Heartbeat::new(
        || "ping".into(),
        |message| message.as_text() == Some("ping"), // an echo server's answer; yours may say "pong"
    );

    let tokens = Arc::new(Tokens);
    let mut channel = talkback::connect(url)
        .reconnect()
        .before_try(move |connect, tried| {
            let tokens = Arc::clone(&tokens); // each try has its own
            async move {
                let bearer = format!("Bearer {}", tokens.get(tried.is_unauthorized()).await?);
                Ok(connect.native(|native| native.set_header("Authorization", bearer)))
            }
        })
        .on_connected(|mut connected| async move {
            connected.send(r#"{"subscribe":"prices"}"#).await?; // before all that is queued
            Ok(())
        })
        .decide(|lost, verdict| match lost.close_info() {
            Some(info) if info.code.number() == 4401 => Verdict::Retry, // "your token has expired"
            _ => verdict,
        })
        .heartbeat(heartbeat)
        .age_max(Duration::from_secs(30)) // what waited longer is not sent late
        .channel();

    let sender = channel.sender();
    tokio::spawn(async move {
        for number in 0.. {
            // Queued, whether or not there is a connection now.
            let Ok(receipt) = sender.send_tracked(format!("message {number}")) else {
                break; // the queue is full, or the channel has ended
            };
            println!("message {number}: {:?}", receipt.await); // written (not: arrived), unknown, …
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });

    while let Some(event) = channel.recv_event().await? {
        match event {
            ChannelEvent::Opened(opened) => println!("connection {}", opened.connection()),
            ChannelEvent::Message(message) => println!("{message}"),
            ChannelEvent::Lost(lost) => {
                println!("lost: {lost}; {} were not written whole", lost.unknown());
                println!("{}", status(&channel.link()));
            }
            _ => {}
        }
    }
    Ok(())
}
