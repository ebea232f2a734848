//! Channels that stay connected to `soak_server`, and print what becomes of them and of what they send:
//! `cargo xtask soak killed` and `soak asleep` read it.

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    client::run().await;
}

/// A page has no standard output.
#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod client {
    use std::time::Duration;

    use talkback::{Backoff, ChannelEvent, Fate, Keepalive, QueueLimits, Receiver, Reconnecting};
    use tokio::sync::{mpsc, watch};

    /// How many channels there are.
    const CHANNELS: usize = 8;

    /// How many groups they form, which close one after the other.
    const GROUPS: usize = 2;

    /// Each sends so often.
    const PAUSE: Duration = Duration::from_millis(15);

    /// `send URL` sends all the time; a group closes with each line of its input, and the rest with the input's end.
    /// `watch URL SECONDS` sends a message on each channel for each line of its input, until that ends, and pings after
    /// so many seconds of silence, with as many for the answer; after 0 never.
    pub(super) async fn run() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            ["send", url] => send_all(url).await,
            ["watch", url, seconds] => {
                let seconds = seconds.parse().expect("seconds are a number");
                watch_all(url, Duration::from_secs(seconds)).await;
            }
            _ => eprintln!("soak_client send URL | watch URL SECONDS"),
        }
    }

    /// The lines of the input, and its end.
    fn lines() -> mpsc::UnboundedReceiver<()> {
        let (line, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for _ in std::io::stdin().lines() {
                // The rest of the program may have ended.
                let _ = line.send(());
            }
        });
        lines
    }

    async fn send_all(url: &str) {
        let (over, is_over) = watch::channel(0);
        let channels = (0..CHANNELS)
            .map(|number| tokio::spawn(traffic(url.to_owned(), number, is_over.clone())));
        let channels: Vec<_> = channels.collect();
        let mut lines = lines();
        while lines.recv().await.is_some() {
            over.send_modify(|groups| *groups += 1);
        }
        over.send_replace(GROUPS);
        for channel in channels {
            channel.await.expect("none panics");
        }
    }

    /// Sends until its group is over, closes, and tells what became of each message.
    async fn traffic(url: String, channel: usize, is_over: watch::Receiver<usize>) {
        let (sender, receiver) = sending(url, channel).channel().split();
        let telling = tokio::spawn(tell(receiver, channel));
        let mut receipts = Vec::new();
        while *is_over.borrow() <= channel % GROUPS {
            // One that finds no room is none.
            if let Ok(receipt) = sender.send_tracked(message(channel, receipts.len())) {
                receipts.push(receipt);
            }
            tokio::time::sleep(PAUSE).await;
        }
        // How it ended is told as an event.
        let _ = sender.close().await;
        for (number, receipt) in receipts.into_iter().enumerate() {
            let (fate, connection) = match receipt.await {
                Fate::Written { connection } => ("Written", connection),
                Fate::Unknown { connection } => ("Unknown", connection),
                Fate::Dropped => ("Dropped", 0),
                Fate::Unsent => ("Unsent", 0),
                _ => ("another", 0),
            };
            println!("fate {channel} {number} {fate} {connection}");
        }
        telling.await.expect("it does not panic");
    }

    /// Half of the channels drop the oldest messages while there is no connection, and of each half some are without
    /// compression.
    fn sending(url: String, channel: usize) -> Reconnecting {
        let backoff = Backoff::default()
            .first(Duration::from_millis(100))
            .longest(Duration::from_millis(200));
        let mut connect = talkback::connect(url);
        if (channel / GROUPS).is_multiple_of(2) {
            connect = connect.compression(None);
        }
        if channel < CHANNELS / 2 {
            // So few that it fills while there is no connection.
            let connect = connect.send_queue(QueueLimits::default().messages_max(8));
            return connect.reconnect().backoff(backoff).drop_oldest();
        }
        connect.reconnect().backoff(backoff)
    }

    async fn watch_all(url: &str, time: Duration) {
        let keepalive = match time.is_zero() {
            true => Keepalive::OFF,
            false => Keepalive::from(time).timeout(time),
        };
        let connect = || talkback::connect(url).keepalive(keepalive);
        let senders = (0..CHANNELS).map(|channel| {
            let (sender, receiver) = connect().reconnect().channel().split();
            tokio::spawn(tell(receiver, channel));
            sender
        });
        let senders: Vec<_> = senders.collect();
        let mut lines = lines();
        for line in 0.. {
            if lines.recv().await.is_none() {
                return;
            }
            for (channel, sender) in senders.iter().enumerate() {
                let sent = sender.send(message(channel, line)).await;
                sent.expect("it reconnects for ever");
            }
        }
    }

    /// The channel, the message's number, its length in bytes, and so many bytes.
    fn message(channel: usize, number: usize) -> String {
        // What is cut is of every size; the largest are more than the kernel takes.
        let length = match number {
            number if number % 97 == 50 => 4_000_000,
            number if number % 11 == 5 => 30_000,
            number => number % 7 * 40,
        };
        // It is not compressed to nothing.
        let mut noise = u32::try_from(number).unwrap_or(0);
        let letters = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b' ' + noise.to_be_bytes()[0] % 64)
        });
        let letters: String = letters.take(1_000).collect();
        let mut payload = letters.repeat(length / letters.len() + 1);
        payload.truncate(length);
        format!("{channel} {number} {length} {payload}")
    }

    /// Tells what comes of a channel, to its end.
    async fn tell(mut receiver: Receiver, channel: usize) {
        loop {
            match receiver.recv_event().await {
                Ok(Some(ChannelEvent::Opened(opened))) => {
                    println!("opened {channel} {}", opened.connection());
                }
                Ok(Some(ChannelEvent::Lost(lost))) => {
                    println!("lost {channel} {} {lost}", lost.connection());
                }
                Ok(Some(ChannelEvent::Message(message))) => {
                    let number = message.as_text().and_then(|text| text.split(' ').nth(1));
                    let number = number.unwrap_or("nothing");
                    println!("echo {channel} {number} {}", receiver.connection());
                }
                Ok(Some(_)) => {}
                Ok(None) => return println!("ended {channel}"),
                Err(error) => return println!("ended {channel} {error}"),
            }
        }
    }
}
