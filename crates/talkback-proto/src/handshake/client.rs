//! The client's side of the opening handshake (RFC 6455 §4.1).

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};

use super::accept_key::accept_key;
use super::deflate;
use super::deflate_error::DeflateError;
use super::deflate_offer::DeflateOffer;
use super::error::HandshakeError;
use super::grammar::{
    ExtensionOffer, Occurrence, extension_list, is_token, protocol_list, single, token_list,
};
use super::location;
use super::refused::asked::Asked;
use super::refused::refused;
use super::unfollowed::Unfollowed;
use super::url::WsUrl;
use crate::deflate::parameters::DeflateParameters;

/// What a client asks for beside the URL; the default asks for nothing.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The subprotocols to offer, the preferred one first: unique tokens.
    pub subprotocols: Vec<String>,
    /// Further headers, sent as they are, but several `Cookie`s as one line. The handshake's own headers are refused here; an
    /// `Authorization` wins over the URL's user name and password.
    pub headers: HeaderMap,
    /// The `Origin` header, for clients that act for a web page.
    pub origin: Option<HeaderValue>,
    /// The compression to offer. What comes of it goes to the connection.
    pub deflate: Option<DeflateOffer>,
    /// Other extensions to offer, as the `Sec-WebSocket-Extensions` header has them.
    pub extensions: Option<HeaderValue>,
}

/// Shows the headers' names and the number of subprotocols only: both may hold secrets.
impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        f.debug_struct("ClientOptions")
            .field("subprotocols", &self.subprotocols.len())
            .field("headers", &names)
            .field("origin", &self.origin)
            .field("deflate", &self.deflate)
            .field("extensions", &self.extensions)
            .finish()
    }
}

/// What both sides agreed on.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol that the server chose of those offered.
    pub subprotocol: Option<String>,
    /// The extensions that the server answered, each offered by name and there once; whether
    /// their parameters fit is for the extension to say.
    pub extensions: Vec<ExtensionOffer>,
    /// Compression, if the server accepted what [`ClientOptions::deflate`] offers: for
    /// [`Connection::with_deflate`](crate::Connection::with_deflate).
    pub deflate: Option<DeflateParameters>,
}

/// Shows no subprotocol: it may be a token.
impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated")
            .field("has_subprotocol", &self.subprotocol.is_some())
            .field("extensions", &self.extensions)
            .field("deflate", &self.deflate)
            .finish()
    }
}

/// One opening handshake of a client: a request, and the check of its response.
///
/// ```
/// use talkback_proto::handshake::{ClientHandshake, ClientOptions, WsUrl};
///
/// let url = WsUrl::parse("ws://echo.example/chat")?;
/// let handshake = ClientHandshake::new(&url, ClientOptions::default(), *b"the sample nonce")?;
/// let request = handshake.request();
/// assert_eq!(request.headers()["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    url: WsUrl,
    request: Request<()>,
    /// What the requests held that redirects have led here from: errors are not to show it.
    earlier: Vec<String>,
    /// The only right value of the response's `Sec-WebSocket-Accept`.
    accept: String,
    subprotocols: Vec<String>,
    extensions: HashSet<String>,
    deflate: Option<DeflateOffer>,
}

impl ClientHandshake {
    /// Checks the options and prepares the request.
    ///
    /// `nonce` is 16 bytes from a cryptographically strong generator, fresh for each connection
    /// (RFC 6455 §4.1, item 7).
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if an option cannot be sent: a subprotocol that is not a token or stands
    /// twice, a header that belongs to the handshake, a malformed list of extensions.
    pub fn new(
        url: &WsUrl,
        mut options: ClientOptions,
        nonce: [u8; 16],
    ) -> Result<ClientHandshake, HandshakeError> {
        check_subprotocols(&options.subprotocols)?;
        check_headers(&options.headers)?;
        let mut extensions = offered_names(options.extensions.as_ref())?;
        if let Some(deflate) = &options.deflate {
            options.extensions = Some(with_deflate(deflate, options.extensions.as_ref()));
            if !extensions.insert(deflate::NAME.to_owned()) {
                return Err(HandshakeError::InvalidExtensions);
            }
        }
        let key = STANDARD.encode(nonce);
        let headers = request_headers(url, &options, &key)?;

        // RFC 6455 §4.1: "The method of the request MUST be GET, and the HTTP version MUST be at
        // least 1.1."
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = Uri::from(url.path_and_query());
        *request.headers_mut() = headers;
        Ok(ClientHandshake {
            url: url.clone(),
            request,
            earlier: Vec::new(),
            accept: accept_key(&key),
            subprotocols: options.subprotocols,
            extensions,
            deflate: options.deflate,
        })
    }

    /// The same as one to which a redirect has led from another, whose server has chosen the URL.
    ///
    /// What its errors say, and the URL of a further redirect, is without what the other's request held and may be
    /// secret, too, and those before it.
    #[must_use]
    pub fn redirected_from(mut self, other: &ClientHandshake) -> ClientHandshake {
        self.earlier = other.asked().secrets();
        self
    }

    /// The URL that the request asks for.
    #[must_use]
    pub fn url(&self) -> &WsUrl {
        &self.url
    }

    /// The request to send: its URI is the request target alone.
    ///
    /// Its own `Debug` shows the query, which may be a secret: do not log it.
    #[must_use]
    pub fn request(&self) -> Request<()> {
        self.request.clone()
    }

    /// Checks the server's response (RFC 6455 §4.1, items 1 to 6).
    ///
    /// No frame may be read or sent before this succeeds. Of responses with 1xx, only 101 is one to
    /// check; another is interim, and the next follows it (RFC 9110 §15.2).
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; with a status other than 101 it is [`HandshakeError::Status`] without a
    /// body. A caller that reads the body makes that error with
    /// [`refused`](ClientHandshake::refused) instead.
    pub fn validate<T>(&self, response: &Response<T>) -> Result<Negotiated, HandshakeError> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(response, Bytes::new()));
        }
        if response.version() != Version::HTTP_11 {
            let version = response.version();
            return Err(HandshakeError::Version { version });
        }
        let headers = response.headers();
        // Item 2: fail "if the Upgrade header field contains a value that is not an ASCII
        // case-insensitive match for the value "websocket"".
        let upgrade = protocol_list(headers).map_err(|_| HandshakeError::Upgrade)?;
        let is_websocket = |name: &&str| name.eq_ignore_ascii_case("websocket");
        if !upgrade.iter().all(is_websocket) {
            return Err(HandshakeError::Upgrade);
        }
        // Twice would be one WebSocket within another (RFC 9110 §7.8), and no browser takes it.
        if upgrade.len() > 1 {
            return Err(HandshakeError::Repeated { name: UPGRADE });
        }
        let tokens = token_list(headers, &CONNECTION).map_err(|_| HandshakeError::Connection)?;
        if !tokens
            .iter()
            .any(|name| name.eq_ignore_ascii_case("upgrade"))
        {
            return Err(HandshakeError::Connection);
        }
        let accept = once(headers, &SEC_WEBSOCKET_ACCEPT)?;
        if accept != Some(self.accept.as_bytes()) {
            return Err(HandshakeError::Accept);
        }
        let extensions = self.answered_extensions(headers)?;
        Ok(Negotiated {
            subprotocol: self.chosen_subprotocol(headers)?,
            deflate: self.answered_deflate(&extensions)?,
            extensions,
        })
    }

    /// Makes the error for a response that is not a 101.
    ///
    /// `body` is the beginning of the response's body, at most 4,096 bytes, as
    /// [`RefusedBody`](super::RefusedBody) collects it. What the error says of it and of a redirect is
    /// without what the request held and may be secret: query, credentials, cookies, own headers.
    #[must_use]
    pub fn refused<T>(&self, response: &Response<T>, body: Bytes) -> HandshakeError {
        refused(response, body, Some(self.asked()), None)
    }

    /// Makes the error for a redirect that is not followed; `body` as for [`refused`](Self::refused).
    #[must_use]
    pub fn unfollowed<T>(
        &self,
        response: &Response<T>,
        body: Bytes,
        why: Unfollowed,
    ) -> HandshakeError {
        refused(response, body, Some(self.asked()), Some(why))
    }

    /// Where a redirect leads: a 301, 302, 303, 307 or 308 (RFC 9110 §15.4). `None` for any other response.
    ///
    /// A URL of HTTP stands for one of WebSocket, and a relative one is completed by this request's. What is
    /// made of it is the next request, a GET as well, [`redirected_from`](Self::redirected_from) this one. `Display` of
    /// the URL shows nothing that this request held and may be secret.
    ///
    /// Hold it against [`url`](Self::url) with [`is_same_origin`](WsUrl::is_same_origin): another origin is to get none
    /// of the program's headers and subprotocols, as a key may be in any. Within the origin,
    /// `url().with_target_of(&target)` has the user name and the password, which the target has not.
    ///
    /// # Errors
    ///
    /// [`Unfollowed`], if it leads nowhere, to no TLS from TLS, or to a URL with a user name: make the error
    /// with [`unfollowed`](Self::unfollowed) then.
    pub fn redirect<T>(&self, response: &Response<T>) -> Option<Result<WsUrl, Unfollowed>> {
        let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        is_redirect.then(|| self.redirect_target(response.headers()))
    }

    fn redirect_target(&self, headers: &HeaderMap) -> Result<WsUrl, Unfollowed> {
        let location = location::of(headers).map_err(|_| Unfollowed::Location)?;
        let location = std::str::from_utf8(location.as_bytes());
        let location = location.map_err(|_| Unfollowed::Location)?.trim();
        if location::has_user_info(location) {
            return Err(Unfollowed::UserInfo);
        }
        let target = location::resolve(location, &self.url).ok_or(Unfollowed::Location)?;
        if self.url.is_secure() && !target.is_secure() {
            return Err(Unfollowed::Downgrade);
        }
        let mut shown_path = self.asked().without_secrets(target.path_and_query().path());
        if !shown_path.starts_with('/') {
            shown_path.insert(0, '/');
        }
        Ok(target.with_shown_path(&shown_path))
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            url: &self.url,
            request: &self.request,
            earlier: &self.earlier,
        }
    }

    /// Item 6: a subprotocol "that was not present in the client's handshake" fails.
    fn chosen_subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
        let Some(value) = once(headers, &SEC_WEBSOCKET_PROTOCOL)? else {
            return Ok(None);
        };
        let subprotocol = std::str::from_utf8(value)
            .ok()
            .filter(|text| is_token(text.as_bytes()))
            .ok_or(HandshakeError::Malformed {
                name: SEC_WEBSOCKET_PROTOCOL,
            })?
            .to_owned();
        if !self.subprotocols.contains(&subprotocol) {
            return Err(HandshakeError::SubprotocolNotOffered { subprotocol });
        }
        Ok(Some(subprotocol))
    }

    /// Item 5: an extension "that was not present in the client's handshake" fails.
    fn answered_extensions(
        &self,
        headers: &HeaderMap,
    ) -> Result<Vec<ExtensionOffer>, HandshakeError> {
        let name = SEC_WEBSOCKET_EXTENSIONS;
        if once(headers, &name)?.is_none() {
            return Ok(Vec::new());
        }
        let answers = extension_list(headers.get_all(&name))
            .map_err(|_| HandshakeError::Malformed { name })?;
        let mut waiting: HashSet<&str> = self.extensions.iter().map(String::as_str).collect();
        for answer in &answers {
            if !waiting.remove(answer.name.as_str()) {
                let extension = answer.name.clone();
                return Err(HandshakeError::ExtensionNotOffered { extension });
            }
        }
        Ok(answers)
    }

    /// What was agreed on for compression, if it was our offer that the server accepted.
    fn answered_deflate(
        &self,
        answers: &[ExtensionOffer],
    ) -> Result<Option<DeflateParameters>, DeflateError> {
        let answer = answers.iter().find(|answer| answer.name == deflate::NAME);
        let offer = self.deflate.as_ref().zip(answer);
        offer.map(|(offer, answer)| offer.check(answer)).transpose()
    }
}

/// Shows what is asked for, without the secrets of URL, headers and subprotocols.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("url", &self.url)
            .field("subprotocols", &self.subprotocols.len())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// Checks the subprotocols that a client is about to offer: tokens that "MUST all be unique strings"
/// (RFC 6455 §4.1, item 10).
///
/// [`ClientHandshake::new`] does so too; this is for a client whose handshake somebody else does.
///
/// # Errors
/// The first one that is no token, or that was there before.
pub fn check_subprotocols(subprotocols: &[String]) -> Result<(), HandshakeError> {
    for (index, subprotocol) in subprotocols.iter().enumerate() {
        if !is_token(subprotocol.as_bytes()) {
            let subprotocol = subprotocol.clone();
            return Err(HandshakeError::InvalidSubprotocol { subprotocol });
        }
        // They are few, and a set of them is large in a page.
        if subprotocols[..index].contains(subprotocol) {
            let subprotocol = subprotocol.clone();
            return Err(HandshakeError::DuplicateSubprotocol { subprotocol });
        }
    }
    Ok(())
}

fn offered_names(extensions: Option<&HeaderValue>) -> Result<HashSet<String>, HandshakeError> {
    let Some(value) = extensions else {
        return Ok(HashSet::new());
    };
    let offers = extension_list([value]).map_err(|_| HandshakeError::InvalidExtensions)?;
    Ok(offers.into_iter().map(|offer| offer.name).collect())
}

/// The offer of compression, and behind it what else is offered.
fn with_deflate(deflate: &DeflateOffer, others: Option<&HeaderValue>) -> HeaderValue {
    let mut value = deflate.write().into_bytes();
    if let Some(others) = others {
        value.extend(b", ");
        value.extend(others.as_bytes());
    }
    HeaderValue::try_from(value).expect("both parts are header values")
}

fn check_headers(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let is_reserved = |name: &&HeaderName| {
        // A second Host, or a body, would make two servers read one request in two ways.
        [
            HOST,
            UPGRADE,
            CONNECTION,
            ORIGIN,
            CONTENT_LENGTH,
            TRANSFER_ENCODING,
        ]
        .contains(name)
            || name.as_str().starts_with("sec-websocket-")
    };
    match headers.keys().find(is_reserved) {
        Some(name) => Err(HandshakeError::ReservedHeader { name: name.clone() }),
        None => Ok(()),
    }
}

fn request_headers(
    url: &WsUrl,
    options: &ClientOptions,
    key: &str,
) -> Result<HeaderMap, HandshakeError> {
    let ascii = |text: String| {
        HeaderValue::try_from(text).expect("hosts, base64 and tokens are visible ASCII")
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, ascii(url.host_header()));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_KEY, ascii(key.to_owned()));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if !options.subprotocols.is_empty() {
        let mut subprotocols = ascii(options.subprotocols.join(", "));
        subprotocols.set_sensitive(true);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocols);
    }
    if let Some(extensions) = &options.extensions {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, extensions.clone());
    }
    if let Some(origin) = &options.origin {
        headers.insert(ORIGIN, origin.clone());
    }
    if let Some(credentials) = url.basic_auth()
        && !options.headers.contains_key(AUTHORIZATION)
    {
        headers.insert(AUTHORIZATION, credentials);
    }
    // "When the user agent generates an HTTP request, the user agent MUST NOT attach more than one
    // Cookie header field" (RFC 6265 §5.4).
    let cookies = joined_cookies(&options.headers);
    let others = options.headers.iter().filter(|(name, _)| *name != COOKIE);
    let cookies = cookies.iter().map(|cookies| (&COOKIE, cookies));
    for (name, value) in others.chain(cookies) {
        // Any of them may be a secret: an API key has a name of the server's own.
        let mut value = value.clone();
        value.set_sensitive(true);
        headers
            .try_append(name, value)
            .map_err(|_| HandshakeError::TooManyHeaders)?;
    }
    Ok(headers)
}

/// The `Cookie` lines as one, with what RFC 6265 §4.2.1 puts between two cookies.
fn joined_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let value = HeaderValue::try_from(lines.join(&b"; "[..]));
    (!lines.is_empty()).then(|| value.expect("all parts are header values"))
}

/// The value of a header of the response that may stand once.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, HandshakeError> {
    match single(headers, name) {
        Occurrence::Absent => Ok(None),
        Occurrence::Once(value) => Ok(Some(value)),
        Occurrence::Repeated => Err(HandshakeError::Repeated { name: name.clone() }),
    }
}
