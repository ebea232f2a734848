//! What a client asks of the server by the path of its URL, to see how it copes with a server like that.

use std::fmt;
use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use percent_encoding::percent_decode_str;
use talkback::{CloseCode, Refusal};

/// A client may ask for these, so that each has a bound.
const TIME_MAX: Duration = Duration::from_secs(60);
const COUNT_MAX: u64 = 100_000;
const SIZE_MAX: u64 = 16 << 20;
const REASON_SIZE_MAX: usize = 123;

/// The statuses whose answers have no body (RFC 9110 §15).
const WITHOUT_BODY: [StatusCode; 3] = [
    StatusCode::NO_CONTENT,
    StatusCode::RESET_CONTENT,
    StatusCode::NOT_MODIFIED,
];

/// The paths that ask an echo server for more than the echo, as they are written, each with what comes of it.
///
/// Times have at most 60 s, messages 16 MiB. Once 64 messages or 1 MiB of them wait for their delay, or behind a
/// slow one, nothing more is read until one has left: a ping behind them is answered, and a close heeded, so
/// much later. A path that cannot be followed is refused with 404 and its right form; any other path is echoed.
pub const PATHS: &[(&str, &str)] = &[
    (
        "/close/CODE/REASON",
        "closes at once; the reason may be left out",
    ),
    (
        "/delay/MS",
        "sends each message back so many milliseconds later",
    ),
    (
        "/drop/COUNT",
        "ends TCP without a close frame after so many messages",
    ),
    (
        "/slow/BYTES",
        "sends each message back at so many bytes a second",
    ),
    (
        "/status/CODE/SECONDS",
        "refuses with this status, and Retry-After if there are seconds",
    ),
    ("/redirect/PATH", "redirects to another path of this server"),
    (
        "/subprotocol/NAME",
        "speaks this subprotocol only, if it is offered",
    ),
    ("/headers", "sends the headers of the request, as JSON"),
    (
        "/stream/COUNT/ms/MS",
        "sends so many messages, one every so many milliseconds",
    ),
    ("/size/BYTES", "sends a message of this size"),
    ("/ping/SECONDS", "sends a ping every so many seconds"),
];

/// What the server does on a connection besides the echo, or in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Close(CloseCode, String),
    Delay(Duration),
    Drop(u64),
    /// Bytes a second.
    Slow(u64),
    /// The headers in JSON.
    Headers(String),
    Stream {
        count: u64,
        every: Duration,
    },
    Size(u64),
    Ping(Duration),
}

/// What a path means for the opening handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The echo alone.
    Echo,
    Behaviour(Behaviour),
    /// Speaks this subprotocol, if it is offered.
    Subprotocol(String),
}

/// Reads the path of a request; a path whose first part is none of the above is echoed.
///
/// # Errors
/// The answer that was asked for, or what is wrong with the path.
pub(crate) fn read(request: &Request<()>) -> Result<Opening, Refusal> {
    let path = request.uri().path();
    let (name, rest) = match path[1..].split_once('/') {
        Some((name, rest)) => (name, rest),
        None => (path.get(1..).unwrap_or_default(), ""),
    };
    let Some((form, _)) = PATHS.iter().find(|(form, _)| is_named(form, name)) else {
        return Ok(Opening::Echo);
    };
    let wrong = |what: &dyn fmt::Display| {
        Refusal::new(StatusCode::NOT_FOUND, format!("{what}: the path is {form}"))
    };
    let number = |text: &str, max: u64| match text.parse() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(wrong(&format_args!("a number from 0 to {max} is missing"))),
    };
    let behaviour = match name {
        "close" => close(rest).map_err(|what| wrong(&what))?,
        "delay" => Behaviour::Delay(milliseconds(number(rest, milliseconds_max())?)),
        "drop" => Behaviour::Drop(number(rest, COUNT_MAX)?),
        "slow" => match number(rest, SIZE_MAX)? {
            0 => return Err(wrong(&"0 bytes a second take for ever")),
            rate => Behaviour::Slow(rate),
        },
        "status" => {
            return Err(status(rest).map_err(|what| wrong(&what))?);
        }
        "redirect" => return Err(redirect(rest)),
        "subprotocol" => return Ok(Opening::Subprotocol(rest.to_owned())),
        "headers" => Behaviour::Headers(headers(request)),
        "stream" => {
            let (count, every) = rest.split_once("/ms/").unwrap_or((rest, ""));
            let every = milliseconds(number(every, milliseconds_max())?);
            let count = number(count, COUNT_MAX)?;
            Behaviour::Stream { count, every }
        }
        "size" => Behaviour::Size(number(rest, SIZE_MAX)?),
        _ => match number(rest, TIME_MAX.as_secs())? {
            0 => return Err(wrong(&"every 0 seconds is too often")),
            seconds => Behaviour::Ping(Duration::from_secs(seconds)),
        },
    };
    Ok(Opening::Behaviour(behaviour))
}

fn is_named(form: &str, name: &str) -> bool {
    form[1..].split('/').next() == Some(name)
}

fn milliseconds_max() -> u64 {
    TIME_MAX.as_secs() * 1000
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn close(rest: &str) -> Result<Behaviour, &'static str> {
    let (code, reason) = rest.split_once('/').unwrap_or((rest, ""));
    let code = code.parse::<u16>().ok().map(CloseCode::from);
    let code = code.filter(|code| code.is_sendable());
    let code = code.ok_or("a close code that may be sent (RFC 6455 §7.4) is missing")?;
    let reason = percent_decode_str(reason).decode_utf8();
    let reason = reason.map_err(|_| "the reason is not UTF-8")?;
    match reason.len() <= REASON_SIZE_MAX {
        true => Ok(Behaviour::Close(code, reason.into_owned())),
        false => Err("the reason is longer than 123 bytes"),
    }
}

fn status(rest: &str) -> Result<Refusal, &'static str> {
    let (code, seconds) = rest.split_once('/').unwrap_or((rest, ""));
    let status = StatusCode::from_bytes(code.as_bytes()).ok();
    let status = status.filter(|status| (200..600).contains(&status.as_u16()));
    let status = status.ok_or("a status from 200 to 599 is missing")?;
    if WITHOUT_BODY.contains(&status) {
        return Err("a refusal has a body, and this status has none");
    }
    let refusal = Refusal::new(status, "the path asked for this status");
    if seconds.is_empty() {
        return Ok(refusal);
    }
    let seconds = seconds.parse::<u32>();
    let seconds = seconds.map_err(|_| "the seconds are no number from 0 to 4294967295")?;
    Ok(refusal.with_header(RETRY_AFTER, seconds.into()))
}

/// To a path of this server: `//host` would be another's.
fn redirect(rest: &str) -> Refusal {
    let path = format!("/{}", rest.trim_start_matches('/'));
    match HeaderValue::try_from(path) {
        Ok(path) => Refusal::new(StatusCode::FOUND, "the path asked for a redirect")
            .with_header(LOCATION, path),
        Err(_) => Refusal::not_found(),
    }
}

/// The request's headers as an object of JSON: a list where one comes several times.
fn headers(request: &Request<()>) -> String {
    let headers = request.headers();
    let mut json = String::from("{");
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| quoted(&String::from_utf8_lossy(value.as_bytes())));
        let values: Vec<String> = values.collect();
        let value = match &*values {
            [value] => value.clone(),
            values => format!("[{}]", values.join(",")),
        };
        let comma = if json.len() > 1 { "," } else { "" };
        json.push_str(&format!("{comma}{}:{value}", quoted(name.as_str())));
    }
    json + "}"
}

/// A string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_path(path: &str) -> Result<Opening, Refusal> {
        read(&Request::get(path).body(()).unwrap())
    }

    #[test]
    fn each_path_has_its_behaviour() {
        let close = |code: CloseCode, reason: &str| Behaviour::Close(code, reason.into());
        for (path, behaviour) in [
            ("/close/4000/bye", close(4000.into(), "bye")),
            ("/close/1000", close(CloseCode::NORMAL, "")),
            ("/close/1011/%EC%95%88%20x%", close(1011.into(), "안 x%")),
            ("/delay/500?x", Behaviour::Delay(Duration::from_millis(500))),
            ("/drop/0", Behaviour::Drop(0)),
            ("/slow/1024", Behaviour::Slow(1024)),
            ("/size/1048576", Behaviour::Size(1 << 20)),
            ("/ping/5", Behaviour::Ping(Duration::from_secs(5))),
            (
                "/stream/100/ms/50",
                Behaviour::Stream {
                    count: 100,
                    every: Duration::from_millis(50),
                },
            ),
        ] {
            assert_eq!(read_path(path), Ok(Opening::Behaviour(behaviour)), "{path}");
        }
        for path in ["/", "/chat", "/closed/1", "/a/close/1000"] {
            assert_eq!(read_path(path), Ok(Opening::Echo), "{path}");
        }
        let chat = Ok(Opening::Subprotocol("chat".into()));
        assert_eq!(read_path("/subprotocol/chat"), chat);
    }

    #[test]
    fn a_path_that_cannot_be_followed_is_told_the_right_form() {
        for path in [
            "/close",
            "/close/1005",
            "/close/99999",
            &format!("/close/1000/{}", "x".repeat(124)),
            "/close/1000/%FF",
            "/delay/60001",
            "/delay/-1",
            "/drop/x",
            "/slow/0",
            "/status/101",
            "/status/204",
            "/status/304/7",
            "/status/503/x",
            "/stream/5",
            "/stream/5/ms/",
            "/size/16777217",
            "/ping/0",
        ] {
            let refusal = read_path(path).unwrap_err();
            assert_eq!(refusal.status(), StatusCode::NOT_FOUND, "{path}");
            let name = path.split('/').nth(1).unwrap();
            let form = format!("the path is /{name}");
            assert!(refusal.reason().contains(&form), "{path}: {refusal}");
        }
    }

    #[test]
    fn a_status_and_a_redirect_are_answers() {
        let refusal = read_path("/status/503/7").unwrap_err();
        assert_eq!(refusal.status(), 503);
        assert_eq!(refusal.headers()[RETRY_AFTER], "7");
        for path in ["/redirect/close/1000", "/redirect///close/1000"] {
            let refusal = read_path(path).unwrap_err();
            assert_eq!(refusal.headers()[LOCATION], "/close/1000");
        }
        let refusal = read_path("/status/503/99999999999").unwrap_err();
        assert!(refusal.reason().contains("seconds"), "{refusal}");
    }

    #[test]
    fn headers_are_json() {
        let request = Request::get("/headers")
            .header("x-a", "1\t\"2\"\\")
            .header("x-b", "3")
            .header("x-b", "4");
        let json = headers(&request.body(()).unwrap());
        assert_eq!(json, r#"{"x-a":"1\u0009\"2\"\\","x-b":["3","4"]}"#);
    }
}
