//! tokio-websockets, as its example of an echo server has it.

use servers::{Options, Outcome, Server, Stream, echo, run};
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

#[derive(Clone, Copy)]
struct TokioWebSockets;

impl Server for TokioWebSockets {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let builder = ServerBuilder::new().config(Config::default().frame_size(usize::MAX));
        let (_, socket) = builder.limits(Limits::unlimited()).accept(stream).await?;
        let is_data = |message: &Message| message.is_text() || message.is_binary();
        echo(socket, is_data, options).await
    }
}

fn main() -> std::io::Result<()> {
    run(TokioWebSockets, Options::parse().without_deflate())
}
