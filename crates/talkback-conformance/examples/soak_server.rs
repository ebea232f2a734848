//! An echo server that is killed and stopped: `cargo xtask soak killed` and `soak asleep` do so. It prints its URL, and
//! then each message before it is echoed, so that what it has seen outlives it.

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    server::run().await
}

/// A page cannot listen.
#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod server {
    use std::time::Duration;

    use talkback::Keepalive;
    use tokio::net::{TcpListener, TcpStream};

    /// How long it waits for the answer to a ping of its own: longer than any client sleeps.
    const PATIENCE: Duration = Duration::from_secs(600);

    /// Serves at an address, and pings each client each second if there is a second argument, `pings`.
    pub(super) async fn run() -> std::io::Result<()> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (address, keepalive) = match arguments[..] {
            [address] => (address, Keepalive::OFF),
            [address, "pings"] => {
                let each_second = Keepalive::from(Duration::from_secs(1));
                (address, each_second.timeout(PATIENCE))
            }
            _ => return Err(std::io::Error::other("soak_server ADDRESS [pings]")),
        };
        let listener = TcpListener::bind(address).await?;
        println!("ws://{}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                if let Err(error) = echo(stream, keepalive).await {
                    println!("error {error}");
                }
            });
        }
    }

    async fn echo(
        stream: TcpStream,
        keepalive: Keepalive,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut socket = talkback::accept(stream).keepalive(keepalive).await?;
        println!("open");
        while let Some(message) = socket.recv().await? {
            // The channel, the number, the length in bytes, and as many bytes.
            let text = message.as_text().unwrap_or("no text");
            let mut words = text.splitn(4, ' ');
            let mut word = || words.next().unwrap_or("nothing");
            let (channel, number, length) = (word(), word(), word());
            match length.parse() == Ok(word().len()) {
                true => println!("seen {channel} {number}"),
                false => println!("torn {channel} {number}"),
            }
            socket.feed(message).await?;
        }
        Ok(())
    }
}
