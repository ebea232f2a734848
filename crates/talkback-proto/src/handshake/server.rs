//! The server's side of the opening handshake (RFC 6455 §4.2).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};

use super::accept_key::accept_key;
use super::asker::Asker;
use super::error::HandshakeError;
use super::grammar::{
    ExtensionOffer, Malformed, Occurrence, extension_list, protocol_list, single, token_list,
};
use super::proxy_settings::{HTTP_1_1, UPGRADE_PASSED};
use super::refusal::Refusal;

/// How a key is decoded: as RFC 4648 has it, but the bits that no byte uses may be anything, since
/// clients exist that draw the 22 characters at random.
const KEY_DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// One opening handshake of a server: a request that was found right, waiting for its answer.
///
/// The server checks the origin with an [`OriginPolicy`](super::OriginPolicy), chooses a
/// subprotocol, and sends the response of [`accept`](ServerHandshake::accept), or that of a
/// [`Refusal`].
///
/// ```
/// use talkback_proto::handshake::{OriginPolicy, ServerHandshake};
///
/// let request = http::Request::get("/chat")
///     .header("Host", "echo.example")
///     .header("Upgrade", "websocket")
///     .header("Connection", "Upgrade")
///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .header("Sec-WebSocket-Version", "13")
///     .body(())?;
/// let handshake = ServerHandshake::read(&request)?;
/// OriginPolicy::SameOrigin.check(&handshake)?;
/// let response = handshake.accept(None, None)?;
/// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServerHandshake {
    asker: Asker,
    key: String,
    subprotocols: Vec<String>,
    extensions: Vec<ExtensionOffer>,
}

impl ServerHandshake {
    /// Checks a client's request (RFC 6455 §4.2.1).
    ///
    /// The body's type does not matter: an opening handshake has no body.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to send: 400, 405, 426 or 505.
    pub fn read<T>(request: &Request<T>) -> Result<ServerHandshake, Refusal> {
        if request.version() != Version::HTTP_11 {
            return Err(refuse_version(request.version(), request.headers()).to(request.method()));
        }
        if request.method() != Method::GET {
            return Err(Refusal::method_not_allowed().to(request.method()));
        }
        let headers = request.headers();
        check_body(headers)?;
        let asker = Asker::read(request.uri(), headers)?;
        check_upgrade(headers)?;
        check_version(headers)?;
        Ok(ServerHandshake {
            asker,
            key: read_key(headers)?,
            subprotocols: read_subprotocols(headers)?,
            extensions: read_extensions(headers)?,
        })
    }

    /// The subprotocols that the client offers, the preferred one first: unique tokens.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions that the client offers, the preferred one first.
    #[must_use]
    pub fn extensions(&self) -> &[ExtensionOffer] {
        &self.extensions
    }

    /// The `Origin` header: the web page that connects.
    ///
    /// `None` also stands for headers that cannot be used, several of them or with bytes beyond
    /// ASCII: to decide on the origin, use an [`OriginPolicy`](super::OriginPolicy).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.asker.origin()
    }

    /// Makes the 101 (RFC 6455 §4.2.2, item 5).
    ///
    /// `subprotocol` is one of [`subprotocols`](ServerHandshake::subprotocols), or none.
    /// `extensions` is the whole `Sec-WebSocket-Extensions` header of the answer.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the subprotocol or an extension is not one that the client offered,
    /// or the list of extensions is malformed.
    pub fn accept(
        &self,
        subprotocol: Option<&str>,
        extensions: Option<HeaderValue>,
    ) -> Result<Response<()>, HandshakeError> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let accept = HeaderValue::try_from(accept_key(&self.key));
        headers.insert(
            SEC_WEBSOCKET_ACCEPT,
            accept.expect("base64 is visible ASCII"),
        );
        if let Some(subprotocol) = subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, self.offered(subprotocol)?);
        }
        if let Some(extensions) = extensions {
            self.check_answer(&extensions)?;
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, extensions);
        }
        Ok(response)
    }

    /// Who asks.
    pub(super) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The header for a subprotocol if the client offered it.
    fn offered(&self, subprotocol: &str) -> Result<HeaderValue, HandshakeError> {
        self.subprotocols
            .iter()
            .find(|offered| *offered == subprotocol)
            .and_then(|offered| HeaderValue::from_str(offered).ok())
            .ok_or_else(|| HandshakeError::ChosenSubprotocol {
                subprotocol: subprotocol.to_owned(),
            })
    }

    /// RFC 6455 §9.1: a server "MUST NOT include any extensions" that were not requested.
    fn check_answer(&self, extensions: &HeaderValue) -> Result<(), HandshakeError> {
        let answers =
            extension_list([extensions]).map_err(|_| HandshakeError::InvalidExtensions)?;
        let mut offered: HashSet<&str> = self
            .extensions
            .iter()
            .map(|offer| offer.name.as_str())
            .collect();
        for answer in answers {
            if !offered.remove(answer.name.as_str()) {
                let extension = answer.name;
                return Err(HandshakeError::ChosenExtension { extension });
            }
        }
        Ok(())
    }
}

/// Shows no subprotocol: it may be a token.
impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake")
            .field("asker", &self.asker)
            .field("subprotocols", &self.subprotocols.len())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// A body would be read as frames, or frames as the body, by whoever counts differently.
fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let has_body = match single(headers, &CONTENT_LENGTH) {
        Occurrence::Absent => false,
        // Some clients state that there is none.
        Occurrence::Once(size) => size != b"0",
        Occurrence::Repeated => true,
    };
    if has_body || headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::bad_request(
            "an opening handshake has no body: send no Content-Length and no Transfer-Encoding",
        ));
    }
    Ok(())
}

/// RFC 6455 §4.2.1, items 3 and 4.
fn check_upgrade(headers: &HeaderMap) -> Result<(), Refusal> {
    let asks_for_websocket = protocol_list(headers).is_ok_and(|names| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case("websocket"))
    });
    if !asks_for_websocket {
        return Err(Refusal::upgrade_required(match is_stripped(headers) {
            true => format!("{STRIPPED} ({UPGRADE_PASSED})").into(),
            false => Cow::from(NO_UPGRADE),
        }));
    }
    match token_list(headers, &CONNECTION) {
        Ok(names)
            if names
                .iter()
                .any(|name| name.eq_ignore_ascii_case("upgrade")) =>
        {
            Ok(())
        }
        _ => Err(Refusal::bad_request(format!(
            "the header Connection: Upgrade is missing or malformed: have a proxy before this server pass it on ({UPGRADE_PASSED})"
        ))),
    }
}

const NO_UPGRADE: &str = "this is a WebSocket server: connect with a WebSocket client (the header Upgrade: websocket is missing or malformed)";

const STRIPPED: &str = "a proxy before this server took the header Upgrade away, which a request for a WebSocket has: have it pass Upgrade and Connection on";

/// Whether this was a request for a WebSocket, of which a proxy kept what does not end at each hop.
fn is_stripped(headers: &HeaderMap) -> bool {
    let is_asking =
        headers.contains_key(SEC_WEBSOCKET_KEY) || headers.contains_key(SEC_WEBSOCKET_VERSION);
    is_asking && !headers.contains_key(UPGRADE)
}

/// A proxy that speaks HTTP/1.0 to this server has most often taken away the headers of the upgrade, too.
fn refuse_version(version: Version, headers: &HeaderMap) -> Refusal {
    let what = match version {
        Version::HTTP_10 if is_stripped(headers) => format!(
            "a proxy before this server passed the request on as HTTP/1.0 and took the header Upgrade away: have it speak HTTP/1.1 ({HTTP_1_1}) and pass Upgrade and Connection on ({UPGRADE_PASSED})"
        ),
        Version::HTTP_10 => format!(
            "this request came as HTTP/1.0: have a proxy before this server speak HTTP/1.1 ({HTTP_1_1})"
        ),
        version => format!(
            "this request came as {version:?}: have the client, or a proxy before this server, use HTTP/1.1"
        ),
    };
    Refusal::version_not_supported(what)
}

/// RFC 6455 §4.2.1, item 6, and §4.4.
fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    match single(headers, &SEC_WEBSOCKET_VERSION) {
        Occurrence::Once(b"13") => Ok(()),
        Occurrence::Once(_) => Err(Refusal::upgrade_required(
            "this server speaks version 13 of the WebSocket protocol: send Sec-WebSocket-Version: 13",
        )),
        Occurrence::Absent | Occurrence::Repeated => Err(Refusal::bad_request(
            "the request does not have exactly one Sec-WebSocket-Version header: send 13",
        )),
    }
}

/// RFC 6455 §4.2.1, item 5: "a base64-encoded value that, when decoded, is 16 bytes in length".
fn read_key(headers: &HeaderMap) -> Result<String, Refusal> {
    let Occurrence::Once(key) = single(headers, &SEC_WEBSOCKET_KEY) else {
        return Err(Refusal::bad_request(
            "the request does not have exactly one Sec-WebSocket-Key header: send one",
        ));
    };
    let key = std::str::from_utf8(key)
        .ok()
        .filter(|key| KEY_DECODER.decode_slice(key, &mut [0; 18]) == Ok(16));
    match key {
        Some(key) => Ok(key.to_owned()),
        None => Err(Refusal::bad_request(
            "the Sec-WebSocket-Key is not the base64 of 16 bytes: send that of 16 that are drawn at random",
        )),
    }
}

/// RFC 6455 §4.1, item 10, and §11.3.4.
fn read_subprotocols(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(Vec::new());
    }
    let malformed = |Malformed| {
        Refusal::bad_request(
            "the Sec-WebSocket-Protocol header is not a list of unique tokens: divide names by commas, and leave the header out where there are none",
        )
    };
    let subprotocols = token_list(headers, &SEC_WEBSOCKET_PROTOCOL).map_err(malformed)?;
    let mut seen = HashSet::new();
    if !subprotocols
        .iter()
        .all(|subprotocol| seen.insert(*subprotocol))
    {
        return Err(malformed(Malformed));
    }
    Ok(subprotocols.into_iter().map(str::to_owned).collect())
}

/// RFC 6455 §9.1 and §11.3.2.
fn read_extensions(headers: &HeaderMap) -> Result<Vec<ExtensionOffer>, Refusal> {
    if !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Ok(Vec::new());
    }
    extension_list(headers.get_all(SEC_WEBSOCKET_EXTENSIONS)).map_err(|Malformed| {
        Refusal::bad_request("the Sec-WebSocket-Extensions header is malformed: send `name; parameter=value` with commas between, and leave the header out where there are none")
    })
}
