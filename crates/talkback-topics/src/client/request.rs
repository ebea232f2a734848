//! What a server is asked for.

use talkback::Message;

use crate::start::Start;
use crate::subprotocol::Object;

pub(crate) fn subscribe(topic: &str, start: Start) -> String {
    let object = Object::new().text("do", "subscribe").text("topic", topic);
    match start {
        Start::Now => object,
        Start::Last(count) => object.json("last", &count.to_string()),
        Start::After(position) => object.text("after", &position.to_string()),
    }
    .end()
}

pub(crate) fn unsubscribe(topic: &str) -> String {
    let object = Object::new().text("do", "unsubscribe");
    object.text("topic", topic).end()
}

pub(crate) fn publish(topic: &str, message: &Message, id: &str) -> String {
    // Names, an id, and a topic with few escapes.
    let around = 96 + topic.len();
    Object::new()
        .with_room(around + message.len())
        .text("do", "publish")
        .text("topic", topic)
        .text("id", id)
        .payload(message)
        .end()
}
