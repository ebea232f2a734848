//! The WebSockets of a hub.

use std::net::SocketAddr;
use std::sync::Arc;

use talkback::http::header::SEC_WEBSOCKET_PROTOCOL;
use talkback::http::{Request, StatusCode};
use talkback::server::ServerConnection;
use talkback::{AcceptError, Approval, CloseCode, Message, Refusal, Transport};
use talkback_topics::{
    PublishErrorKind, SUBPROTOCOL, Session, Start, Subscriber, Topic, TopicEvent,
};
use tracing::{debug, info};

use super::asked::{self, Echo, Reading};
use super::keys::Rights;
use super::state::Hub;
use crate::host;

/// Where a client wants to go on is not known any more. Of the codes that are a program's own; it is not to come back with the same.
const GONE: CloseCode = CloseCode::new(4410);

/// What a WebSocket is spoken on.
enum Spoken {
    Json,
    Raw(String, Reading),
}

/// Lets in who may do anything at all of what it asks for.
pub(super) fn approve(hub: &Hub, request: &Request<()>) -> Result<Approval, Refusal> {
    // Its origin was looked at.
    host::check(request, &hub.hosts)?;
    let rights = hub.keys.rights(request.headers());
    match spoken(request)? {
        Spoken::Json => {
            rights.subscribe.or(rights.publish)?;
            Ok(Approval::default().subprotocol(SUBPROTOCOL))
        }
        Spoken::Raw(name, _) => {
            rights.subscribe?;
            hub.topic(&name)?;
            let key = offered(request).find(|name| name.starts_with("talkback.key."));
            // A page takes no answer for one that chooses none of its subprotocols.
            Ok(key.map_or_else(Approval::default, |key| {
                Approval::default().subprotocol(key)
            }))
        }
    }
}

/// Tells of a client that has no WebSocket, and was not handed to the HTTP of this hub.
pub(super) fn tell_unopened(peer: SocketAddr, error: &AcceptError) {
    match error {
        AcceptError::Answered(status) => {
            debug!(target: "hub", %peer, status = status.as_u16(), "told how it is");
        }
        AcceptError::Refused(refusal) => {
            let status = refusal.status().as_u16();
            info!(target: "hub", %peer, status, "refused: {}", refusal.reason());
        }
        error => debug!(target: "hub", %peer, %error, "not opened"),
    }
}

fn spoken(request: &Request<()>) -> Result<Spoken, Refusal> {
    let topic = asked::topic(request.uri())?;
    if offered(request).any(|name| name == SUBPROTOCOL) && is_for_json(request, topic.as_ref()) {
        return Ok(Spoken::Json);
    }
    let name = topic.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no topic here: they lie at /t/TOPIC, and / takes the subprotocol talkback.topics.v1",
        )
    })?;
    Ok(Spoken::Raw(name, asked::reading(request.uri())?))
}

fn is_for_json(request: &Request<()>, topic: Option<&String>) -> bool {
    topic.is_some() || request.uri().path() == "/"
}

/// The subprotocols that a client offers, best first.
fn offered(request: &Request<()>) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok());
    names.flat_map(|line| line.split(',')).map(str::trim)
}

/// Serves a client that was let in, until it goes or the server stops.
pub(super) async fn serve(hub: Arc<Hub>, mut connection: ServerConnection<Transport>) {
    let rights = hub.keys.rights(connection.request().headers());
    // They were found right.
    let Ok(spoken) = spoken(connection.request()) else {
        return;
    };
    let (id, client) = (connection.id(), connection.client_ip());
    connection.forget_request();
    let client = client.map(tracing::field::display);
    match spoken {
        Spoken::Json => {
            info!(target: "hub", id, client, "open: JSON");
            let mut session = Session::new(&hub.topics)
                .slow(hub.slow)
                .may_publish(move |_| rights.publish.is_ok())
                .may_subscribe(move |_| rights.subscribe.is_ok());
            // How it ended shows in the connection.
            let _ = session.serve(&mut connection).await;
        }
        Spoken::Raw(name, reading) => {
            info!(target: "hub", id, client, "open: raw");
            if let Ok(topic) = hub.topic(&name) {
                Raw::new(&hub, topic, reading, rights)
                    .serve(&mut connection)
                    .await;
            }
        }
    }
    let code = connection.close_info().map(|info| info.code.number());
    info!(target: "hub", id, code, "closed");
}

/// A WebSocket on which messages are publications of one topic, and nothing else.
struct Raw {
    topic: Topic,
    reading: Reading,
    rights: Rights,
    subscriber: Subscriber,
}

impl Raw {
    fn new(hub: &Hub, topic: Topic, reading: Reading, rights: Rights) -> Self {
        Self {
            topic,
            reading,
            rights,
            subscriber: Subscriber::new().slow(hub.slow),
        }
    }

    async fn serve(mut self, connection: &mut ServerConnection<Transport>) {
        self.subscriber = self.subscriber.for_connection(connection.id());
        // What ends the connection is nobody's to tell but its close frame's.
        if let Err((code, reason)) = self.exchange(connection).await {
            let _ = connection.close_with(code, reason).await;
        }
    }

    /// # Errors
    /// With what to close the connection.
    async fn exchange(
        &mut self,
        connection: &mut ServerConnection<Transport>,
    ) -> Result<(), (CloseCode, &'static str)> {
        let missed = (CloseCode::TRY_AGAIN_LATER, "publications were missed");
        let begun = self.subscriber.subscribe(&self.topic, self.reading.start);
        let begun = begun.await;
        let begun = begun.map_err(|_| (CloseCode::TRY_AGAIN_LATER, "the topic is not reached"))?;
        if matches!(self.reading.start, Start::After(_)) && !begun.is_recovered() {
            return Err((GONE, "the position is not known any more: come without it"));
        }
        loop {
            match self.subscriber.pump(connection).await {
                Ok(TopicEvent::Message(message)) => {
                    self.publish(message, connection.id()).await?;
                }
                Ok(TopicEvent::Closed(_)) | Err(_) => return Ok(()),
                // There is no place for it between the messages: whoever misses some is to know.
                Ok(TopicEvent::Gap(_) | TopicEvent::Reset(_)) => return Err(missed),
                Ok(_) => {}
            }
        }
    }

    async fn publish(&self, message: Message, own: u64) -> Result<(), (CloseCode, &'static str)> {
        if self.rights.publish.is_err() {
            return Err((
                CloseCode::POLICY_VIOLATION,
                "this takes the key for publishing",
            ));
        }
        let publish = self.topic.publish(message);
        let publish = match self.reading.echo {
            Echo::Off => publish.except(own),
            Echo::On => publish,
        };
        let published = publish.await;
        match published.map_err(|error| error.kind()) {
            Ok(_) => Ok(()),
            Err(PublishErrorKind::Uncertain) => Err((
                CloseCode::TRY_AGAIN_LATER,
                "it may have been published, or not",
            )),
            Err(_) => Err((CloseCode::TRY_AGAIN_LATER, "it was not published")),
        }
    }
}
