//! D1 to D12 and D23: the negotiation of permessage-deflate (RFC 7692 §5, §7.1).

use super::super::grammar::WORK;
use super::super::{
    DeflateAnswer, DeflateError, DeflateOffer, DeflatePolicy, ExtensionOffer, encode_request,
};
use super::*;
use crate::deflate::parameters::{CompressionLevel, DeflateParameters, WindowBits};
use crate::role::Role;

const HEADER: &str = "Sec-WebSocket-Extensions";

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// A policy that asks for nothing by itself.
fn willing() -> DeflatePolicy {
    DeflatePolicy::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
}

fn handshake_with(extensions: &str) -> ServerHandshake {
    served(&request(&[HEADER], &[&format!("{HEADER}: {extensions}")]))
}

fn answer_by(policy: &DeflatePolicy, extensions: &str) -> Option<DeflateAnswer> {
    policy.answer(&handshake_with(extensions))
}

/// What a willing server answers to the header's value.
fn answered(extensions: &str) -> Option<String> {
    let answer = answer_by(&willing(), extensions)?;
    Some(answer.value.to_str().unwrap().to_owned())
}

#[track_caller]
fn assert_declined(extensions: &str) {
    assert_eq!(answered(extensions), None, "{extensions}");
    // The handshake goes on without compression (§5.1).
    let handshake = handshake_with(extensions);
    let response = handshake.accept(None, None).unwrap();
    assert!(!response.headers().contains_key(HEADER));
}

fn client(offer: DeflateOffer) -> ClientHandshake {
    let options = ClientOptions {
        deflate: Some(offer),
        ..ClientOptions::default()
    };
    client_with("ws://server.example.com/chat", options).unwrap()
}

fn sent_extensions(offer: DeflateOffer) -> String {
    let request = client(offer).request();
    request.headers()[HEADER].to_str().unwrap().to_owned()
}

/// What a client that made `offer` makes of the answer `value`.
#[track_caller]
fn checked(offer: DeflateOffer, value: &str) -> Result<DeflateParameters, HandshakeError> {
    let line = format!("{HEADER}: {value}");
    let bytes = response(&["Sec-WebSocket-Protocol"], &[&line]);
    let (negotiated, _) = connect(&client(offer), &bytes)?;
    Ok(negotiated.deflate.expect("it was answered"))
}

#[track_caller]
fn rejection(offer: DeflateOffer, value: &str) -> DeflateError {
    match checked(offer, value) {
        Err(HandshakeError::Deflate(error)) => error,
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn d01_quoted_value_equals_the_unquoted() {
    for value in ["12", "\"12\"", "\"1\\2\""] {
        let offer = format!("permessage-deflate; server_max_window_bits={value}");
        let expected = "permessage-deflate; server_max_window_bits=12";
        assert_eq!(answered(&offer).as_deref(), Some(expected));
        let parameters = checked(DeflateOffer::default(), &offer).unwrap();
        assert_eq!(parameters.server_max_window_bits, bits(12));
    }
}

#[test]
fn d02_declines_an_unknown_parameter() {
    for param in [
        "foo",
        "foo=1",
        "Server_No_Context_Takeover",
        "server_max_window_bit=12",
    ] {
        assert_declined(&format!("permessage-deflate; {param}"));
        assert_declined(&format!(
            "permessage-deflate; client_max_window_bits; {param}"
        ));
    }
}

#[test]
fn d03_declines_a_parameter_that_stands_twice() {
    for param in [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits=12",
        "client_max_window_bits",
        "client_max_window_bits=12",
    ] {
        assert_declined(&format!("permessage-deflate; {param}; {param}"));
    }
    assert_declined("permessage-deflate; client_max_window_bits; client_max_window_bits=10");
}

#[test]
fn d04_declines_an_invalid_value() {
    for name in ["server_max_window_bits", "client_max_window_bits"] {
        for value in [
            "7", "16", "08", "+9", "9a", "a", "0", "1", "100", "015", "-9", "9.0",
        ] {
            assert_declined(&format!("permessage-deflate; {name}={value}"));
        }
        // An empty value is no token: the whole header is malformed (RFC 6455 §9.1).
        for empty in ["", "\"\""] {
            let line = format!("{HEADER}: permessage-deflate; {name}={empty}");
            assert_eq!(refused_status(&request(&[HEADER], &[&line])), 400);
        }
    }
}

#[test]
fn d05_declines_a_value_on_no_context_takeover() {
    for name in ["server_no_context_takeover", "client_no_context_takeover"] {
        for value in ["1", "true", "15"] {
            assert_declined(&format!("permessage-deflate; {name}={value}"));
        }
    }
}

#[test]
fn d06_declines_server_max_window_bits_without_a_value() {
    assert_declined("permessage-deflate; server_max_window_bits");
}

#[test]
fn d06_declines_a_server_window_of_8_bits_and_accepts_the_hint_of_a_client() {
    // No compressor here keeps to 256 bytes; what a client's compressor does is its own affair.
    assert_declined("permessage-deflate; server_max_window_bits=8");
    let hint = "permessage-deflate; client_max_window_bits=8";
    assert_eq!(answered(hint).as_deref(), Some("permessage-deflate"));
}

#[test]
fn d07_a_declined_offer_leads_to_the_next_one() {
    for declined in [
        "permessage-deflate; foo",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits",
        "x-webkit-deflate-frame",
    ] {
        let offers = format!("{declined}, permessage-deflate; server_max_window_bits=10");
        let expected = "permessage-deflate; server_max_window_bits=10";
        assert_eq!(answered(&offers).as_deref(), Some(expected));
    }
    // The first that can be accepted is (§5.1).
    let offers = "permessage-deflate; server_no_context_takeover, permessage-deflate";
    let expected = "permessage-deflate; server_no_context_takeover";
    assert_eq!(answered(offers).as_deref(), Some(expected));
}

#[test]
fn d08_client_rejects_the_same_faults_in_a_response() {
    let offer = DeflateOffer::default;
    let unknown = rejection(offer(), "permessage-deflate; foo=1");
    assert!(matches!(unknown, DeflateError::UnknownParameter { name } if name == "foo"));
    for param in ["server_no_context_takeover", "client_max_window_bits=12"] {
        let error = rejection(offer(), &format!("permessage-deflate; {param}; {param}"));
        assert!(matches!(error, DeflateError::RepeatedParameter { .. }));
    }
    for param in [
        "server_no_context_takeover=1",
        "client_no_context_takeover=x",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=08",
        "server_max_window_bits=16",
        "client_max_window_bits=+9",
        "client_max_window_bits=9a",
    ] {
        let error = rejection(offer(), &format!("permessage-deflate; {param}"));
        assert!(matches!(error, DeflateError::Value { .. }), "{param}");
    }
}

#[test]
fn d08_client_that_is_to_keep_to_8_bits_compresses_nothing() {
    let value = "permessage-deflate; client_max_window_bits=8";
    let agreed = checked(DeflateOffer::default(), value).unwrap();
    assert_eq!(agreed.client_max_window_bits, WindowBits::MIN);
    assert_eq!(agreed.tuning.threshold, Some(usize::MAX));
    assert_eq!(
        agreed.tuning.level,
        Some(CompressionLevel::MIN),
        "it only stores"
    );
    let value = "permessage-deflate; server_max_window_bits=8";
    assert!(checked(DeflateOffer::default(), value).is_ok());
}

#[test]
fn d09_client_rejects_client_max_window_bits_that_was_not_offered() {
    let offer = DeflateOffer::default().client_max_window_bits(None);
    assert_eq!(sent_extensions(offer), "permessage-deflate");
    for value in ["client_max_window_bits=12", "client_max_window_bits"] {
        let error = rejection(offer, &format!("permessage-deflate; {value}"));
        assert_eq!(error, DeflateError::ClientWindowNotOffered);
    }
    // Nor does a server answer it then.
    let policy = willing().client_max_window_bits(bits(10));
    let answer = answer_by(&policy, "permessage-deflate").unwrap();
    assert_eq!(answer.value, "permessage-deflate");
}

#[test]
fn d10_client_rejects_client_max_window_bits_without_a_value() {
    let value = "permessage-deflate; client_max_window_bits";
    let error = rejection(DeflateOffer::default(), value);
    let name = "client_max_window_bits";
    assert_eq!(error, DeflateError::Value { name });
}

#[test]
fn d11_client_rejects_a_server_window_over_the_offer_or_none() {
    let offer = DeflateOffer::default().server_max_window_bits(Some(bits(10)));
    for params in [
        "",
        "; server_max_window_bits=11",
        "; server_max_window_bits=15",
    ] {
        let error = rejection(offer, &format!("permessage-deflate{params}"));
        assert_eq!(error, DeflateError::ServerWindow, "{params}");
    }
    for most in 8..=10 {
        let value = format!("permessage-deflate; server_max_window_bits={most}");
        let parameters = checked(offer, &value).unwrap();
        assert_eq!(parameters.server_max_window_bits, bits(most.max(9)));
    }
}

#[test]
fn d12_an_accepted_server_no_context_takeover_is_in_the_response() {
    let offer = "permessage-deflate; server_no_context_takeover";
    assert_eq!(answered(offer).as_deref(), Some(offer));
    let offer = DeflateOffer::default().server_no_context_takeover(true);
    let error = rejection(offer, "permessage-deflate");
    assert_eq!(error, DeflateError::ServerContextTakeover);
    let value = "permessage-deflate; server_no_context_takeover";
    assert!(checked(offer, value).unwrap().server_no_context_takeover);
}

#[test]
fn d13_windows_are_negotiated_to_the_smaller() {
    let policy = willing()
        .server_max_window_bits(bits(11))
        .client_max_window_bits(bits(11));
    for (params, expected) in [
        ("", "; server_max_window_bits=11"),
        ("; server_max_window_bits=9", "; server_max_window_bits=9"),
        ("; server_max_window_bits=15", "; server_max_window_bits=11"),
        (
            "; client_max_window_bits",
            "; server_max_window_bits=11; client_max_window_bits=11",
        ),
        (
            "; client_max_window_bits=15",
            "; server_max_window_bits=11; client_max_window_bits=11",
        ),
        ("; client_max_window_bits=10", "; server_max_window_bits=11"),
    ] {
        let answer = answer_by(&policy, &format!("permessage-deflate{params}")).unwrap();
        assert_eq!(
            answer.value,
            format!("permessage-deflate{expected}"),
            "{params}"
        );
    }
    // A window that was asked for is answered even if it is the largest (§7.1.2.1).
    let largest = "permessage-deflate; server_max_window_bits=15";
    assert_eq!(answered(largest).as_deref(), Some(largest));
}

#[test]
fn d13_client_keeps_to_the_smaller_of_its_hint_and_the_answer() {
    let offer = DeflateOffer::default().client_max_window_bits(Some(bits(12)));
    let sent = "permessage-deflate; client_max_window_bits=12";
    assert_eq!(sent_extensions(offer), sent);
    for (params, expected) in [
        ("", 12),
        ("; client_max_window_bits=10", 10),
        ("; client_max_window_bits=15", 12),
    ] {
        let parameters = checked(offer, &format!("permessage-deflate{params}")).unwrap();
        assert_eq!(parameters.client_max_window_bits, bits(expected));
    }
}

#[test]
fn d14_client_no_context_takeover_binds_whoever_says_it() {
    let value = "permessage-deflate; client_no_context_takeover";
    let parameters = checked(DeflateOffer::default(), value).unwrap();
    assert!(parameters.client_no_context_takeover);
    let offer = DeflateOffer::default().client_no_context_takeover(true);
    let parameters = checked(offer, "permessage-deflate").unwrap();
    assert!(parameters.client_no_context_takeover);
}

#[test]
fn l29_a_server_that_keeps_the_clients_context_asks_for_nothing_else() {
    let policy = DeflatePolicy::default().client_no_context_takeover(false);
    let answer = answer_by(&policy, "permessage-deflate; client_max_window_bits").unwrap();
    assert_eq!(
        answer.value,
        "permessage-deflate; server_no_context_takeover"
    );
    assert!(answer.parameters.has_context_takeover(Role::Client));
}

#[test]
fn a_client_without_context_is_told_so_though_the_server_keeps_one() {
    // What Go's gorilla/websocket and NATS offer, and insist on in the answer.
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for policy in [DeflatePolicy::default(), willing()] {
        let answer = answer_by(&policy.client_no_context_takeover(false), both).unwrap();
        assert_eq!(answer.value, both);
        assert!(answer.parameters.has_context_takeover(Role::Client));
    }
    let alone = "permessage-deflate; client_no_context_takeover";
    assert_eq!(answered(alone).as_deref(), Some(alone));
}

#[test]
fn default_client_lets_the_server_choose_and_default_server_keeps_no_context() {
    let sent = sent_extensions(DeflateOffer::default());
    assert_eq!(sent, "permessage-deflate; client_max_window_bits");
    let answer = answer_by(&DeflatePolicy::default(), &sent).unwrap();
    let value = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(answer.value, value);
    let parameters = checked(DeflateOffer::default(), value).unwrap();
    assert_eq!(parameters, answer.parameters);
    let options = ClientOptions::default();
    let request = client_with("ws://a", options).unwrap().request();
    assert!(!request.headers().contains_key(HEADER));
}

/// All offers and policies with windows of 9, 12 and 15 bits.
fn every_pair() -> impl Iterator<Item = (DeflateOffer, DeflatePolicy)> {
    let windows = [None, Some(bits(9)), Some(bits(12)), Some(bits(15))];
    let choices = move || {
        (0..4u8).flat_map(move |alone| {
            let pairs = move |server| windows.map(|client| (alone, server, client));
            windows.into_iter().flat_map(pairs)
        })
    };
    let offers = choices().map(|(alone, server, client)| {
        DeflateOffer::default()
            .server_no_context_takeover(alone & 1 != 0)
            .client_no_context_takeover(alone & 2 != 0)
            .server_max_window_bits(server)
            .client_max_window_bits(client)
    });
    offers.flat_map(move |offer| {
        choices().map(move |(alone, server, client)| {
            let policy = DeflatePolicy::default()
                .server_no_context_takeover(alone & 1 != 0)
                .client_no_context_takeover(alone & 2 != 0)
                .server_max_window_bits(server.unwrap_or(WindowBits::MAX))
                .client_max_window_bits(client.unwrap_or(WindowBits::MAX));
            (offer, policy)
        })
    })
}

#[test]
fn client_and_server_always_agree() {
    let mut count = 0;
    for (offer, policy) in every_pair() {
        let client = client(offer);
        let handshake = ServerHandshake::read(&client.request()).unwrap();
        let answer = policy
            .answer(&handshake)
            .expect("our own offers can be accepted");
        let response = handshake.accept(None, Some(answer.value)).unwrap();
        let negotiated = client.validate(&response).unwrap();
        let mut parameters = answer.parameters;
        // A client keeps to its own hint, even if the server keeps a context in vain.
        parameters.client_no_context_takeover |= offer.write().contains("; client_no_");
        assert_eq!(negotiated.deflate, Some(parameters), "{offer:?} {policy:?}");
        count += 1;
    }
    assert_eq!(count, 4096);
}

#[test]
fn d23_unknown_extensions_are_declined() {
    for extensions in [
        "foo",
        "permessage-bzip2",
        "permessage-deflate2",
        "Permessage-Deflate",
    ] {
        assert_declined(extensions);
    }
    let among = "foo; bar, permessage-deflate, permessage-mux";
    assert_eq!(answered(among).as_deref(), Some("permessage-deflate"));
}

#[test]
fn s18_s19_offers_over_several_lines_and_the_answer_among_them() {
    let lines = [
        "Sec-WebSocket-Extensions: permessage-deflate; foo",
        "Sec-WebSocket-Extensions: bar, permessage-deflate; server_max_window_bits=9",
    ];
    let handshake = served(&request(&[HEADER], &lines));
    let answer = willing().answer(&handshake).unwrap();
    assert_eq!(answer.value, "permessage-deflate; server_max_window_bits=9");
    assert!(handshake.accept(None, Some(answer.value)).is_ok());
}

#[test]
fn c22_c23_an_answer_that_was_not_offered_or_is_malformed_fails() {
    for value in ["foo", "permessage-deflate, permessage-deflate"] {
        let error = checked(DeflateOffer::default(), value).unwrap_err();
        assert!(matches!(error, HandshakeError::ExtensionNotOffered { .. }));
    }
    let error = checked(DeflateOffer::default(), "permessage-deflate; a=").unwrap_err();
    assert!(matches!(error, HandshakeError::Malformed { .. }));
    let bytes = response(&["Sec-WebSocket-Protocol"], &[]);
    let (negotiated, _) = connect(&client(DeflateOffer::default()), &bytes).unwrap();
    assert_eq!(negotiated.deflate, None, "the server declined");
}

#[test]
fn c15_compression_is_offered_beside_other_extensions_but_once() {
    let options = |extensions: &'static str| ClientOptions {
        deflate: Some(DeflateOffer::default()),
        extensions: Some(extensions.parse().unwrap()),
        ..ClientOptions::default()
    };
    let request = client_with("ws://a", options("foo; bar"))
        .unwrap()
        .request();
    let text = String::from_utf8(encode_request(&request)).unwrap();
    let line =
        "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, foo; bar\r\n";
    assert!(text.contains(line), "{text}");
    for extensions in [
        "",
        "permessage-deflate",
        "foo, permessage-deflate; client_max_window_bits",
    ] {
        let error = client_with("ws://a", options(extensions)).unwrap_err();
        assert_eq!(error, HandshakeError::InvalidExtensions);
    }
}

#[test]
fn v3_negotiation_takes_linear_time() {
    let repeated = |count: usize| vec![("server_no_context_takeover".to_owned(), None); count];
    let deflate = |params| ExtensionOffer {
        name: "permessage-deflate".to_owned(),
        params,
    };
    let many_params = |size: usize| vec![deflate(repeated(size / 28))];
    let many_offers = |size: usize| {
        let unknown = vec![("client_max_window_bits".to_owned(), Some("7".to_owned()))];
        vec![deflate(unknown); size / 46]
    };
    let inputs: [&dyn Fn(usize) -> Vec<ExtensionOffer>; 2] = [&many_params, &many_offers];
    for input in inputs {
        let measure = |size| {
            let offers: Vec<String> = input(size).iter().map(ToString::to_string).collect();
            let text = offers.join(", ");
            let mut headers = Request::new(());
            *headers.headers_mut() = parse_request(&request(&[HEADER], &[]))
                .unwrap()
                .headers()
                .clone();
            headers.headers_mut().insert(HEADER, text.parse().unwrap());
            let handshake = ServerHandshake::read(&headers).unwrap();
            WORK.set(0);
            assert_eq!(DeflatePolicy::default().answer(&handshake), None);
            WORK.get()
        };
        let (small, large) = (measure(50_000), measure(100_000));
        assert!(
            large > 0 && large <= 2 * small + 64 && large <= 100_000,
            "{small}, then {large}"
        );
    }
}
