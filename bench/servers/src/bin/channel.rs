//! talkback's channel as a server's: its driver is a task beside the one that echoes.

use servers::ours::accepted;
use servers::{Options, Outcome, Server, Stream, run};
use talkback::WebSocketChannel;

#[derive(Clone, Copy)]
struct Channel;

impl Server for Channel {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let socket = accepted(stream, options).await?;
        let mut channel = WebSocketChannel::from(socket);
        while let Some(message) = channel.recv().await? {
            channel.send(message).await?;
        }
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    run(Channel, Options::parse())
}
