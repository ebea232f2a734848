//! talkback's `WebSocket`: fed, as `recv` writes before it waits.

use servers::ours::accepted;
use servers::{Options, Outcome, Server, Stream, run};

#[derive(Clone, Copy)]
struct Library;

impl Server for Library {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let mut socket = accepted(stream, options).await?;
        while let Some(message) = socket.recv().await? {
            socket.feed(message).await?;
        }
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    run(Library, Options::parse())
}
