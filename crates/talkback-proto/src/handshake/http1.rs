//! Bytes to `http` types and back: the heads of HTTP/1.1 messages (RFC 7230 §3).

use std::borrow::Cow;
use std::fmt;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use httparse::{EMPTY_HEADER, ParserConfig, Status};

use super::error::HeadError;
use super::grammar::{is_tchar, trim_ows};
use super::header_case::push_conventional_case;
use super::refusal::Refusal;

/// How a request with the method HEAD begins.
const HEAD_METHOD: &[u8] = b"HEAD ";

/// What a head seldom exceeds, in bytes.
const HEAD_SIZE: usize = 512;

/// Headers whose values are secrets, and not shown where a head is printed.
const SECRETS: [HeaderName; 5] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    // Pages have no other place for a bearer token.
    SEC_WEBSOCKET_PROTOCOL,
];

/// How large the head of an HTTP message may be.
///
/// ```
/// # use talkback_proto::handshake as talkback;
/// use talkback::HeadLimits;
/// let limits = HeadLimits::default().size_max(4 * 1024);
/// assert_eq!((limits.size_limit(), limits.headers_limit()), (4 * 1024, 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    size_max: usize,
    headers_max: usize,
}

impl HeadLimits {
    /// Sets the size of the whole head with its empty line, in bytes; 16 KiB by default.
    #[must_use]
    pub const fn size_max(mut self, bytes: usize) -> HeadLimits {
        self.size_max = bytes;
        self
    }

    /// Sets the number of header lines; 100 by default.
    #[must_use]
    pub const fn headers_max(mut self, count: usize) -> HeadLimits {
        self.headers_max = count;
        self
    }

    /// How large the whole head may be, in bytes: [`size_max`](HeadLimits::size_max).
    #[must_use]
    pub const fn size_limit(self) -> usize {
        self.size_max
    }

    /// How many header lines there may be: [`headers_max`](HeadLimits::headers_max).
    #[must_use]
    pub const fn headers_limit(self) -> usize {
        self.headers_max
    }
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            size_max: 16 * 1024,
            headers_max: 100,
        }
    }
}

/// Collects the head of a request or response from bytes as they arrive.
///
/// ```text
/// Reading ──── empty line ───► Complete ── request() or response()
///    │
///    └── limit or grammar ───► Failed
/// ```
///
/// Each byte is looked at once, however they are cut. Only CR LF ends a line, as the grammar has
/// it: two readers that disagree on where a line ends are how requests are smuggled.
///
/// ```
/// use talkback_proto::handshake::{HeadLimits, HeadReader};
///
/// let mut reader = HeadReader::new(HeadLimits::default());
/// assert_eq!(reader.handle(b"HTTP/1.1 101 Switching Protocols\r\n"), Ok(None));
/// // The two bytes behind the empty line are the caller's: the first of a frame.
/// assert_eq!(reader.handle(b"\r\n\x81\x00"), Ok(Some(2)));
/// assert_eq!(reader.response()?.status(), 101);
/// # Ok::<(), talkback_proto::handshake::HeadError>(())
/// ```
#[derive(Clone)]
pub struct HeadReader {
    limits: HeadLimits,
    state: State,
    head: Vec<u8>,
    /// The lines that have ended, without the empty one.
    lines: usize,
    /// The bytes of the line that has not ended.
    line_size: usize,
    is_after_cr: bool,
    /// How many bytes were looked at, so that tests can hold the work to be linear.
    #[cfg(test)]
    pub(super) work: usize,
}

/// Shows no byte of the head: it may hold secrets.
impl fmt::Debug for HeadReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadReader")
            .field("limits", &self.limits)
            .field("state", &self.state)
            .field("size", &self.head.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Complete,
    Failed(HeadError),
}

impl HeadReader {
    /// Waits for a head within `limits`.
    #[must_use]
    pub fn new(limits: HeadLimits) -> HeadReader {
        HeadReader {
            limits,
            state: State::Reading,
            head: Vec::new(),
            lines: 0,
            line_size: 0,
            is_after_cr: false,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Takes the next bytes from the peer.
    ///
    /// `Some(size)` says that the head is complete and that `size` of these bytes belong to it; the
    /// rest is what follows the head and stays the caller's. `None` says that all bytes were taken
    /// and that more are needed. A complete head takes none.
    ///
    /// # Errors
    ///
    /// [`HeadError`] at the first byte that is over a limit or that no head can have there; the
    /// reader stays failed. A server answers with the [`refusal`](HeadReader::refusal) of it.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        match self.state {
            State::Reading => {}
            State::Complete => return Ok(Some(0)),
            State::Failed(error) => return Err(error),
        }
        if self.head.is_empty() {
            // A head mostly comes whole; what follows it may be long.
            self.head.reserve(bytes.len().min(HEAD_SIZE));
        }
        let mut rest = bytes;
        while let [byte, behind @ ..] = rest {
            match self.step(*byte) {
                Ok(State::Reading) => rest = self.take_text(behind),
                Ok(_) => {
                    self.state = State::Complete;
                    return Ok(Some(bytes.len() - behind.len()));
                }
                Err(error) => {
                    self.state = State::Failed(error);
                    // What is left tells the method.
                    self.head.truncate(HEAD_METHOD.len());
                    self.head.shrink_to_fit();
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// The request that the head is; to be called once [`handle`](HeadReader::handle) has returned
    /// `Some`.
    ///
    /// The target may be a path or, as every server must accept, a whole URL (RFC 7230 §5.3.2).
    ///
    /// # Errors
    ///
    /// [`HeadError`] if it is incomplete or is not a request by the grammar.
    pub fn request(&self) -> Result<Request<()>, HeadError> {
        let head = self.complete_head()?;
        check_version_form(first_line(head).nth(2), HeadError::RequestLine)?;
        let mut headers = vec![EMPTY_HEADER; self.lines];
        let mut parsed = httparse::Request::new(&mut headers);
        check_parsed(parsed.parse(head), HeadError::RequestLine)?;
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(HeadError::RequestLine);
        };
        // A target is ASCII without a fragment (RFC 7230 §5.3); the type `Uri` is less strict.
        if !target.is_ascii() || target.contains('#') {
            return Err(HeadError::RequestLine);
        }
        let mut request = Request::new(());
        *request.method_mut() =
            Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::RequestLine)?;
        *request.uri_mut() = Uri::try_from(target).map_err(|_| HeadError::RequestLine)?;
        *request.version_mut() = http_version(parsed.version)?;
        *request.headers_mut() = header_map(parsed.headers)?;
        Ok(request)
    }

    /// The head as it came, with its empty line, once it is complete; until then what there is of it. Its
    /// headers may be secrets.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// What a server answers to a request that has failed so; without content to the method HEAD
    /// (RFC 9110 §9.3.2).
    #[must_use]
    pub fn refusal(&self, error: HeadError) -> Refusal {
        let refusal = Refusal::from(error);
        if self.head.starts_with(HEAD_METHOD) {
            refusal.to(&Method::HEAD)
        } else {
            refusal
        }
    }

    /// The response that the head is; to be called once [`handle`](HeadReader::handle) has returned
    /// `Some`.
    ///
    /// # Errors
    ///
    /// [`HeadError`] if it is incomplete or is not a response by the grammar.
    pub fn response(&self) -> Result<Response<()>, HeadError> {
        let head = self.complete_head()?;
        check_version_form(first_line(head).next(), HeadError::StatusLine)?;
        let mut headers = vec![EMPTY_HEADER; self.lines];
        let mut parsed = httparse::Response::new(&mut headers);
        // "A user agent that receives an obs-fold in a response message […] MUST replace each received
        // obs-fold with one or more SP octets" (RFC 9112 §5.2); a server may refuse it, and does.
        let mut config = ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        check_parsed(
            config.parse_response(&mut parsed, head),
            HeadError::StatusLine,
        )?;
        let code = parsed.code.ok_or(HeadError::StatusLine)?;
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(code).map_err(|_| HeadError::StatusLine)?;
        *response.version_mut() = http_version(parsed.version)?;
        *response.headers_mut() = header_map(parsed.headers)?;
        Ok(response)
    }

    /// Takes one byte, and says where that leads.
    fn step(&mut self, byte: u8) -> Result<State, HeadError> {
        self.count_work(1);
        if self.head.len() >= self.limits.size_max {
            let size_max = self.limits.size_max;
            return Err(HeadError::TooLarge { size_max });
        }
        if self.head.is_empty() {
            check_first_byte(byte)?;
        }
        self.head.push(byte);
        match (self.is_after_cr, byte) {
            (true, b'\n') => return self.end_line(),
            (true, _) | (false, b'\n') => return Err(HeadError::LineEnd),
            (false, b'\r') => self.is_after_cr = true,
            (false, b'\t') => self.line_size += 1,
            (false, byte) if byte.is_ascii_control() => return Err(HeadError::ControlCharacter),
            (false, _) => self.line_size += 1,
        }
        Ok(State::Reading)
    }

    /// Takes what may follow within a line at once, as [`step`](Self::step) would byte by byte; returns
    /// the rest.
    fn take_text<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.is_after_cr {
            return bytes;
        }
        let size_max = self.limits.size_max - self.head.len();
        let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
        let size = bytes.iter().take(size_max).take_while(|byte| is_text(byte));
        let (text, rest) = bytes.split_at(size.count());
        self.count_work(text.len());
        self.head.extend_from_slice(text);
        self.line_size += text.len();
        rest
    }

    fn end_line(&mut self) -> Result<State, HeadError> {
        self.is_after_cr = false;
        if self.line_size == 0 {
            return Ok(State::Complete);
        }
        self.line_size = 0;
        self.lines += 1;
        // The first line of a request ends with the version, that of a response begins with it.
        if self.lines == 1 && !self.head.windows(5).any(|window| window == b"HTTP/") {
            return Err(HeadError::NotHttp);
        }
        let headers_max = self.limits.headers_max;
        if self.lines - 1 > headers_max {
            return Err(HeadError::TooManyHeaders { headers_max });
        }
        Ok(State::Reading)
    }

    fn complete_head(&self) -> Result<&[u8], HeadError> {
        match self.state {
            State::Complete => Ok(&self.head),
            State::Reading => Err(HeadError::Incomplete),
            State::Failed(error) => Err(error),
        }
    }

    #[cfg(test)]
    fn count_work(&mut self, bytes: usize) {
        self.work += bytes;
    }

    #[cfg(not(test))]
    fn count_work(&self, _bytes: usize) {}
}

/// Writes the head of a request, with its path and query as the target; of a CONNECT it is the
/// authority (RFC 9112 §3.2.3).
///
/// Header names are written as the RFCs spell them, because some servers compare their case.
#[must_use]
pub fn encode_request(request: &Request<()>) -> Vec<u8> {
    let target = match request.uri().authority() {
        Some(authority) if request.method() == Method::CONNECT => authority.as_str(),
        _ => request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str()),
    };
    let first_line = [request.method().as_str(), " ", target, " HTTP/1.1"];
    encode_head(&first_line, request.headers())
}

/// Writes the head of a response without a body, such as the 101.
#[must_use]
pub fn encode_response(response: &Response<()>) -> Vec<u8> {
    encode_head(&status_line(&response.status()), response.headers())
}

/// Writes a refusal as a whole response: the head and, but for HEAD, the body, after which the server
/// closes.
#[must_use]
pub fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    let (head, body) = refusal.response().into_parts();
    let mut headers = head.headers;
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    // The connection ends here, so that what the client sent behind its request is never read.
    let options = if headers.contains_key(UPGRADE) {
        "Upgrade, close"
    } else {
        "close"
    };
    headers.insert(CONNECTION, HeaderValue::from_static(options));
    let mut bytes = encode_head(&status_line(&head.status), &headers);
    if !refusal.is_to_head() {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

/// Tells at the first byte that a peer does not speak HTTP, before its whole first line is there.
fn check_first_byte(byte: u8) -> Result<(), HeadError> {
    /// The content types of TLS records for an alert and for a handshake (RFC 8446 §5.1).
    const TLS_RECORDS: [u8; 2] = [0x15, 0x16];
    if TLS_RECORDS.contains(&byte) {
        return Err(HeadError::Tls);
    }
    if !is_tchar(byte) {
        return Err(HeadError::NotHttp);
    }
    Ok(())
}

/// The parts of the first line of a complete head, which single spaces divide.
fn first_line(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let size = head.iter().position(|&byte| byte == b'\r');
    head[..size.unwrap_or(head.len())].split(|&byte| byte == b' ')
}

/// Tells a version that is malformed from one that is only not ours: `HTTP/` DIGIT `.` DIGIT
/// (RFC 7230 §2.6).
fn check_version_form(version: Option<&[u8]>, malformed: HeadError) -> Result<(), HeadError> {
    match version.and_then(|version| version.strip_prefix(b"HTTP/")) {
        Some([b'0'..=b'9', b'.', b'0'..=b'9']) => Ok(()),
        _ => Err(malformed),
    }
}

/// `malformed` stands for a fault in the first line.
fn check_parsed(outcome: httparse::Result<usize>, malformed: HeadError) -> Result<(), HeadError> {
    match outcome {
        Ok(Status::Complete(_)) => Ok(()),
        Ok(Status::Partial) => Err(HeadError::Incomplete),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => Err(HeadError::Header),
        Err(httparse::Error::Version) => Err(HeadError::Version),
        Err(_) => Err(malformed),
    }
}

fn http_version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::HTTP_10),
        Some(1) => Ok(Version::HTTP_11),
        _ => Err(HeadError::Version),
    }
}

fn header_map(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers = HeaderMap::try_with_capacity(parsed.len()).map_err(|_| HeadError::Header)?;
    for header in parsed {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| HeadError::Header)?;
        let value = HeaderValue::from_bytes(&unfolded(header.value));
        let value = value.map_err(|_| HeadError::Header)?;
        let value = marked(&name, value);
        headers
            .try_append(name, value)
            .map_err(|_| HeadError::Header)?;
    }
    Ok(headers)
}

/// A value in one line: a space in the place of each fold.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return value.into();
    }
    let lines = value
        .split(|&byte| byte == b'\n')
        .map(|line| trim_ows(line.strip_suffix(b"\r").unwrap_or(line)));
    let value = lines.collect::<Vec<_>>().join(&b' ');
    trim_ows(&value).to_vec().into()
}

fn marked(name: &HeaderName, mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(SECRETS.contains(name));
    value
}

/// The first line of a response, in pieces.
fn status_line(status: &StatusCode) -> [&str; 4] {
    let reason = status.canonical_reason().unwrap_or("");
    ["HTTP/1.1 ", status.as_str(), " ", reason]
}

fn encode_head(first_line: &[&str], headers: &HeaderMap) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_SIZE);
    for piece in first_line {
        head.extend_from_slice(piece.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        push_conventional_case(&mut head, name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
