//! What a request asks for.

use percent_encoding::percent_decode_str;
use talkback::Refusal;
use talkback::http::{HeaderMap, HeaderName, Uri};
use talkback_topics::{Position, Start};

use super::refused::bad;

/// Where topics lie.
const TOPICS: &str = "/t/";

/// How a reader of one topic wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) start: Start,
    pub(super) echo: Echo,
}

/// Whether a client gets what it publishes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Echo {
    #[default]
    Off,
    On,
}

/// The topic that a path names, if it is the path of one. What is a name is for the topics to say.
///
/// # Errors
/// 400 where it is no text.
pub(super) fn topic(uri: &Uri) -> Result<Option<String>, Refusal> {
    let Some(name) = uri.path().strip_prefix(TOPICS) else {
        return Ok(None);
    };
    match decoded(name) {
        Some(name) => Ok(Some(name)),
        None => Err(bad(
            "the topic's name in the path is not UTF-8, percent-encoded",
        )),
    }
}

/// How the query says that a topic is to be read.
///
/// # Errors
/// 400 for what is no position, no number, or not known.
pub(super) fn reading(uri: &Uri) -> Result<Reading, Refusal> {
    let mut reading = Reading::default();
    let pairs = uri.query().unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).unwrap_or_default();
        match name {
            "after" | "last" if reading.start != Start::Now => {
                return Err(bad("give one of `after` and `last`, once"));
            }
            "after" => reading.start = Start::After(position(&value)?),
            "last" => match value.parse() {
                Ok(count) => reading.start = Start::Last(count),
                Err(_) => return Err(bad("`last` is no number of publications, such as 10")),
            },
            "echo" => {
                reading.echo = match &*value {
                    "1" => Echo::On,
                    "0" => Echo::Off,
                    _ => return Err(bad("`echo` is 1 or 0")),
                }
            }
            _ => {
                return Err(bad(
                    "the query has a name that is not known: `after`, `last` and `echo` are",
                ));
            }
        }
    }
    Ok(reading)
}

/// A position as this server gave it.
///
/// # Errors
/// 400 for anything else.
pub(super) fn position(text: &str) -> Result<Position, Refusal> {
    text.parse().map_err(|error| bad(format!("{error}")))
}

/// The text of a header, if it is there.
///
/// # Errors
/// 400 where it is there more than once, or is not UTF-8.
pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Refusal> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(bad(format!("the header {name} is there more than once")));
    }
    match str::from_utf8(line.as_bytes()) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(bad(format!("the header {name} is not UTF-8"))),
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use talkback::http::StatusCode;

    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_topic_is_what_stands_behind_t_percent_decoded() {
        for (path, name) in [
            ("/t/a", Some("a")),
            ("/t/a/b?last=1", Some("a/b")),
            ("/t/", Some("")),
            ("/t/%EA%B0%80%20%2F%3f", Some("가 /?")),
            ("/t/a+b%2B", Some("a+b+")),
            ("/t/.*%3E%7B%7D", Some(".*>{}")),
            ("/t/%0a", Some("\n")),
            ("/t", None),
            ("/", None),
            ("/T/a", None),
        ] {
            assert_eq!(topic(&uri(path)).unwrap().as_deref(), name, "{path}");
        }
        assert_eq!(topic(&uri("/t/%ff")).unwrap_err().status(), 400);
    }

    #[test]
    fn a_query_says_where_to_begin() {
        let after = "1q8zk7c2m4v0p-118";
        let read = |query: &str| reading(&uri(&format!("/t/a{query}"))).map_err(|it| it.status());
        let begun = |start| {
            let echo = Echo::Off;
            Ok(Reading { start, echo })
        };
        assert_eq!(read(""), begun(Start::Now));
        assert_eq!(read("?"), begun(Start::Now));
        assert_eq!(read("?last=10"), begun(Start::Last(10)));
        let position = Start::After(after.parse().unwrap());
        assert_eq!(read(&format!("?after={after}")), begun(position));
        assert_eq!(read("?echo=1").unwrap().echo, Echo::On);
        for query in [
            "?after=",
            "?after=1",
            "?after=%ff",
            "?last=-1",
            "?last=ten",
            "?last=99999999999999999999",
            "?last=1&last=2",
            "?last=1&after=1q8zk7c2m4v0p-118",
            "?echo=2",
            "?key=hunter2",
        ] {
            assert_eq!(read(query), Err(StatusCode::BAD_REQUEST), "{query}");
        }
    }
}
