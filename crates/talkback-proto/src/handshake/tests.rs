//! The opening handshake by the lines of its rules: C for the client, S for the server, V for the
//! attacks. Every vector of bytes is replayed cut at every position.

use http::{Request, Response};

use super::{
    ClientHandshake, ClientOptions, HandshakeError, HeadError, HeadLimits, HeadReader, Negotiated,
    Refusal, RefusedBody, ServerHandshake, WsUrl,
};

mod client;
mod client_response;
mod deflate;
mod grammar;
mod hostile;
mod http1;
mod origin;
mod properties;
mod redirect;
mod refused_body;
mod server;
mod told;
mod url;

/// The nonce of the RFC's example, whose key is [`SAMPLE_KEY`] (RFC 6455 §1.3).
const SAMPLE_NONCE: [u8; 16] = *b"the sample nonce";
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The first bytes behind a head: a ping, and the text "Hi" masked.
const FRAMES: &[u8] = b"\x89\x00\x81\x82\x00\x00\x00\x00Hi";

/// Hands `bytes` to `outcome` whole, cut in two at every position, and byte by byte, and gives the
/// outcome, which must always be the same.
#[track_caller]
fn replay<T: PartialEq + std::fmt::Debug>(bytes: &[u8], outcome: impl Fn(&[&[u8]]) -> T) -> T {
    let whole = outcome(&[bytes]);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(outcome(&[head, tail]), whole, "cut at byte {cut}");
    }
    let single_bytes: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(outcome(&single_bytes), whole, "byte by byte");
    whole
}

/// Reads a head from pieces; gives the reader and the bytes behind the head.
fn read_head(pieces: &[&[u8]]) -> Result<(HeadReader, Vec<u8>), HeadError> {
    let mut reader = HeadReader::new(HeadLimits::default());
    let mut rest = Vec::new();
    for piece in pieces {
        let taken = reader.handle(piece)?.unwrap_or(piece.len());
        rest.extend_from_slice(&piece[taken..]);
    }
    Ok((reader, rest))
}

fn parse_request(bytes: &[u8]) -> Result<Request<()>, HeadError> {
    read_head(&[bytes])?.0.request()
}

fn parse_response(bytes: &[u8]) -> Result<Response<()>, HeadError> {
    read_head(&[bytes])?.0.response()
}

/// What a server makes of `bytes`: the handshake and the bytes behind it, or the refusal.
#[track_caller]
fn serve(bytes: &[u8]) -> Result<(ServerHandshake, Vec<u8>), Refusal> {
    replay(bytes, |pieces| {
        let (reader, rest) = read_head(pieces)?;
        Ok((ServerHandshake::read(&reader.request()?)?, rest))
    })
}

/// The status with which a server refuses `bytes`.
#[track_caller]
fn refused_status(bytes: &[u8]) -> u16 {
    match serve(bytes) {
        Ok(accepted) => panic!("not refused: {accepted:?}"),
        Err(refusal) => refusal.status().as_u16(),
    }
}

#[track_caller]
fn served(bytes: &[u8]) -> ServerHandshake {
    match serve(bytes) {
        Ok((handshake, _)) => handshake,
        Err(refusal) => panic!("{refusal}"),
    }
}

/// A handshake that offers two subprotocols and one extension, with the RFC's sample key.
fn sample_client() -> ClientHandshake {
    let options = ClientOptions {
        subprotocols: vec!["chat".to_owned(), "superchat".to_owned()],
        extensions: Some(
            "permessage-deflate; client_max_window_bits"
                .parse()
                .unwrap(),
        ),
        ..ClientOptions::default()
    };
    client_with("ws://server.example.com/chat", options).unwrap()
}

fn client_with(url: &str, options: ClientOptions) -> Result<ClientHandshake, HandshakeError> {
    ClientHandshake::new(&WsUrl::parse(url).unwrap(), options, SAMPLE_NONCE)
}

fn options_with_subprotocols(subprotocols: &[&str]) -> ClientOptions {
    ClientOptions {
        subprotocols: subprotocols.iter().map(ToString::to_string).collect(),
        ..ClientOptions::default()
    }
}

/// What `client` makes of the response in `bytes`: what was agreed and the bytes behind the head,
/// or the error, with the beginning of the body.
#[track_caller]
fn connect(
    client: &ClientHandshake,
    bytes: &[u8],
) -> Result<(Negotiated, Vec<u8>), HandshakeError> {
    replay(bytes, |pieces| {
        let (reader, rest) = read_head(pieces)?;
        let response = reader.response()?;
        if response.status() == 101 {
            return Ok((client.validate(&response)?, rest));
        }
        let mut body = RefusedBody::new(&response);
        body.handle(&rest);
        Err(HandshakeError::refused(&response, body.finish()))
    })
}

#[track_caller]
fn connect_error(bytes: &[u8]) -> HandshakeError {
    connect(&sample_client(), bytes).expect_err("the handshake fails")
}

/// The request of the RFC's example (RFC 6455 §1.2), without the header lines whose name is in
/// `without`, and with the lines `with`.
fn request(without: &[&str], with: &[&str]) -> Vec<u8> {
    const LINES: [&str; 8] = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://server.example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ];
    message("GET /chat HTTP/1.1", &LINES, without, with)
}

/// A right answer to [`sample_client`], without the header lines whose name is in `without`, and
/// with the lines `with`.
fn response(without: &[&str], with: &[&str]) -> Vec<u8> {
    const LINES: [&str; 4] = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
    ];
    message("HTTP/1.1 101 Switching Protocols", &LINES, without, with)
}

fn message(first_line: &str, lines: &[&str], without: &[&str], with: &[&str]) -> Vec<u8> {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let kept = lines
        .iter()
        .filter(|line| !without.contains(&name(line).as_str()));
    let mut text = format!("{first_line}\r\n");
    for line in kept.chain(with) {
        text += line;
        text += "\r\n";
    }
    text += "\r\n";
    text.into_bytes()
}

/// Replaces one part of a message by another, both of which are bytes.
#[track_caller]
fn replace(message: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
    let from = from.as_bytes();
    let start = message
        .windows(from.len())
        .position(|window| window == from)
        .expect("the message has the part");
    [&message[..start], to, &message[start + from.len()..]].concat()
}
