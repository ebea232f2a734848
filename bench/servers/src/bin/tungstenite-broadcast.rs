//! tokio-tungstenite, as its example of a server for many has it: each message is cloned into the queue of every client.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::select;
use futures_util::{SinkExt, StreamExt};
use servers::{Options, Outcome, Server, Stream, run};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;

static CLIENTS: Mutex<Vec<UnboundedSender<Message>>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct Broadcast;

impl Server for Broadcast {
    async fn serve<S: Stream>(self, stream: S, _: Options) -> Outcome {
        let socket = tokio_tungstenite::accept_async(stream).await?;
        let (mut sink, mut stream) = socket.split();
        let (client, mut queue) = unbounded_channel();
        clients(|clients| clients.push(client));
        let receiving = pin!(async {
            while let Some(message) = stream.next().await.transpose()? {
                if message.is_text() || message.is_binary() {
                    clients(|clients| clients.retain(|it| it.send(message.clone()).is_ok()));
                }
            }
            Outcome::Ok(())
        });
        let sending = pin!(async {
            while let Some(message) = queue.recv().await {
                sink.send(message).await?;
            }
            Outcome::Ok(())
        });
        select(sending, receiving).await.factor_first().0
    }
}

fn clients(change: impl FnOnce(&mut Vec<UnboundedSender<Message>>)) {
    change(&mut CLIENTS.lock().unwrap_or_else(PoisonError::into_inner));
}

fn main() -> std::io::Result<()> {
    run(Broadcast, Options::parse().plain())
}
