//! What a client wants, and how far it has come: without a clock, a connection or a channel.
//!
//! It is told what becomes of the connection and what the server says, and gives what the program is told and what the server is
//! asked for. After each opening all topics are asked for again, each behind what the program has of it; and so is what was published
//! and not answered, by its id.
//!
//! A request that was queued when a connection was lost may leave on the next one, before those: then it is made twice there. The
//! server answers the second one of a publication with the same position, and that of a subscription which has begun with an
//! error, which says nothing new; that of one which has not begun takes the first one's place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use talkback::Message;

use crate::client::answer::{Answer, Fault};
use crate::client::error::{Error, ErrorKind};
use crate::client::event::{Begun, Delivery, Event, Gap, Published};
use crate::client::request;
use crate::position::Position;
use crate::start::Start;

/// How much may wait for an answer: so many publications, or bytes of them.
const UNANSWERED_MAX: usize = 1024;
const UNANSWERED_BYTES_MAX: usize = 1024 * 1024;
/// How much may begin on a connection that nobody wants any more: what was asked for before the loss of another. So many bytes of names, and
/// what else is held of each.
const UNWANTED_MAX: usize = 256 * 1024;
const UNWANTED_COST: usize = 64;

pub(crate) struct Book {
    topics: BTreeMap<Arc<str>, Wanted>,
    /// Of what was left, answers may still come, until it is said that no more do.
    leaving: BTreeSet<Arc<str>>,
    /// Of what has begun on this connection without being wanted.
    unwanted: usize,
    unanswered: VecDeque<Unanswered>,
    unanswered_bytes: usize,
    /// What is to be sent on this connection.
    pub(crate) outgoing: VecDeque<Message>,
    is_open: bool,
    /// That of the last publication.
    number: u64,
    /// What ids begin with, so that no other client has them.
    prefix: u64,
}

/// A topic that the program wants.
struct Wanted {
    place: Place,
    /// Whether the server has said on this connection that the subscription stands.
    is_begun: bool,
}

/// How far the program has come in a topic.
#[derive(Clone, Copy)]
enum Place {
    /// It has nothing yet.
    Start(Start),
    /// It has all up to an offset, be it that it was told that some is missing. The position is the last one that the server gave.
    Behind { position: Position, seen: u64 },
    /// The topic began anew, and nothing of it has come since.
    Anew,
}

struct Unanswered {
    number: u64,
    id: String,
    topic: Arc<str>,
    request: Message,
}

impl Book {
    /// With a number that no other client has.
    pub(crate) fn new(prefix: u64) -> Self {
        Self {
            topics: BTreeMap::new(),
            leaving: BTreeSet::new(),
            unwanted: 0,
            unanswered: VecDeque::new(),
            unanswered_bytes: 0,
            outgoing: VecDeque::new(),
            is_open: false,
            number: 0,
            prefix,
        }
    }

    // ── What the program wants ───────────────────────────────────────────────────────────────

    /// `false` if it is subscribed to it.
    pub(crate) fn subscribe(&mut self, topic: Arc<str>, start: Start) -> bool {
        if self.topics.contains_key(&topic) {
            return false;
        }
        if self.is_open {
            self.send(request::subscribe(&topic, start));
        }
        let wanted = Wanted {
            place: Place::Start(start),
            is_begun: false,
        };
        self.topics.insert(topic, wanted);
        true
    }

    /// `false` if it is not subscribed to it.
    pub(crate) fn unsubscribe(&mut self, topic: &str) -> bool {
        let Some((topic, _)) = self.topics.remove_entry(topic) else {
            return false;
        };
        if self.is_open {
            self.leave(topic);
        }
        true
    }

    pub(crate) fn publish(&mut self, topic: &str, message: &Message) -> Result<u64, Error> {
        let is_full = self.unanswered.len() >= UNANSWERED_MAX
            || self.unanswered_bytes >= UNANSWERED_BYTES_MAX;
        if is_full {
            let text = "too many publications wait for an answer: receive first";
            return Err(Error::new(ErrorKind::Full, text));
        }
        self.number += 1;
        let id = format!("{:x}-{}", self.prefix, self.number);
        let request = Message::from(request::publish(topic, message, &id));
        self.unanswered_bytes += request.len();
        if self.is_open {
            self.outgoing.push_back(request.clone());
        }
        self.unanswered.push_back(Unanswered {
            number: self.number,
            id,
            topic: topic.into(),
            request,
        });
        Ok(self.number)
    }

    /// What to begin after another time.
    pub(crate) fn position(&self, topic: &str) -> Option<Position> {
        match self.topics.get(topic)?.place {
            Place::Behind { position, .. } | Place::Start(Start::After(position)) => Some(position),
            _ => None,
        }
    }

    // ── What becomes of the connection ───────────────────────────────────────────────────────

    pub(crate) fn opened(&mut self) {
        self.lost();
        self.is_open = true;
        let topics = self.topics.iter();
        let subscribe =
            topics.map(|(topic, wanted)| request::subscribe(topic, wanted.place.start()));
        self.outgoing.extend(subscribe.map(Message::from));
        let publish = self.unanswered.iter().map(|it| it.request.clone());
        self.outgoing.extend(publish);
    }

    pub(crate) fn lost(&mut self) {
        self.is_open = false;
        self.outgoing.clear();
        self.leaving.clear();
        self.unwanted = 0;
        for wanted in self.topics.values_mut() {
            wanted.is_begun = false;
        }
    }

    // ── What the server says ─────────────────────────────────────────────────────────────────

    /// What the program is told of it.
    pub(crate) fn handle(&mut self, message: &Message) -> Result<Option<Event>, Error> {
        let Some(text) = message.as_text() else {
            return Err(broken("a message is binary"));
        };
        let answer = Answer::parse(text).map_err(|Fault(text)| broken(text))?;
        match answer {
            Answer::Delivery { topic, at, message } => self.delivered(&topic, at, message),
            Answer::Subscribed {
                topic,
                at,
                is_recovered,
            } => self.subscribed(&topic, at, is_recovered),
            Answer::Unsubscribed { topic } => self.unsubscribed(&topic),
            Answer::Gap {
                topic,
                after,
                before,
            } => self.missed(&topic, after, before),
            Answer::Reset { topic, at } => self.reset(&topic, at),
            Answer::Published { id, at } => Ok(self.answered(&id).map(|publication| {
                Event::Published(Published {
                    number: publication.number,
                    topic: publication.topic,
                    position: at,
                })
            })),
            Answer::Error { error, topic, id } => {
                self.refused(&error, topic.as_deref(), id.as_deref())
            }
            Answer::Stale => Ok(Some(Event::Stale)),
            Answer::Live => Ok(Some(Event::Live)),
            Answer::Unknown => Ok(None),
        }
    }

    fn delivered(
        &mut self,
        topic: &str,
        at: Position,
        message: Message,
    ) -> Result<Option<Event>, Error> {
        let Some((topic, place)) = self.begun(topic)? else {
            return Ok(None);
        };
        match *place {
            Place::Behind { position, .. } if position.epoch != at.epoch => {
                return Err(broken(
                    "a publication is of another epoch than those before it",
                ));
            }
            // It was sent again, from a position behind which the program had more.
            Place::Behind { seen, .. } if at.offset <= seen => return Ok(None),
            _ => *place = Place::behind(at),
        }
        Ok(Some(Event::Delivery(Delivery {
            topic,
            position: at,
            message,
        })))
    }

    fn subscribed(
        &mut self,
        topic: &str,
        at: Position,
        is_recovered: bool,
    ) -> Result<Option<Event>, Error> {
        if self.leaving.contains(topic) {
            return Ok(None);
        }
        let Some((topic, _)) = self.topics.get_key_value(topic) else {
            // It was left before this was asked for on this connection.
            self.unwanted += topic.len() + UNWANTED_COST;
            if self.unwanted > UNWANTED_MAX {
                return Err(broken("subscriptions begin that nobody has asked for"));
            }
            self.leave(topic.into());
            return Ok(None);
        };
        let topic = Arc::clone(topic);
        let wanted = self.topics.get_mut(&topic).expect("it was just found");
        wanted.is_begun = true;
        let begun = Begun {
            topic,
            position: Some(at),
        };
        Ok(match wanted.place {
            Place::Behind { position, seen }
                if is_recovered && position.epoch == at.epoch && at.offset <= seen =>
            {
                None
            }
            Place::Start(Start::After(position))
                if is_recovered && (position.epoch, position.offset) == (at.epoch, at.offset) =>
            {
                wanted.place = Place::behind(position);
                Some(Event::Subscribed(begun))
            }
            Place::Start(Start::Now | Start::Last(_)) => {
                wanted.place = Place::behind(at);
                Some(Event::Subscribed(begun))
            }
            _ => {
                wanted.place = Place::behind(at);
                Some(Event::Reset(begun))
            }
        })
    }

    fn unsubscribed(&mut self, topic: &str) -> Result<Option<Event>, Error> {
        let is_left = self.leaving.remove(topic);
        match self.topics.get(topic) {
            Some(wanted) if wanted.is_begun && !is_left => {
                Err(broken("it ended a subscription by itself"))
            }
            _ => Ok(None),
        }
    }

    fn missed(
        &mut self,
        topic: &str,
        after: Position,
        before: Position,
    ) -> Result<Option<Event>, Error> {
        let Some((topic, place)) = self.begun(topic)? else {
            return Ok(None);
        };
        if after.epoch != before.epoch || before.offset <= after.offset {
            return Err(broken("a gap has no extent"));
        }
        if let Place::Behind { position, seen } = place {
            if position.epoch != before.epoch {
                return Err(broken("a gap is of another epoch than what came before it"));
            }
            if before.offset - 1 <= *seen {
                return Ok(None);
            }
            *seen = before.offset - 1;
        }
        Ok(Some(Event::Gap(Gap {
            topic,
            after,
            before,
        })))
    }

    fn reset(&mut self, topic: &str, at: Option<Position>) -> Result<Option<Event>, Error> {
        let Some((topic, place)) = self.begun(topic)? else {
            return Ok(None);
        };
        *place = at.map_or(Place::Anew, Place::behind);
        let position = at;
        Ok(Some(Event::Reset(Begun { topic, position })))
    }

    fn refused(
        &mut self,
        error: &str,
        topic: Option<&str>,
        id: Option<&str>,
    ) -> Result<Option<Event>, Error> {
        // It is for a person's eyes.
        let text: String = error.chars().filter(|it| !it.is_control()).collect();
        if let Some(id) = id {
            return match self.answered(id) {
                None => Ok(None),
                Some(publication) => {
                    let error = Error::new(ErrorKind::NotPublished, text);
                    Err(error
                        .topic_is(&publication.topic)
                        .number_is(publication.number))
                }
            };
        }
        let Some(topic) = topic else {
            return Err(broken(text));
        };
        match self.topics.get(topic) {
            Some(wanted) if !wanted.is_begun && !self.leaving.contains(topic) => {
                let (topic, _) = self.topics.remove_entry(topic).expect("it was just found");
                Err(Error::new(ErrorKind::NotSubscribed, text).topic_is(&topic))
            }
            _ => Ok(None),
        }
    }

    /// The topic that something came of, and its place; `None` if the program has left it.
    fn begun(&mut self, topic: &str) -> Result<Option<(Arc<str>, &mut Place)>, Error> {
        if self.leaving.contains(topic) {
            return Ok(None);
        }
        let name = self.topics.get_key_value(topic);
        let name = name.map(|(name, _)| Arc::clone(name));
        let wanted = self.topics.get_mut(topic).filter(|it| it.is_begun);
        match (name, wanted) {
            (Some(name), Some(wanted)) => Ok(Some((name, &mut wanted.place))),
            _ => Err(broken("something came of a topic without a subscription")),
        }
    }

    /// Takes out a publication that is answered. One that was sent twice is answered twice.
    fn answered(&mut self, id: &str) -> Option<Unanswered> {
        let index = self.unanswered.iter().position(|it| it.id == id)?;
        let publication = self.unanswered.remove(index)?;
        self.unanswered_bytes -= publication.request.len();
        Some(publication)
    }

    fn leave(&mut self, topic: Arc<str>) {
        self.send(request::unsubscribe(&topic));
        self.leaving.insert(topic);
    }

    fn send(&mut self, request: String) {
        self.outgoing.push_back(request.into());
    }
}

impl Place {
    fn behind(position: Position) -> Self {
        let seen = position.offset;
        Self::Behind { position, seen }
    }

    /// What to ask for.
    fn start(self) -> Start {
        match self {
            Self::Start(start) => start,
            Self::Behind { position, .. } => Start::After(position),
            Self::Anew => Start::Now,
        }
    }
}

fn broken(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, text)
}
