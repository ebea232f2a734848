//! Channels on a page that is left, frozen and gone back to: `cargo xtask test browser` drives it
//! from outside, and counts what it leaves behind through the browser's own protocol.

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[expect(
    unreachable_pub,
    reason = "wasm-bindgen exports public functions alone"
)]
mod page {
    use std::cell::RefCell;
    use std::time::Duration;

    use futures_util::future::join_all;
    use talkback::{Backoff, ChannelEvent, Error, Reconnecting, Sender, WebSocketChannel};
    use wasm_bindgen::prelude::wasm_bindgen;
    use wasm_bindgen_futures::spawn_local;

    /// How many channels are open at a time. Chromium is slow with many that are opened at once: a thousand took it
    /// seven times as long by fifty.
    const AT_ONCE: usize = 10;

    thread_local! {
        static RECEIVED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static SENDER: RefCell<Option<Sender>> = const { RefCell::new(None) };
    }

    /// Opens so many channels to an echo server, uses them, and closes the one half and drops the
    /// other.
    #[wasm_bindgen]
    pub async fn open_and_close(url: String, count: usize) {
        for first in (0..count).step_by(AT_ONCE) {
            let channels = (first..count.min(first + AT_ONCE)).map(|number| {
                let url = url.clone();
                async move {
                    let mut channel = WebSocketChannel::connect(url);
                    channel.send(number.to_string()).await.unwrap();
                    let answer = channel.recv().await.unwrap().unwrap();
                    assert_eq!(answer.as_text(), Some(&*number.to_string()));
                    if number % 2 == 0 {
                        let info = channel.close().await.unwrap();
                        assert!(info.clean, "{info}");
                    }
                }
            });
            join_all(channels).await;
        }
    }

    /// Opens a channel, and notes what it receives.
    #[wasm_bindgen]
    pub async fn listen(url: String) {
        let mut channel = WebSocketChannel::connect(url);
        channel.ready().await.unwrap();
        spawn_local(async move {
            while let Ok(Some(message)) = channel.recv().await {
                note(message.as_text().unwrap_or_default());
            }
            let info = channel.close_info().expect("it has ended");
            note(&info.to_string());
        });
    }

    /// Keeps a channel connected, whose waits are a second at most, and notes its events.
    #[wasm_bindgen]
    pub fn stay_connected(url: String) {
        let reconnecting = talkback::connect(url).reconnect();
        let mut channel = with_waits_up_to(Duration::from_secs(1), reconnecting).channel();
        SENDER.set(Some(channel.sender()));
        spawn_local(async move {
            loop {
                match channel.recv_event().await {
                    Ok(Some(ChannelEvent::Opened(opened))) => {
                        note(&format!("opened {}", opened.connection()));
                    }
                    Ok(Some(ChannelEvent::Lost(lost))) => {
                        note(&format!("lost {}", lost.connection()));
                    }
                    Ok(Some(ChannelEvent::Message(message))) => note(&message.to_string()),
                    Ok(end) => return note(&format!("{end:?}")),
                    Err(error) => note(&error.to_string()),
                }
            }
        });
    }

    fn with_waits_up_to(longest: Duration, reconnecting: Reconnecting) -> Reconnecting {
        let backoff = Backoff::default().first(longest).longest(longest);
        reconnecting.backoff(backoff.shortest(Duration::ZERO))
    }

    /// Queues a message on that channel.
    #[wasm_bindgen]
    pub fn send(text: String) {
        SENDER.with_borrow(|sender| sender.as_ref().unwrap().try_send(text).unwrap());
    }

    /// Opens so many channels at a time, each to a URL of its own; returns how many have given up after so many tries.
    #[wasm_bindgen]
    pub async fn give_up(url: String, count: usize, tries: u32, timeout_ms: u32) -> usize {
        let channels = (0..count).map(|number| {
            let timeout = Duration::from_millis(timeout_ms.into());
            let connect = talkback::connect(format!("{url}{number}")).timeout(timeout);
            let reconnecting = connect.reconnect().tries_max(tries);
            with_waits_up_to(timeout, reconnecting).channel()
        });
        let ends = channels.map(|mut channel| async move { channel.recv().await });
        let ends = join_all(ends).await;
        let all = |end: &&Result<_, Error>| matches!(end, Err(Error::GaveUp { tries: made, .. }) if *made == tries);
        ends.iter().filter(all).count()
    }

    fn note(text: &str) {
        RECEIVED.with_borrow_mut(|received| received.push(text.to_owned()));
    }

    /// What was received, and how the channel ended once it has.
    #[wasm_bindgen]
    pub fn received() -> Vec<String> {
        RECEIVED.with_borrow(Clone::clone)
    }
}

fn main() {}
