//! What a client is told.

use std::sync::OnceLock;

use talkback::Message;

use crate::position::Position;
use crate::server::event::{Gap, Reset};
use crate::server::form::{Form, Publication};
use crate::server::session::refusal::Refusal;
use crate::start::Begun;
use crate::subprotocol::Object;

/// What publications are sent as: made once for all sessions of a process.
pub(crate) fn form() -> &'static Form {
    static FORM: OnceLock<Form> = OnceLock::new();
    FORM.get_or_init(|| Form::new(|publication| Message::from(delivery(publication))))
}

fn delivery(publication: &Publication<'_>) -> String {
    // Names, a position, and a topic with few escapes.
    let around = 96 + publication.topic().len();
    Object::new()
        .with_room(around + publication.message().len())
        .text("topic", publication.topic())
        .text("at", &publication.position().to_string())
        .payload(publication.message())
        .end()
}

pub(crate) fn subscribed(topic: &str, begun: &Begun) -> String {
    let is_recovered = if begun.is_recovered() {
        "true"
    } else {
        "false"
    };
    Object::new()
        .text("topic", topic)
        .text("at", &begun.position().to_string())
        .json("subscribed", "true")
        .json("recovered", is_recovered)
        .end()
}

pub(crate) fn unsubscribed(topic: &str) -> String {
    let object = Object::new().text("topic", topic);
    object.json("subscribed", "false").end()
}

pub(crate) fn published(id: &str, at: Position) -> String {
    let object = Object::new().text("published", id);
    object.text("at", &at.to_string()).end()
}

pub(crate) fn gap(gap: &Gap) -> String {
    let beside =
        |position: Position, offset| Position::new(position.epoch(), offset, None).to_string();
    let (from, to) = (gap.from(), gap.to());
    let ends = Object::new()
        .text("after", &beside(from, from.offset() - 1))
        .text("before", &beside(to, to.offset() + 1))
        .end();
    let object = Object::new().text("topic", gap.topic());
    object.json("gap", &ends).end()
}

pub(crate) fn reset(reset: &Reset) -> String {
    let object = Object::new().text("topic", reset.topic());
    let object = object.text("at", &reset.position().to_string());
    object.json("reset", "true").end()
}

pub(crate) fn stale() -> String {
    Object::new().json("stale", "true").end()
}

pub(crate) fn live() -> String {
    Object::new().json("live", "true").end()
}

pub(crate) fn error(refusal: &Refusal) -> String {
    let mut object = Object::new().text("error", &refusal.error);
    if let Some(topic) = &refusal.topic {
        object = object.text("topic", topic);
    }
    if let Some(id) = &refusal.id {
        object = object.text("id", id);
    }
    object.end()
}
