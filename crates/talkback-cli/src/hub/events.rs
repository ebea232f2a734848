//! A topic as a stream of events over HTTP (the `text/event-stream` of HTML).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_core::Stream as _;
use hyper::body::{Body, Frame};
use talkback::bytes::Bytes;
use talkback::{Message, Refusal};
use talkback_topics::{Form, Gap, Next, Position, Slow, Start, Subscriber, Topic};
use tokio::time::{Instant, Sleep, sleep};

use super::refused::unavailable;

/// How often something is sent where nothing is published, so that nobody between takes the stream for dead.
const COMMENT_PAUSE: Duration = Duration::from_secs(20);
const COMMENT: &[u8] = b":\n\n";

/// What comes of a topic, until its reader is gone, was too slow, or the server stops.
pub(super) struct Events {
    subscriber: Subscriber,
    /// What is to be said first.
    first: Option<Bytes>,
    comment: Pin<Box<Sleep>>,
    draining: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Events {
    /// Subscribes to a topic. Whoever comes with a position that is not known any more is told so first.
    ///
    /// # Errors
    /// 503, if the topic cannot be subscribed to at the moment.
    pub(super) async fn begin(
        topic: &Topic,
        start: Start,
        slow: Slow,
        draining: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let mut subscriber = Subscriber::new().slow(slow).form(form());
        let begun = subscriber.subscribe(topic, start).await;
        let begun = begun.map_err(|error| unavailable(&error))?;
        let is_reset = matches!(start, Start::After(_)) && !begun.is_recovered();
        // A browser takes a stream for open once there is something of it. From this it comes back behind where it began, also if nothing
        // has come until it was cut off.
        let first = match is_reset {
            true => reset(begun.position()),
            false => format!("id: {}\n\n", begun.position()).into(),
        };
        Ok(Self {
            subscriber,
            first: Some(first),
            comment: Box::pin(sleep(COMMENT_PAUSE)),
            draining: Box::pin(draining),
        })
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.draining.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.subscriber).poll_next(cx) {
            Poll::Ready(Some(Ok(next))) => return Poll::Ready(Some(told(&next))),
            Poll::Pending => {}
            // It comes back with its position.
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
        }
        ready!(self.comment.as_mut().poll(cx));
        Poll::Ready(Some(Bytes::from_static(COMMENT)))
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = ready!(self.poll_event(cx));
        self.comment.as_mut().reset(Instant::now() + COMMENT_PAUSE);
        Poll::Ready(event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A publication as an event, made once for all readers.
fn form() -> &'static Form {
    static FORM: OnceLock<Form> = OnceLock::new();
    FORM.get_or_init(|| {
        Form::new(|publication| {
            let event = event(publication.position(), publication.message());
            Message::binary(event)
        })
    })
}

fn event(position: Position, message: &Message) -> Vec<u8> {
    let mut event = format!("id: {position}\n");
    match message.as_text() {
        Some(text) => {
            // Each of these ends a line of the stream, and reads as a line feed.
            let text = text.replace("\r\n", "\n");
            for line in text.split(['\n', '\r']) {
                event.push_str("data: ");
                event.push_str(line);
                event.push('\n');
            }
        }
        None => {
            event.push_str("event: base64\ndata: ");
            BASE64_STANDARD.encode_string(message.as_bytes(), &mut event);
            event.push('\n');
        }
    }
    event.push('\n');
    event.into_bytes()
}

/// What a subscriber gets, as an event.
fn told(next: &Next) -> Bytes {
    match next {
        Next::Delivery(delivery) => delivery.message().message().clone().into_bytes(),
        Next::Gap(gap) => missed(gap),
        Next::Reset(told) => reset(told.position()),
        Next::Stale => Bytes::from_static(b"event: stale\ndata: \n\n"),
        Next::Live => Bytes::from_static(b"event: live\ndata: \n\n"),
        _ => Bytes::from_static(COMMENT),
    }
}

/// What is to be asked for anew: the reader's position is not known any more.
fn reset(now: Position) -> Bytes {
    format!("event: reset\nid: {now}\ndata: \n\n").into()
}

/// Its id is that of the last one that was missed, so that nobody comes back for them.
fn missed(gap: &Gap) -> Bytes {
    let (missed, last) = (gap.missed(), gap.to());
    format!("event: gap\nid: {last}\ndata: {{\"missed\":{missed}}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_an_event_with_its_position_and_a_line_for_each_of_its_own() {
        let position: Position = "1q8zk7c2m4v0p-118".parse().unwrap();
        for (message, lines) in [
            ("Hello!".into(), "data: Hello!\n"),
            ("".into(), "data: \n"),
            ("안녕\n\nb".into(), "data: 안녕\ndata: \ndata: b\n"),
            ("a\r\nb\rc\n".into(), "data: a\ndata: b\ndata: c\ndata: \n"),
            (" id: 7".into(), "data:  id: 7\n"),
            (Message::from(vec![0, 255]), "event: base64\ndata: AP8=\n"),
        ] {
            let event = String::from_utf8(event(position, &message)).unwrap();
            assert_eq!(event, format!("id: 1q8zk7c2m4v0p-118\n{lines}\n"));
        }
    }
}
