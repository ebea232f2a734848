//! D1 to D12 and D23: how permessage-deflate is agreed on, by the programs and over sockets. (Autobahn
//! looks at what comes behind.)

use talkback::{ConnectError, DeflateOffer, HandshakeError, WindowBits};

use crate::support::echo;
use crate::support::raw_client::{opens, request};
use crate::support::scripted::{fails, passes, response};
use crate::support::server::server;

/// What the server answers by default: it compresses each message alone, and keeps a client's context.
const AGREED: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover";

fn extensions(list: &str) -> String {
    format!("Sec-WebSocket-Extensions: {list}")
}

#[test]
fn d01_d07_d12_server_answers_the_first_offer_that_it_can_keep() {
    let (_server, url) = echo(&[]);
    let narrow = format!("{AGREED}; server_max_window_bits=12");
    for (offer, answer) in [
        ("permessage-deflate", AGREED),
        ("permessage-deflate; client_max_window_bits", AGREED),
        ("permessage-deflate; server_no_context_takeover", AGREED),
        ("permessage-deflate; server_max_window_bits=12", &narrow),
        ("permessage-deflate; server_max_window_bits=\"12\"", &narrow),
        ("permessage-deflate; foo, permessage-deflate", AGREED),
        (
            "permessage-deflate; server_max_window_bits=7, x-unknown, permessage-deflate; \
             server_max_window_bits=12",
            &narrow,
        ),
    ] {
        opens(&url, &request(&[], &[&extensions(offer)]), &[answer]);
    }
}

#[test]
fn d02_to_d06_and_d23_server_declines() {
    let (_server, url) = echo(&[]);
    for params in [
        "foo",
        "foo=1",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=+9",
        "server_max_window_bits=9a",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_max_window_bits",
    ] {
        let offer = extensions(&format!("permessage-deflate; {params}"));
        opens(&url, &request(&[], &[&offer]), &[]);
    }
    for unknown in [
        "x-webkit-deflate-frame",
        "permessage-bzip2; level=9",
        "a, b; c=d",
    ] {
        opens(&url, &request(&[], &[&extensions(unknown)]), &[]);
    }
}

#[test]
fn d08_and_d10_client_fails_on_the_same_faults_in_a_response() {
    for (params, word) in [
        ("foo=1", "foo"),
        (
            "client_no_context_takeover; client_no_context_takeover",
            "client_no_context_takeover",
        ),
        ("server_no_context_takeover=1", "server_no_context_takeover"),
        ("server_max_window_bits", "server_max_window_bits"),
        ("server_max_window_bits=7", "server_max_window_bits"),
        ("server_max_window_bits=16", "server_max_window_bits"),
        ("server_max_window_bits=08", "server_max_window_bits"),
        ("client_max_window_bits=+9", "client_max_window_bits"),
        ("client_max_window_bits=9a", "client_max_window_bits"),
        ("client_max_window_bits", "client_max_window_bits"),
    ] {
        let line = extensions(&format!("permessage-deflate; {params}"));
        fails(&[], &response(&[], &[&line]), &[word]);
    }
    // Also an 8, to which no compressor keeps: it sends messages as they are.
    for params in [
        "",
        "; server_max_window_bits=8",
        "; client_max_window_bits=8",
    ] {
        let line = extensions(&format!("permessage-deflate{params}"));
        passes(&[], &response(&[], &[&line]));
    }
}

/// What becomes of a connect with this offer whose server answers so.
async fn connects(offer: DeflateOffer, answer: &'static str) -> Result<(), ConnectError> {
    let url = server(move |mut stream| async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut head = vec![0; 4096];
        let size = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8(head[..size].to_vec()).unwrap();
        let lines = head.lines();
        let mut keys = lines.filter_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = talkback::accept_key(keys.next().unwrap());
        let right = response(&[], &[&extensions(answer)]).replace("{accept}", &accept);
        stream.write_all(right.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    talkback::connect(url).compression(offer).await.map(drop)
}

#[tokio::test]
async fn d09_and_d11_client_fails_on_what_it_did_not_offer() {
    let no_window = DeflateOffer::default().client_max_window_bits(None);
    let narrow = DeflateOffer::default().server_max_window_bits(WindowBits::new(10));
    for (offer, answer, word) in [
        (
            no_window,
            "permessage-deflate; client_max_window_bits=12",
            "client_max_window_bits",
        ),
        (
            narrow,
            "permessage-deflate; server_max_window_bits=11",
            "server_max_window_bits",
        ),
        (narrow, "permessage-deflate", "server_max_window_bits"),
    ] {
        let error = connects(offer, answer).await.unwrap_err();
        assert!(error.to_string().contains(word), "{answer}: {error}");
        let is_handshake = matches!(&error, ConnectError::Handshake { error, .. }
            if !matches!(error, HandshakeError::Status(_)));
        assert!(is_handshake, "{answer}: {error:?}");
    }
    connects(narrow, "permessage-deflate; server_max_window_bits=10")
        .await
        .unwrap();
}
