//! tokio-websockets, over a transport that never makes it wait.

use futures_util::{FutureExt, StreamExt};
use talkback_proto::Role;
use tokio_websockets::{ClientBuilder, Error, Limits, Message, ServerBuilder};

use crate::generate::{Case, SIZE_MAX};
use crate::outcome::{End, Event, Failure, Outcome};
use crate::stream::Stream;

pub(super) fn receive(case: &Case) -> Outcome {
    let limits = Limits::default().max_payload_len(Some(SIZE_MAX));
    let stream = Stream::new(case);
    let mut socket = match case.role {
        Role::Client => ClientBuilder::new().limits(limits).take_over(stream),
        Role::Server => ServerBuilder::new().limits(limits).serve(stream),
    };
    let mut events = Vec::new();
    let end = loop {
        match socket.next().now_or_never().expect("nothing waits") {
            None => break End::Open,
            Some(Ok(message)) if message.is_close() => break closed(&message),
            Some(Ok(message)) => events.push(event(&message)),
            // The bytes ran out inside a frame.
            Some(Err(Error::Io(_))) => break End::Open,
            Some(Err(error)) => break End::Failed(Failure::Theirs(error.to_string())),
        }
    };
    Outcome { events, end }
}

fn event(message: &Message) -> Event {
    let payload = message.as_payload().to_vec();
    match message {
        message if message.is_text() => Event::Text(payload),
        message if message.is_binary() => Event::Binary(payload),
        message if message.is_ping() => Event::Ping(payload),
        _ => Event::Pong(payload),
    }
}

fn closed(message: &Message) -> End {
    if message.as_payload().is_empty() {
        return End::Closed(None);
    }
    let frame = message.as_close();
    End::Closed(frame.map(|(code, reason)| (code.into(), reason.to_owned())))
}
