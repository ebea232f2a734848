//! Topics on axum 0.8: a room at `/room`, prices at `/prices`, from where a client stopped by `?after=`, over a channel at `/relay`,
//! and as server-sent events at `/events`. The room is at port 9004, too, without an HTTP library.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::get;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::json;
use talkback::server::{Connections, Server, ServerConnection};
use talkback::{UpgradeBody, WebSocketChannel};
use talkback_topics::{
    Form, Next, Position, Slow, Start, Subscriber, TooSlow, Topic, TopicEvent, Topics,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct App {
    connections: Connections,
    room: Topic,
    prices: Topic,
    /// What a price is sent as.
    form: Form,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let topics = Topics::new();
    let app = App {
        connections: Connections::new(),
        room: topics.topic("room")?,
        prices: topics.topic("prices")?,
        form: price_with_position(),
    };
    tokio::spawn(quote(app.prices.clone()));
    tokio::spawn(without_http(app.connections.clone(), app.room.clone()));
    let router = Router::new()
        .route("/room", get(room))
        .route("/prices", get(prices))
        .route("/relay", get(relay))
        .route("/events", get(events))
        .with_state(app);
    let listener = TcpListener::bind("127.0.0.1:9003").await?;
    axum::serve(listener, router).await?;
    Ok(())
}

/// A price each second.
async fn quote(prices: Topic) -> Result<(), BoxError> {
    for cents in 10_000.. {
        prices.publish(cents.to_string()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn without_http(connections: Connections, room: Topic) -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:9004").await?;
    let serve = move |connection| {
        let room = room.clone();
        async { log(chat(room, connection).await) }
    };
    server.serve(&connections, serve).await?;
    Ok(())
}

fn log(ended: Result<(), BoxError>) {
    if let Err(error) = ended {
        eprintln!("{error}");
    }
}

async fn room(State(app): State<App>, mut request: Request) -> Response<UpgradeBody> {
    talkback::upgrade(&mut request).serve(&app.connections, async |connection| {
        log(chat(app.room, connection).await);
    })
}

/// What a client says goes to all others in the room, and what they say comes to it.
async fn chat<T>(room: Topic, mut connection: ServerConnection<T>) -> Result<(), BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let id = connection.id();
    let mut subscriber = Subscriber::new().for_connection(id);
    subscriber.subscribe(&room, Start::Last(20)).await?;
    loop {
        match subscriber.pump(&mut connection).await? {
            TopicEvent::Message(message) => {
                room.publish(message).except(id).await?;
            }
            TopicEvent::Closed(_) => return Ok(()),
            _ => {}
        }
    }
}

async fn prices(State(app): State<App>, mut request: Request) -> Response<UpgradeBody> {
    let after = after(request.uri());
    talkback::upgrade(&mut request).serve(&app.connections.clone(), async move |connection| {
        log(follow(app, after, connection).await);
    })
}

/// `?after=1q8zk7c2m4v0p-121`, which a client that was here before has from the last price that it got.
fn after(uri: &Uri) -> Option<Position> {
    uri.query()?.strip_prefix("after=")?.parse().ok()
}

/// Made once of each price, whoever gets it.
fn price_with_position() -> Form {
    Form::new(|price| {
        let at = price.position().to_string();
        let json = json!({ "at": at, "price": price.message().as_text() });
        json.to_string().into()
    })
}

async fn follow<T>(
    app: App,
    after: Option<Position>,
    mut connection: ServerConnection<T>,
) -> Result<(), BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut subscriber = Subscriber::new().form(&app.form);
    let begun = subscriber.subscribe(&app.prices, after).await?;
    if !begun.is_recovered() {
        connection.feed(all_prices()).await?;
    }
    loop {
        if let TopicEvent::Closed(_) = subscriber.pump(&mut connection).await? {
            return Ok(());
        }
    }
}

/// What a client begins with: as it subscribed before, it misses nothing that changes meanwhile.
fn all_prices() -> String {
    json!({ "all": [] }).to_string()
}

async fn relay(State(app): State<App>, mut request: Request) -> Response<UpgradeBody> {
    talkback::upgrade(&mut request).serve(&app.connections, async |connection| {
        log(over_a_channel(app.prices, connection.into()).await);
    })
}

async fn over_a_channel(prices: Topic, mut channel: WebSocketChannel) -> Result<(), BoxError> {
    let mut subscriber = Subscriber::new().slow(Slow::Skip);
    subscriber.subscribe(&prices, Start::Now).await?;
    loop {
        tokio::select! {
            message = channel.recv() => match message? {
                Some(_) => {}
                None => return Ok(()),
            },
            next = subscriber.next() => match next? {
                Next::Delivery(price) => channel.send(price.message()).await?,
                Next::Gap(gap) => channel.send(format!("{} missed", gap.missed())).await?,
                _ => {}
            },
        }
    }
}

async fn events(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, TooSlow>>>, StatusCode> {
    let last = headers.get("last-event-id");
    let after: Option<Position> = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let mut subscriber = Subscriber::new();
    let begun = subscriber.subscribe(&app.prices, after).await;
    let begun = begun.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let reset = (!begun.is_recovered()).then(|| Ok(Event::default().event("reset").data("")));
    let prices = subscriber.map_ok(|next| match next {
        Next::Delivery(price) => Event::default()
            .id(price.position().to_string())
            .data(price.message().message().as_text().unwrap_or_default()),
        _ => Event::default().event("reset").data(""),
    });
    Ok(Sse::new(stream::iter(reset).chain(prices)))
}
