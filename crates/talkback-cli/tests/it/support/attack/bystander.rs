//! A well-behaved client for as long as an attack lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use talkback::{CloseInfo, WebSocketChannel};

/// Short against an attack, and long enough to cost an idle server nothing that counts.
const PAUSE: Duration = Duration::from_millis(50);

/// A client that says something from time to time, and has it back.
#[derive(Debug)]
pub(crate) struct Bystander {
    is_over: Arc<AtomicBool>,
    talking: JoinHandle<Result<Talk, String>>,
}

/// What became of its connection.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) echoes: usize,
    /// The longest wait for an echo.
    pub(crate) longest: Duration,
    pub(crate) info: CloseInfo,
}

impl Bystander {
    /// On a channel that is open.
    pub(crate) fn on(channel: WebSocketChannel) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        Self {
            is_over,
            talking: thread::spawn(move || talk(channel, &until)),
        }
    }

    /// Has it close; how it was served.
    pub(crate) fn leave(self) -> Result<Talk, String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.talking.join().unwrap()
    }
}

/// The keepalive, which is on for channels, ends a wait for a server that says nothing.
fn talk(mut channel: WebSocketChannel, is_over: &AtomicBool) -> Result<Talk, String> {
    let (mut echoes, mut longest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        let said = Instant::now();
        say(&mut channel)?;
        longest = longest.max(said.elapsed());
        echoes += 1;
        thread::sleep(PAUSE);
    }
    let info = channel.close().wait().map_err(|error| error.to_string())?;
    Ok(Talk {
        echoes,
        longest,
        info,
    })
}

/// Says something and has it back.
pub(crate) fn say(channel: &mut WebSocketChannel) -> Result<(), String> {
    channel
        .try_send("well-behaved")
        .map_err(|error| format!("{error:?}"))?;
    match channel.blocking_recv() {
        Ok(Some(echo)) if echo == "well-behaved".into() => Ok(()),
        other => Err(format!("instead of the echo: {other:?}")),
    }
}
