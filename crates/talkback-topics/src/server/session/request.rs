//! What a client asks for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use talkback::Message;

use crate::server::session::refusal::Refusal;
use crate::start::Start;
use crate::subprotocol::Payload;

/// A request, as it is understood.
pub(crate) enum Request {
    Subscribe {
        topic: String,
        start: Start,
    },
    Unsubscribe {
        topic: String,
    },
    Publish {
        topic: String,
        message: Message,
        id: Option<String>,
    },
}

/// Why a text is no request.
pub(crate) enum Fault {
    NoJson,
    Refused(Refusal),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, rename = "do")]
    what: Option<Cow<'a, str>>,
    topic: Option<String>,
    #[serde(borrow)]
    after: Option<Cow<'a, str>>,
    last: Option<usize>,
    id: Option<String>,
}

impl Request {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let json: &RawValue = serde_json::from_str(text).map_err(|_| Fault::NoJson)?;
        let json = json.get();
        // What reads structures takes an array as well.
        if !json.starts_with('{') {
            return Err(Fault::Refused(Refusal::new("a request is an object")));
        }
        let wire: Wire<'_> = serde_json::from_str(json).map_err(not_understood)?;
        let (topic, id) = (wire.topic.clone(), wire.id.clone());
        let request = wire.understand(json);
        request.map_err(|refusal| Fault::Refused(refusal.topic(topic).id(id)))
    }
}

impl Wire<'_> {
    fn understand(self, json: &str) -> Result<Request, Refusal> {
        let topic = self.topic.ok_or_else(|| Refusal::new("`topic` is missing"));
        match self.what.as_deref() {
            None => Err(Refusal::new("`do` is missing")),
            Some("subscribe") => Ok(Request::Subscribe {
                topic: topic?,
                start: start(self.after.as_deref(), self.last)?,
            }),
            Some("unsubscribe") => Ok(Request::Unsubscribe { topic: topic? }),
            Some("publish") => {
                let payload = serde_json::from_str::<Payload<'_>>(json);
                let payload = payload.map_err(|error| Refusal::new(error.to_string()))?;
                Ok(Request::Publish {
                    topic: topic?,
                    message: payload.into_message().map_err(Refusal::new)?,
                    id: self.id,
                })
            }
            Some(_) => Err(Refusal::new(
                "`do` has to be `subscribe`, `unsubscribe` or `publish`",
            )),
        }
    }
}

fn start(after: Option<&str>, last: Option<usize>) -> Result<Start, Refusal> {
    match (after, last) {
        (None, None) => Ok(Start::Now),
        (None, Some(last)) => Ok(Start::Last(last)),
        (Some(after), None) => match after.parse() {
            Ok(position) => Ok(Start::After(position)),
            Err(error) => Err(Refusal::new(format!("`after`: {error}"))),
        },
        (Some(_), Some(_)) => Err(Refusal::new("`after` and `last` exclude each other")),
    }
}

fn not_understood(error: serde_json::Error) -> Fault {
    Fault::Refused(Refusal::new(error.to_string()))
}
