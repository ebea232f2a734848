//! What a place among `Connections` costs: `registry without` is the least echo server, `registry with` has its
//! connections there, and `registry topics` each of them subscribed to a topic, too. Stopped by a signal, it prints the most heap that it has had, in bytes.
//!
//! A crate of its own, as what else is measured here is to lack the feature `server`.

use std::env::args;
use std::error::Error;

use talkback::accept;
use talkback::server::Connections;
use talkback_testing::heap;
use talkback_topics::{Start, Subscriber, TopicEvent, Topics};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// What each connection has.
#[derive(Clone, Copy)]
enum With {
    Nothing,
    APlace,
    ATopic,
}

async fn serve(with: With) -> Outcome {
    let (connections, topic) = (Connections::new(), Topics::new().topic("prices")?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    // What cannot be sent shows at the next `recv`.
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // In a task of its own, as a handshake's is larger than that of an open connection.
        if let With::APlace | With::ATopic = with {
            let (connections, topic) = (connections.clone(), topic.clone());
            tokio::spawn(async move {
                let accept = accept(stream).peer(peer).admit(&connections);
                if let Ok(mut connection) = accept.await {
                    connection.forget_request();
                    if let With::ATopic = with {
                        let mut subscriber = Subscriber::new().for_connection(connection.id());
                        let _ = subscriber.subscribe(&topic, Start::Now).await;
                        connections.run(connection, |mut connection| async move {
                            loop {
                                let Ok(TopicEvent::Message(message)) =
                                    subscriber.pump(&mut connection).await
                                else {
                                    return;
                                };
                                let _ = connection.feed(message).await;
                            }
                        });
                        return;
                    }
                    connections.run(connection, |mut connection| async move {
                        // While something is fed, nothing but that takes room.
                        loop {
                            let Ok(Some(message)) = connection.recv().await else {
                                return;
                            };
                            let _ = connection.feed(message).await;
                        }
                    });
                }
            });
        } else {
            tokio::spawn(async move {
                if let Ok(mut socket) = accept(stream).await {
                    socket.forget_request();
                    tokio::spawn(async move {
                        loop {
                            let Ok(Some(message)) = socket.recv().await else {
                                return;
                            };
                            let _ = socket.feed(message).await;
                        }
                    });
                }
            });
        }
    }
}

fn main() -> Outcome {
    let with = match args().nth(1).as_deref() {
        Some("topics") => With::ATopic,
        Some("with") => With::APlace,
        _ => With::Nothing,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let serving = async {
        let mut stop = signal(SignalKind::terminate())?;
        select! {
            outcome = serve(with) => outcome,
            _ = stop.recv() => Ok(()),
        }
    };
    let (outcome, heap) = heap::measure(|| runtime.block_on(serving));
    println!("{}", heap.peak);
    outcome
}
