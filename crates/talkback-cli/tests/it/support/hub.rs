//! `talkback hub`, and requests to it by hand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::{LIMIT, Running, url_of};

/// `talkback hub` on a free port, and its URL up to the `/` behind the port.
pub(crate) fn hub(arguments: &[&str]) -> (Running, String) {
    let mut all = vec!["hub", "127.0.0.1:0"];
    all.extend(arguments);
    let server = Running::start(&all);
    let url = url_of_hub(&server);
    (server, url)
}

/// The URL that a hub prints first, up to the `/` behind the port.
pub(crate) fn url_of_hub(server: &Running) -> String {
    url_of(server).trim_end_matches("t/TOPIC").to_owned()
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::trim_end)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// The host and port of a URL.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.trim_start_matches("ws://");
    rest.split('/').next().unwrap()
}

/// Writes a request, such as `GET /`, with these header lines, in HTTP/1.0, so that no answer comes in chunks.
fn ask(url: &str, request: &str, lines: &[&str], body: &[u8]) -> TcpStream {
    let host = authority(url);
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let mut text = format!("{request} HTTP/1.0\r\n");
    if !lines.iter().any(|line| line.starts_with("Host:")) {
        text += &format!("Host: {host}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for line in lines {
        text += &format!("{line}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// The whole answer to a request.
pub(crate) fn http(url: &str, request: &str, lines: &[&str], body: &[u8]) -> Answer {
    let mut stream = ask(url, request, lines, body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Publishes a text; its position.
#[track_caller]
pub(crate) fn post(url: &str, topic: &str, text: &str) -> String {
    let kind = "Content-Type: text/plain";
    let answer = http(url, &format!("POST /t/{topic}"), &[kind], text.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["at"].as_str().unwrap().to_owned()
}

/// A stream of events.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    /// The last one that came, be it with an event or not.
    last_id: String,
}

/// An event: its kind, its id and its data.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Events {
    /// Opens the events of a topic, and waits until they have begun.
    pub(crate) fn open(url: &str, topic: &str, lines: &[&str]) -> Self {
        let mut all = vec!["Accept: text/event-stream"];
        all.extend(lines);
        let stream = ask(url, &format!("GET /t/{topic}"), &all, &[]);
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head:?}");
        }
        assert!(head.starts_with("HTTP/1.0 200 "), "{head:?}");
        assert!(head.contains("text/event-stream"), "{head:?}");
        Self {
            reader,
            last_id: String::new(),
        }
    }

    /// The id that a browser has before anything came.
    pub(crate) fn begun(&mut self) -> String {
        assert_eq!(self.block(), Some(None));
        self.last_id.clone()
    }

    /// The next event; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.block()? {
                return Some(event);
            }
        }
    }

    /// What comes up to the next empty line: an event, unless it has no data; `None` at the end.
    fn block(&mut self) -> Option<Option<Event>> {
        let mut event = Event::default();
        let mut data = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.strip_suffix('\n').unwrap();
            match line.split_once(": ") {
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", text)) => data.push(text.to_owned()),
                _ if line.is_empty() => {
                    if !event.id.is_empty() {
                        self.last_id.clone_from(&event.id);
                    }
                    event.data = data.join("\n");
                    return Some((!data.is_empty()).then_some(event));
                }
                _ => assert_eq!(line, ":"),
            }
        }
    }

    /// The data of so many events.
    pub(crate) fn data(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().unwrap().data).collect()
    }
}
