//! Topics from a client: a server that speaks `talkback.topics.v1`, at port 9005, and a client that follows its prices. Stop it with
//! Ctrl-C; with `client` behind its name it is the client alone, and the server may come and go.

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use talkback::Json;
use talkback::server::{Connections, Server, ServerConnection};
use talkback_topics::client::Event;
use talkback_topics::{SUBPROTOCOL, Session, Topic, Topics};

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Debug, Deserialize, Serialize)]
struct Price {
    cents: u32,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if std::env::args().nth(1).as_deref() != Some("client") {
        let topics = Topics::new();
        let server = Server::bind("127.0.0.1:9005").await?;
        tokio::spawn(quote(topics.topic("prices")?));
        tokio::spawn(run(server, topics));
    }
    follow("ws://127.0.0.1:9005/").await
}

async fn run(server: Server, topics: Topics) -> Result<(), BoxError> {
    let server = server.accepting(|accept| accept.subprotocols([SUBPROTOCOL]));
    let connections = Connections::new();
    let serving = server.serve(&connections, move |connection| {
        let topics = topics.clone();
        async move {
            if let Err(error) = serve(topics, connection).await {
                eprintln!("{error}");
            }
        }
    });
    serving.await?;
    Ok(())
}

async fn serve<T>(topics: Topics, mut connection: ServerConnection<T>) -> Result<(), BoxError>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut session = Session::new(&topics).may_publish(|topic| topic.starts_with("chat."));
    session.serve(&mut connection).await?;
    Ok(())
}

/// A price each second.
async fn quote(prices: Topic) -> Result<(), BoxError> {
    for cents in 10_000.. {
        prices.publish(Json.encode(&Price { cents })?).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn follow(url: &str) -> Result<(), BoxError> {
    let mut prices = talkback_topics::subscribe(url, "prices").channel();
    while let Some(event) = prices.recv().await? {
        match event {
            Event::Delivery(delivery) => {
                let price: Price = delivery.json()?;
                println!("{} {}", delivery.position(), price.cents);
            }
            Event::Subscribed(_) | Event::Reset(_) | Event::Gap(_) => fetch_all().await,
            _ => {}
        }
    }
    Ok(())
}

/// What a program does when it needs its state as a whole.
async fn fetch_all() {
    println!("all prices, anew");
}
