//! The grammar of the handshake's header values (RFC 6455 §9.1 and §4.3; RFC 7230 §3.2.6, §7).
//!
//! Every parser here walks a [`Cursor`] forward and never back, so that its time is linear in the
//! value's size.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// One extension of a `Sec-WebSocket-Extensions` list: its name and its parameters, in the order
/// of the header (RFC 6455 §9.1).
///
/// The same shape stands for an extension that a client offers and for one that a server answers.
/// A parameter's value is given without its quotes and escapes: `"12"` and `12` are equal.
/// [`Display`](fmt::Display) writes it as the header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionOffer {
    /// The extension's name, a token.
    pub name: String,
    /// The parameters: a token, and a value, also a token, if there was one.
    pub params: Vec<(String, Option<String>)>,
}

impl fmt::Display for ExtensionOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// A value is not what its grammar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// How often a header that may stand once stands there; its value without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence<'a> {
    Absent,
    Once(&'a [u8]),
    Repeated,
}

/// Looks for a header that may stand at most once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Occurrence<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Occurrence::Absent,
        (Some(value), None) => Occurrence::Once(trim_ows(value.as_bytes())),
        (Some(_), Some(_)) => Occurrence::Repeated,
    }
}

/// Says whether `text` is a token (RFC 7230 §3.2.6).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_tchar)
}

/// Says whether `byte` may stand in a token (RFC 7230 §3.2.6).
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads a list of tokens over all lines of the header `name`, counted as joined: `1#token`.
///
/// Empty elements are passed over (RFC 7230 §7), but one element must be there.
pub(super) fn token_list<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Vec<&'a str>, Malformed> {
    list(headers.get_all(name), Cursor::token)
}

/// Reads the protocols of `Upgrade` over all its lines, counted as joined:
/// `1#( token [ "/" token ] )` (RFC 7230 §6.7).
pub(super) fn protocol_list(headers: &HeaderMap) -> Result<Vec<&str>, Malformed> {
    list(headers.get_all(http::header::UPGRADE), |cursor| {
        let protocol = cursor.take_while(|byte| is_tchar(byte) || byte == b'/');
        let mut parts = protocol.splitn(2, |&byte| byte == b'/');
        if !parts.all(is_token) {
            return Err(Malformed);
        }
        std::str::from_utf8(protocol).map_err(|_| Malformed)
    })
}

/// Reads the lists of extensions in `lines`, counted as joined: `1#extension` (RFC 6455 §9.1).
pub(super) fn extension_list<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Vec<ExtensionOffer>, Malformed> {
    list(lines, |cursor| {
        let mut extension = ExtensionOffer {
            name: cursor.token()?.to_owned(),
            params: Vec::new(),
        };
        cursor.skip_ows();
        while cursor.eat(b';') {
            cursor.skip_ows();
            extension.params.push(extension_param(cursor)?);
        }
        Ok(extension)
    })
}

/// `extension-param = token [ "=" ( token | quoted-string ) ]`, and the white space behind it.
fn extension_param(cursor: &mut Cursor<'_>) -> Result<(String, Option<String>), Malformed> {
    let name = cursor.token()?.to_owned();
    cursor.skip_ows();
    if !cursor.eat(b'=') {
        return Ok((name, None));
    }
    cursor.skip_ows();
    let value = if cursor.eat(b'"') {
        quoted_token(cursor)?
    } else {
        cursor.token()?.to_owned()
    };
    cursor.skip_ows();
    Ok((name, Some(value)))
}

/// The rest of a quoted string behind its opening quote.
///
/// "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
/// conform to the 'token' ABNF" (RFC 6455 §9.1).
fn quoted_token(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    let mut value = String::new();
    loop {
        let byte = match cursor.next().ok_or(Malformed)? {
            b'"' if value.is_empty() => return Err(Malformed),
            b'"' => return Ok(value),
            b'\\' => cursor.next().ok_or(Malformed)?,
            byte => byte,
        };
        if !is_tchar(byte) {
            return Err(Malformed);
        }
        value.push(char::from(byte));
    }
}

/// Reads `1#element` over several lines (RFC 7230 §7).
fn list<'a, T>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    mut element: impl FnMut(&mut Cursor<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut elements = Vec::new();
    for line in lines {
        let mut cursor = Cursor::new(line.as_bytes());
        loop {
            cursor.skip_ows();
            if cursor.eat(b',') {
                continue;
            }
            if cursor.is_at_end() {
                break;
            }
            elements.push(element(&mut cursor)?);
            cursor.skip_ows();
            if !cursor.is_at_end() && !cursor.eat(b',') {
                return Err(Malformed);
            }
        }
    }
    if elements.is_empty() {
        return Err(Malformed);
    }
    Ok(elements)
}

fn is_ows(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Takes optional white space (SP and HTAB) from both ends (RFC 7230 §3.2.3).
pub(super) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_ows(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_ows(*last)
    {
        value = rest;
    }
    value
}

/// A place in a header value that only moves forward.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(value: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: value }
    }

    fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn next(&mut self) -> Option<u8> {
        count_work(1);
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Steps over `byte` if it is the next one.
    fn eat(&mut self, byte: u8) -> bool {
        count_work(1);
        let Some(rest) = self.rest.strip_prefix(&[byte]) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let size = self
            .rest
            .iter()
            .position(|&byte| !accept(byte))
            .unwrap_or(self.rest.len());
        count_work(size + 1);
        let (taken, rest) = self.rest.split_at(size);
        self.rest = rest;
        taken
    }

    fn skip_ows(&mut self) {
        self.take_while(is_ows);
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        let token = self.take_while(is_tchar);
        if token.is_empty() {
            return Err(Malformed);
        }
        std::str::from_utf8(token).map_err(|_| Malformed)
    }
}

#[cfg(test)]
thread_local! {
    /// How many bytes the parsers of this thread have looked at, so that tests can hold the work
    /// to be linear without a clock.
    pub(super) static WORK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
pub(super) fn count_work(bytes: usize) {
    WORK.set(WORK.get() + bytes);
}

#[cfg(not(test))]
pub(super) fn count_work(_bytes: usize) {}
