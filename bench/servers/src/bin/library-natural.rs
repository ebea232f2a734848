//! talkback's `WebSocket`, the obvious way: each message is sent, and has left before the next is looked at.

use servers::ours::accepted;
use servers::{Options, Outcome, Server, Stream, run};

#[derive(Clone, Copy)]
struct LibraryNatural;

impl Server for LibraryNatural {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let mut socket = accepted(stream, options).await?;
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    run(LibraryNatural, Options::parse())
}
