//! tokio-tungstenite, as its example of an echo server has it.

use servers::{Options, Outcome, Server, Stream, echo, run};
use tokio_tungstenite::tungstenite::Message;

#[derive(Clone, Copy)]
struct Tungstenite;

impl Server for Tungstenite {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let socket = tokio_tungstenite::accept_async(stream).await?;
        let is_data = |message: &Message| message.is_text() || message.is_binary();
        echo(socket, is_data, options).await
    }
}

fn main() -> std::io::Result<()> {
    run(Tungstenite, Options::parse().without_deflate())
}
