//! Staying connected: `cargo run -p talkback-docs --example reconnect -- ws://127.0.0.1:9001/`. Stop the echo server
//! while it runs, and start it again.

use std::error::Error;
use std::time::Duration;

use talkback::{ChannelEvent, ChannelState, HookError, Link};

/// The line that a window shows of its connection.
fn status(link: &Link) -> String {
    match (link.state(), link.lost(), link.next_try_in()) {
        (ChannelState::Open, ..) => "connected".to_owned(),
        (ChannelState::Retrying, Some(lost), Some(wait)) => {
            format!("reconnecting in {} s ({lost})", wait.as_secs())
        }
        (ChannelState::Paused, ..) => "paused".to_owned(),
        _ => "connecting".to_owned(),
    }
}

/// Where a program gets its tokens.
async fn token(is_refused: bool) -> Result<String, HookError> {
    match is_refused {
        true => Err(HookError::stop("log in again")), // the channel ends with this
        false => Ok("secret".to_owned()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give a URL")?;

    let mut channel = talkback::connect(url)
        .reconnect()
        .before_try(|connect, tried| async move {
            let token = token(tried.is_unauthorized()).await?; // fresh for each try
            Ok(connect
                .native(|native| native.set_header("Authorization", format!("Bearer {token}"))))
        })
        .on_connected(|mut connected| async move {
            connected.send(r#"{"subscribe":"prices"}"#).await?; // before all that is queued
            Ok(())
        })
        .age_max(Duration::from_secs(30)) // what waited longer is not sent late
        .channel();

    let sender = channel.sender();
    tokio::spawn(async move {
        for number in 0.. {
            let receipt = match sender.send_tracked(format!("message {number}")) {
                Ok(receipt) => receipt, // queued, whether or not there is a connection now
                Err(error) if error.is_full() => continue,
                Err(_) => break,
            };
            println!("message {number}: {:?}", receipt.await); // written, unknown, dropped or unsent
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });

    while let Some(event) = channel.recv_event().await? {
        match event {
            ChannelEvent::Opened(opened) => println!("connection {}", opened.connection()),
            ChannelEvent::Message(message) => println!("{message}"),
            ChannelEvent::Lost(lost) => {
                println!(
                    "lost: {lost}; {} messages may not have arrived",
                    lost.unknown()
                );
                println!("{}", status(&channel.link()));
            }
            _ => {}
        }
    }
    Ok(())
}
