//! The target `request_head`: a client's opening handshake, read by a server (RFC 6455 §4.2).

use talkback_proto::handshake::{
    HandshakeError, HeadError, OriginPolicy, Refusal, ServerHandshake, encode_refusal,
    encode_response,
};
use talkback_testing::heap;

use crate::head::{Plan, check_response, check_response_to_head};

/// With what a server refuses a request that it does not like.
const STATUSES: [u16; 5] = [400, 405, 426, 431, 505];

/// Reads a request in every way, answers it, and reads the answer.
pub fn check(input: &[u8]) {
    let Some(plan) = Plan::read(input) else {
        return;
    };
    let serve = |sizes: &[usize]| serve(&plan, sizes);
    let (_, heap) = heap::measure(|| serve(&plan.sizes));
    assert!(heap.peak <= plan.heap_bound(), "{heap:?}");
    match plan.replay(serve) {
        Ok((handshake, behind)) => {
            assert!(
                plan.wire.ends_with(&behind),
                "bytes behind the head are kept"
            );
            answer(&handshake);
        }
        Err(refusal) => {
            assert!(STATUSES.contains(&refusal.status().as_u16()), "{refusal}");
            let status = refusal.status().as_u16();
            match plan.wire.starts_with(b"HEAD ") {
                true => check_response_to_head(&encode_refusal(&refusal), status),
                false => check_response(&encode_refusal(&refusal), status),
            }
        }
    }
}

/// What a server makes of the bytes: a handshake and the bytes behind it, or a refusal.
fn serve(plan: &Plan<'_>, sizes: &[usize]) -> Result<(ServerHandshake, Vec<u8>), Refusal> {
    let (reader, behind) = plan.read_head(sizes);
    let refused = |error| reader.refusal(error);
    let behind = behind.map_err(refused)?;
    if behind.is_empty() {
        assert_eq!(reader.request().err(), Some(HeadError::Incomplete));
    }
    let handshake = ServerHandshake::read(&reader.request().map_err(refused)?)?;
    Ok((handshake, behind.concat()))
}

fn answer(handshake: &ServerHandshake) {
    for policy in [OriginPolicy::SameOrigin, OriginPolicy::Any] {
        if let Err(refusal) = policy.check(handshake) {
            assert!(policy != OriginPolicy::Any && refusal.status() == 403);
            check_response(&encode_refusal(&refusal), 403);
        }
    }
    let chosen = handshake.subprotocols().first().map(String::as_str);
    let response = handshake.accept(chosen, None).expect("it was offered");
    assert_eq!(response.headers().len(), 3 + usize::from(chosen.is_some()));
    check_response(&encode_response(&response), 101);
    let other = handshake.accept(Some("not/a/token"), None);
    assert!(matches!(
        other,
        Err(HandshakeError::ChosenSubprotocol { .. })
    ));
}
