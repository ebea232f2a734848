//! The target `response_head`: a server's answer, read by a client (RFC 6455 §4.1).

use talkback_proto::handshake::{
    ClientHandshake, ClientOptions, HandshakeError, Negotiated, RefusedBody, WsUrl,
};
use talkback_testing::heap;

use crate::head::Plan;

const SUBPROTOCOLS: [&str; 2] = ["chat", "superchat"];
const EXTENSION: &str = "permessage-deflate";

/// Reads an answer in every way.
pub fn check(input: &[u8]) {
    let Some(plan) = Plan::read(input) else {
        return;
    };
    let client = client();
    let connect = |sizes: &[usize]| connect(&client, &plan, sizes);
    let (_, heap) = heap::measure(|| connect(&plan.sizes));
    assert!(heap.peak <= plan.heap_bound(), "{heap:?}");
    match plan.replay(connect) {
        Ok((negotiated, behind)) => {
            assert!(
                plan.wire.ends_with(&behind),
                "bytes behind the head are kept"
            );
            check_negotiated(&negotiated);
        }
        Err(error) => check_error(&error),
    }
}

/// The client of the RFC's example, whose key has the accept value `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`
/// (RFC 6455 §1.3).
fn client() -> ClientHandshake {
    let url = WsUrl::parse("ws://server.example.com/chat").expect("a URL");
    let mut options = ClientOptions::default();
    options.subprotocols = SUBPROTOCOLS.map(str::to_owned).to_vec();
    options.extensions = Some(http::HeaderValue::from_static(
        "permessage-deflate; client_max_window_bits",
    ));
    ClientHandshake::new(&url, options, *b"the sample nonce").expect("options that may be sent")
}

/// What the client makes of the bytes: what was agreed and the bytes behind the head, or an error.
fn connect(
    client: &ClientHandshake,
    plan: &Plan<'_>,
    sizes: &[usize],
) -> Result<(Negotiated, Vec<u8>), HandshakeError> {
    let (reader, behind) = plan.read_head(sizes);
    let behind = behind?;
    let response = reader.response()?;
    if response.status() == 101 {
        return Ok((client.validate(&response)?, behind.concat()));
    }
    let mut body = RefusedBody::new(&response);
    for piece in behind {
        body.handle(piece);
    }
    Err(HandshakeError::refused(&response, body.finish()))
}

/// Nothing is agreed on that was not offered.
fn check_negotiated(negotiated: &Negotiated) {
    if let Some(subprotocol) = &negotiated.subprotocol {
        assert!(SUBPROTOCOLS.contains(&subprotocol.as_str()));
    }
    assert!(negotiated.extensions.len() <= 1);
    assert!(
        negotiated
            .extensions
            .iter()
            .all(|answer| answer.name == EXTENSION)
    );
}

/// Only what a peer can do wrong, and no more of its body than is documented.
fn check_error(error: &HandshakeError) {
    assert!(!error.to_string().is_empty());
    match error {
        HandshakeError::Status(refused) => {
            assert!(refused.status != 101 && refused.body.len() <= 4096);
        }
        HandshakeError::InvalidSubprotocol { .. }
        | HandshakeError::DuplicateSubprotocol { .. }
        | HandshakeError::ReservedHeader { .. }
        | HandshakeError::TooManyHeaders
        | HandshakeError::InvalidExtensions
        | HandshakeError::ChosenSubprotocol { .. }
        | HandshakeError::ChosenExtension { .. } => panic!("{error}: not the peer's mistake"),
        _ => {}
    }
}
