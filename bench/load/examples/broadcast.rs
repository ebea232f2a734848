//! The least servers on talkback that send each message to all, on one thread: in `broadcast library` the task of each
//! socket waits for news as well, in `broadcast channel` whoever has received something hands it to all channels.
//!
//! Both take `--deflate`, and with it `--takeover`.

mod accepted;

use std::env::args;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use talkback::{Message, Prepared, Sender, WebSocketChannel};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use accepted::accepted;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

async fn library(stream: TcpStream, news: broadcast::Sender<Prepared>) -> Outcome {
    let mut socket = accepted(stream).await?;
    let mut receiver = news.subscribe();
    loop {
        tokio::select! {
            biased;
            // What is fed leaves as soon as nothing else is there.
            prepared = receiver.recv() => socket.feed(&prepared?).await?,
            message = socket.recv() => match message? {
                Some(message) => _ = news.send(Prepared::new(message)),
                None => return Ok(()),
            },
        }
    }
}

#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    fn enter(&self, client: Sender) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(client);
    }

    fn tell_all(&self, message: Message) {
        let prepared = Prepared::new(message);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.try_send(&prepared).is_ok());
    }
}

async fn channel(stream: TcpStream, room: Room) -> Outcome {
    let mut socket = accepted(stream).await?;
    // Those who only listen answer no ping; in a debugger a run takes longer than they may by default.
    socket.set_keepalive(Duration::from_secs(3600));
    let mut channel = WebSocketChannel::from(socket);
    room.enter(channel.sender());
    while let Some(message) = channel.recv().await? {
        room.tell_all(message);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let is_channel = args().nth(1).as_deref() == Some("channel");
    let (news, room) = (broadcast::Sender::new(64), Room::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if is_channel {
            tokio::spawn(channel(stream, room.clone()));
        } else {
            tokio::spawn(library(stream, news.clone()));
        }
    }
}
