//! What a server tells.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use talkback::Message;

use crate::position::Position;
use crate::subprotocol::{Payload, given};

/// A message of the server, as it is understood.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    Delivery {
        topic: Cow<'a, str>,
        at: Position,
        message: Message,
    },
    Subscribed {
        topic: Cow<'a, str>,
        at: Position,
        is_recovered: bool,
    },
    Unsubscribed {
        topic: Cow<'a, str>,
    },
    Gap {
        topic: Cow<'a, str>,
        after: Position,
        before: Position,
    },
    Reset {
        topic: Cow<'a, str>,
        at: Option<Position>,
    },
    Published {
        id: Cow<'a, str>,
        at: Position,
    },
    Error {
        error: Cow<'a, str>,
        topic: Option<Cow<'a, str>>,
        id: Option<Cow<'a, str>>,
    },
    Stale,
    Live,
    /// Of a later version: passed over.
    Unknown,
}

/// A text is none of the subprotocol's.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) Cow<'static, str>);

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow)]
    at: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "given")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    base64: Option<Cow<'a, str>>,
    subscribed: Option<bool>,
    recovered: Option<bool>,
    #[serde(borrow)]
    gap: Option<Ends<'a>>,
    reset: Option<bool>,
    stale: Option<bool>,
    live: Option<bool>,
    #[serde(borrow)]
    published: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Ends<'a> {
    #[serde(borrow)]
    after: Cow<'a, str>,
    #[serde(borrow)]
    before: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Fault> {
        // What reads structures takes an array as well.
        if !text.trim_start().starts_with('{') {
            return Err(Fault("a message is no object of JSON".into()));
        }
        let wire: Wire<'_> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // Its own words may have some of the message in them.
            Fault(format!("a message is not understood at {line}:{column}").into())
        })?;
        wire.understand()
    }
}

impl<'a> Wire<'a> {
    fn understand(self) -> Result<Answer<'a>, Fault> {
        if let Some(error) = self.error {
            let (topic, id) = (self.topic, self.id);
            return Ok(Answer::Error { error, topic, id });
        }
        let at = self.at.as_deref().map(position).transpose()?;
        let at_given = at.ok_or(Fault("a position is missing".into()));
        if let Some(id) = self.published {
            return Ok(Answer::Published { id, at: at_given? });
        }
        let Some(topic) = self.topic else {
            return Ok(match (self.stale, self.live) {
                (Some(true), _) => Answer::Stale,
                (_, Some(true)) => Answer::Live,
                _ => Answer::Unknown,
            });
        };
        if let Some(is_subscribed) = self.subscribed {
            return Ok(match is_subscribed {
                false => Answer::Unsubscribed { topic },
                true => Answer::Subscribed {
                    topic,
                    at: at_given?,
                    is_recovered: self.recovered == Some(true),
                },
            });
        }
        if let Some(Ends { after, before }) = self.gap {
            return Ok(Answer::Gap {
                topic,
                after: position(&after)?,
                before: position(&before)?,
            });
        }
        if self.reset == Some(true) {
            return Ok(Answer::Reset { topic, at });
        }
        let payload = Payload {
            data: self.data,
            text: self.text,
            base64: self.base64,
        };
        if payload.is_none() {
            return Ok(Answer::Unknown);
        }
        Ok(Answer::Delivery {
            topic,
            at: at_given?,
            message: payload.into_message().map_err(|why| Fault(why.into()))?,
        })
    }
}

fn position(text: &str) -> Result<Position, Fault> {
    let position = text.parse();
    position.map_err(|_| Fault("a position is none".into()))
}
