//! A server of one's own that hands each message on to all of its clients.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use talkback::{Message, Prepared, Sender, Upgrading, WebSocketChannel};
use tokio::net::TcpListener;

/// Those who are there.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    fn enter(&self, client: Sender) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.close_info().is_none()); // those that have gone
        clients.push(client);
    }

    fn tell_all(&self, message: Message) {
        let prepared = Prepared::new(message);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| {
            let is_sent = client.try_send(&prepared).is_ok();
            if !is_sent {
                client.close(); // it is too slow, or has gone
            }
            is_sent
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router = Router::new()
        .route("/room", get(open))
        .with_state(Room::default());
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn open(
    State(room): State<Room>,
    mut request: Request,
) -> http::Response<talkback::UpgradeBody> {
    let (response, upgrading) = talkback::upgrade(&mut request).answer();
    tokio::spawn(async move {
        if let Err(error) = listen(room, upgrading).await {
            eprintln!("{error}");
        }
    });
    response
}

async fn listen(room: Room, upgrading: Upgrading) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut channel = WebSocketChannel::from(upgrading.await?);
    room.enter(channel.sender());
    while let Some(message) = channel.recv().await? {
        room.tell_all(message);
    }
    Ok(())
}
