//! What the store does at once, as scripts of its own.

use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, Value};

use crate::position::Position;
use crate::server::backplane::{Carried, Page, Placed, Stored};
use crate::server::log::random;
use crate::server::redis::names::Names;
use crate::server::redis::packed;

/// For how long an id is known.
const ID_LIFE: Duration = Duration::from_secs(2 * 60);
/// For how long a topic's epoch and offset outlive its history, so that positions are told from those of another life.
const STATE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The same before the first publication.
const SHORT_LIFE: Duration = Duration::from_secs(3600);

/// How many bytes are read at a time, about: all that is to be there within the time for an answer, and in the store's own memory.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The scripts, and what they are told each time.
pub(crate) struct Scripts {
    publish: Script,
    head: Script,
    read: Script,
    /// How many publications are kept.
    messages: usize,
    /// For how long.
    idle: Duration,
}

/// What came of a call that the store may have carried out or not.
pub(crate) enum Failure {
    /// It has not.
    NotDone(RedisError),
    /// Nobody knows.
    Unknown(RedisError),
}

impl Scripts {
    pub(crate) fn new(messages: usize, idle: Duration) -> Self {
        let with_topic = |code: &str| Script::new(&format!("{}{code}", include_str!("topic.lua")));
        Self {
            publish: Script::new(include_str!("publish.lua")),
            head: with_topic(include_str!("head.lua")),
            read: with_topic(include_str!("read.lua")),
            messages,
            idle,
        }
    }

    /// Gives the store the scripts, which it forgets when it ends.
    pub(crate) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        for script in [&self.publish, &self.head, &self.read] {
            script.load_async(connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn publish(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        topic: &str,
        carried: &Carried,
    ) -> Result<Placed, Failure> {
        let mut keys = vec![names.state(topic), names.history(topic)];
        keys.extend(carried.id.as_ref().map(|id| names.id(topic, id)));
        let mut call = call(&self.publish, &keys);
        call.arg(&random().to_be_bytes())
            .arg(&(random() as u16).to_be_bytes())
            .arg(names.channel(topic))
            .arg(packed::pack(carried))
            .arg(self.messages)
            .arg(millis(self.idle))
            .arg(millis(self.idle + STATE_LIFE))
            .arg(millis(ID_LIFE));
        let mut answer = call.query_async(connection).await;
        if is_not_loaded(&answer) {
            self.load(connection).await.map_err(Failure::NotDone)?;
            answer = call.query_async(connection).await;
        }
        let answer = answer.map_err(|error| match is_answer(&error) {
            true => Failure::NotDone(error),
            false => Failure::Unknown(error),
        })?;
        placed(&answer).ok_or_else(|| Failure::Unknown(not_understood()))
    }

    /// Where topics stand. One that still has the epoch `ended` begins anew.
    pub(crate) async fn heads<T: AsRef<str>>(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        topics: &[T],
        ended: Option<u64>,
    ) -> RedisResult<Vec<Position>> {
        let mut calls = redis::pipe();
        for topic in topics.iter().map(AsRef::as_ref) {
            let mut call = call(&self.head, &[names.state(topic), names.history(topic)]);
            self.stand(&mut call);
            if let Some(epoch) = ended {
                call.arg(&epoch.to_be_bytes());
            }
            calls.add_command(call);
        }
        let mut answers = calls.query_async(connection).await;
        if is_not_loaded(&answers) {
            self.load(connection).await?;
            answers = calls.query_async(connection).await;
        }
        let answers: Vec<Value> = answers?;
        let places = answers.iter().map(|it| packed::place(text(it)?));
        let places: Option<Vec<_>> = places.collect();
        let is_complete = |places: &Vec<_>| places.len() == topics.len();
        places.filter(is_complete).ok_or_else(not_understood)
    }

    pub(crate) async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        names: &Names,
        topic: &str,
        after: Position,
        limit: usize,
    ) -> RedisResult<Page> {
        let mut call = call(&self.read, &[names.state(topic), names.history(topic)]);
        self.stand(&mut call);
        call.arg(&after.epoch().to_be_bytes())
            .arg(after.offset().saturating_add(1))
            .arg(limit)
            .arg(PAGE_BYTES);
        let mut answer = call.query_async(connection).await;
        if is_not_loaded(&answer) {
            self.load(connection).await?;
            answer = call.query_async(connection).await;
        }
        let answer: Vec<Value> = answer?;
        page(answer).ok_or_else(not_understood)
    }

    /// What `stand` in the scripts asks for.
    fn stand(&self, call: &mut Cmd) {
        call.arg(&random().to_be_bytes())
            .arg(millis(self.idle + STATE_LIFE))
            .arg(millis(self.idle + SHORT_LIFE));
    }
}

fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(keys.len()).arg(keys);
    call
}

/// As the store counts it.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn is_not_loaded<T>(answer: &RedisResult<T>) -> bool {
    let no_script = ErrorKind::Server(ServerErrorKind::NoScript);
    answer
        .as_ref()
        .is_err_and(|error| error.kind() == no_script)
}

/// Whether the store said it, and so has done nothing.
fn is_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn not_understood() -> RedisError {
    let what = "the answer of a script is not understood";
    RedisError::from((ErrorKind::UnexpectedReturnType, what))
}

fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn placed(answer: &Value) -> Option<Placed> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [place, Value::Int(known)] = &parts[..] else {
        return None;
    };
    Some(Placed {
        position: packed::place(text(place)?)?,
        is_duplicate: *known == 1,
    })
}

/// What of a history follows the last hole in it: where somebody wrote what is no publication, it begins behind that.
fn page(answer: Vec<Value>) -> Option<Page> {
    let mut parts = answer.into_iter();
    let head = packed::place(text(&parts.next()?)?)?;
    let mut publications: Vec<Stored> = Vec::new();
    for part in parts {
        let Value::BulkString(bytes) = part else {
            publications.clear();
            continue;
        };
        match packed::unpack(Bytes::from(bytes)) {
            Some(stored) if stored.position.epoch() == head.epoch() => {
                let last = publications.last().map(|last| last.position.offset() + 1);
                if last.is_some_and(|next| next != stored.position.offset()) {
                    publications.clear();
                }
                publications.push(stored);
            }
            _ => publications.clear(),
        }
    }
    Some(Page { head, publications })
}
