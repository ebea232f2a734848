//! Properties of the parsers over generated input.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{ExtensionOffer, encode_request, encode_response};
use super::*;

/// A head with some of its bytes changed, so that all parts of the parser are reached.
fn almost_a_head() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (changes, vec(any::<u8>(), 0..20), any::<bool>()).prop_map(|(changes, rest, is_request)| {
        let mut bytes = if is_request {
            request(&[], &[])
        } else {
            response(&[], &[])
        };
        bytes.extend(rest);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

proptest! {
    #[test]
    fn heads_are_the_same_however_they_are_cut(bytes in almost_a_head(), size in 1_usize..40) {
        let outcome = |pieces: &[&[u8]]| {
            let (reader, rest) = read_head(pieces)?;
            Ok::<_, HeadError>((format!("{:?} {:?}", reader.request(), reader.response()), rest))
        };
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(outcome(&pieces), outcome(&[&bytes]));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse_request(&bytes);
        let _ = parse_response(&bytes);
    }

    #[test]
    fn what_a_refusal_tells_is_one_short_line_whatever_comes(
        status in 200_u16..600,
        location in "(\\PC{0,20}|https?://\\PC{0,20}|[./?#a-z]{0,20}|/x{0,300})",
        challenge in "[A-Za-z=,\" ]{0,400}",
        again in "\\PC{0,40}",
        kind in "(text/html|text/plain|)",
        body in prop_oneof![
            vec(any::<u8>(), 0..300),
            "\\PC{0,300}".prop_map(String::into_bytes),
            "(<title>|</title>|<|>|\u{202e}|[ \na-z]){0,60}".prop_map(String::into_bytes),
        ],
    ) {
        let response = Response::builder()
            .status(status)
            .header("location", location.as_bytes())
            .header("www-authenticate", challenge.as_bytes())
            .header("sec-websocket-version", challenge.as_bytes())
            .header("upgrade", challenge.as_bytes())
            .header("retry-after", again.as_bytes())
            .header("content-type", kind);
        let url = "wss://me:s3cret@a.example/b/c?s3cret";
        let client = client_with(url, ClientOptions::default()).unwrap();
        let error = client.refused(&response.body(()).unwrap(), body.into());
        let text = error.to_string();
        let is_shown = |letter: char| !letter.is_control() && letter != '\u{202e}';
        prop_assert!(text.chars().all(is_shown), "{text:?}");
        prop_assert!(text.chars().count() < 2_600, "{text:?}");
        prop_assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn arbitrary_urls_never_panic_and_those_accepted_can_be_sent(text in "(ws|wss)://\\PC{0,30}|\\PC{0,30}") {
        if let Ok(url) = WsUrl::parse(&text) {
            prop_assert!(url.request_target().starts_with('/'));
            prop_assert!(url.request_target().bytes().all(|byte| byte.is_ascii_graphic()));
            let client = ClientHandshake::new(&url, ClientOptions::default(), SAMPLE_NONCE).unwrap();
            let request = parse_request(&encode_request(&client.request())).unwrap();
            prop_assert!(ServerHandshake::read(&request).is_ok());
        }
    }

    #[test]
    fn what_is_sent_is_what_is_read(
        subprotocols in proptest::collection::hash_set(token(), 0..5),
        path in "/[a-z0-9/%]{0,20}(\\?[a-z=&]{0,20})?",
        header in "[ -~]{0,20}",
    ) {
        let mut options = ClientOptions {
            subprotocols: subprotocols.into_iter().collect(),
            ..ClientOptions::default()
        };
        options.headers.insert("x-header", header.trim().parse().unwrap());
        let client = client_with(&format!("ws://a{path}"), options).unwrap();
        let sent = client.request();
        let request = parse_request(&encode_request(&sent)).unwrap();
        prop_assert_eq!(request.uri(), sent.uri());
        prop_assert_eq!(request.headers(), sent.headers());
        let handshake = ServerHandshake::read(&request).unwrap();
        let chosen = handshake.subprotocols().last().map(String::as_str);
        let answer = handshake.accept(chosen, None).unwrap();
        let response = parse_response(&encode_response(&answer)).unwrap();
        prop_assert_eq!(response.headers(), answer.headers());
        let negotiated = client.validate(&response).unwrap();
        prop_assert_eq!(negotiated.subprotocol.as_deref(), chosen);
    }

    #[test]
    fn extensions_written_are_extensions_read(
        offers in vec((token(), vec((token(), proptest::option::of(token())), 0..3)), 1..4),
    ) {
        let offers: Vec<ExtensionOffer> = offers
            .into_iter()
            .map(|(name, params)| ExtensionOffer { name, params })
            .collect();
        let texts: Vec<String> = offers.iter().map(ToString::to_string).collect();
        let line = format!("Sec-WebSocket-Extensions: {}", texts.join(", "));
        let bytes = request(&["Sec-WebSocket-Extensions"], &[&line]);
        let handshake = ServerHandshake::read(&parse_request(&bytes).unwrap()).unwrap();
        prop_assert_eq!(handshake.extensions(), offers);
    }
}
