//! C1 to C16: what `talkback connect` sends, and what it refuses to send. C4 to C6 have a file of
//! their own; C17 comes with proxies.

use std::collections::HashSet;
use std::net::{Shutdown, TcpListener};
use std::thread;

use crate::support::scripted::{
    INPUT, OFFER, Played, accept, assert_nobody_came, fails, passes, play, play_at, response,
};
use crate::support::wire::{End, Frame, TEXT, read_head, read_to_end, write};
use crate::support::{Running, connect, echo, scripted, wire};

/// A listener, and the address that it got.
fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// What a client with these arguments asked for.
fn asked(arguments: &[&str]) -> Played {
    let played = play(arguments, &response(&[], &[]));
    assert_eq!(played.finished.code, Some(0), "{played:?}");
    played
}

/// What a client asked for at this path, which is put behind the server's URL.
fn asked_at(path: &str) -> Played {
    let (listener, address) = listen();
    play_at(&listener, &format!("ws://{address}{path}"), &[], answer)
}

fn answer(accept: &str) -> scripted::ScriptedResponse {
    let head = response(&[], &[]).replace("{accept}", accept);
    scripted::ScriptedResponse::whole([head.as_bytes(), &scripted::frames()].concat())
}

/// Holds a command that never gets as far as a connection against its exit code and one line.
#[track_caller]
fn refused(listener: &TcpListener, arguments: &[&str], code: i32, word: &str) {
    let finished = connect(arguments, INPUT);
    assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
    assert_eq!(finished.stdout, "");
    let stderr = &finished.stderr;
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    assert!(stderr.contains(word), "{word}: {arguments:?}: {stderr}");
    assert_nobody_came(listener);
}

#[test]
fn c01_rejects_urls_that_are_none() {
    let (listener, address) = listen();
    let port = address.rsplit(':').next().unwrap();
    for (url, word) in [
        (format!("ws://{address}/#top"), "fragment"),
        (format!("ws://{address}#"), "fragment"),
        (format!("ws://{address}/?a#b"), "fragment"),
        (format!("ws://:{port}/"), "host"),
        (format!("ws:///{address}"), "host"),
        (format!("ws://a..b:{port}/"), "host"),
        (format!("ws://127.1:{port}/"), "host"),
        (format!("ws://[127.0.0.1]:{port}/"), "host"),
        (format!("ws://[::1:{port}/"), "host"),
        ("ws://127.0.0.1:0/".to_owned(), "port"),
        ("ws://127.0.0.1:65536/".to_owned(), "port"),
        ("ws://127.0.0.1:-1/".to_owned(), "port"),
        (format!("ws://127.0.0.1:{port}x/"), "port"),
        (format!("http://{address}/"), "ws://"),
        (format!("https://{address}/"), "wss://"),
        (format!("ftp://{address}/"), "ws://"),
        (format!("server.example:{port}"), "ws://"),
        (format!("ws://{address}/a b"), "space"),
        (format!("ws://{address}/\r\nX: y"), "control character"),
    ] {
        refused(&listener, &[&url], 3, word);
    }
    asked_at("/%23top");
}

/// RFC 6455 §4.1 wants at most one connection in CONNECTING for an address. This client has such a
/// queue for those who ask for it (`Connect::in_turn`), a documented deviation: one stalled server
/// must not hold up a program.
#[test]
fn c02_deviates_a_second_connection_does_not_wait_for_the_first() {
    let (listener, address) = listen();
    let url = format!("ws://{address}/");
    let stalled = Running::start(&["connect", &url]);
    let first = accept(&listener);
    let second = play_at(&listener, &url, &[], answer);
    scripted::assert_passed(&second, "the second");
    drop((stalled, first));
}

#[test]
fn c03_a_failure_of_tcp_fails_the_connect_without_a_second_try() {
    let (listener, address) = listen();
    drop(listener);
    let (other, _) = listen();
    let url = format!("ws://{address}/");
    refused(&other, &[&url], 4, "refused");

    // Taken, and reset or ended before the answer: `play_at` holds that nobody comes again.
    for end in [End::Fin, End::Reset] {
        let lost = scripted::play_with(&[], |_| scripted::ScriptedResponse {
            end,
            ..scripted::ScriptedResponse::whole(Vec::new())
        });
        scripted::assert_failed(&lost, "ended", &["lost during the opening handshake"]);
    }
}

#[test]
fn c07_the_request_is_a_get_of_http_1_1_byte_for_byte() {
    let played = asked(&[]);
    let [key] = played.header("Sec-WebSocket-Key")[..] else {
        panic!("{played:?}");
    };
    let host = played.url.trim_start_matches("ws://").trim_end_matches('/');
    let expected = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{OFFER}User-Agent: talkback/{}\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(played.request, expected);
}

#[test]
fn c08_the_target_is_path_and_query() {
    for (path, target) in [
        ("", "/"),
        ("/", "/"),
        ("?a=b", "/?a=b"),
        ("/chat", "/chat"),
        ("/chat/?a=b&c=%20", "/chat/?a=b&c=%20"),
        ("//a/../b", "//a/../b"),
        ("/가", "/%EA%B0%80"),
        ("/?", "/?"),
    ] {
        let played = asked_at(path);
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(played.request.starts_with(&line), "{path}: {played:?}");
    }
}

#[test]
fn c09_host_has_the_port_and_brackets() {
    let mut count = 0;
    // Port 80 and IPv6 where the machine gives them to a test.
    for (bind, url, host) in [
        ("127.0.0.1:0", "ws://127.0.0.1:{port}/", "127.0.0.1:{port}"),
        ("127.0.0.1:0", "ws://LocalHost:{port}/", "localhost:{port}"),
        ("[::1]:0", "ws://[0:0::1]:{port}/", "[::1]:{port}"),
        ("127.0.0.80:80", "ws://127.0.0.80/", "127.0.0.80"),
        ("127.0.0.80:80", "ws://127.0.0.80:80/", "127.0.0.80"),
    ] {
        let Ok(listener) = TcpListener::bind(bind) else {
            continue;
        };
        let port = listener.local_addr().unwrap().port().to_string();
        let url = url.replace("{port}", &port);
        let played = play_at(&listener, &url, &[], answer);
        assert_eq!(played.header("Host"), [host.replace("{port}", &port)]);
        count += 1;
    }
    assert!(count >= 2);
}

#[test]
fn c10_upgrade_and_connection_have_their_tokens() {
    let played = asked(&[]);
    assert_eq!(played.header("Upgrade"), ["websocket"]);
    assert_eq!(played.header("Connection"), ["Upgrade"]);
}

#[test]
fn c11_the_key_is_16_bytes_in_base64_and_fresh() {
    let mut seen = HashSet::new();
    for _ in 0..10 {
        let played = asked(&[]);
        let [key] = played.header("Sec-WebSocket-Key")[..] else {
            panic!("{played:?}");
        };
        // 16 bytes are 21 characters, one of which 4 bits are used, and two of padding.
        let (digits, padding) = key.split_at(22);
        assert_eq!(padding, "==");
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        assert!(digits.bytes().all(is_digit), "{key}");
        assert!("AQgw".contains(&digits[21..]), "{key}: bits of no byte");
        assert!(seen.insert(key.to_owned()), "{key} twice");
    }
}

#[test]
fn c12_the_origin_can_be_set() {
    let origin = "http://page.example:8080";
    assert_eq!(asked(&["--origin", origin]).header("Origin"), [origin]);
    assert_eq!(asked(&[]).header("Origin"), [""; 0]);
}

#[test]
fn c13_the_version_is_13_once() {
    assert_eq!(asked(&[]).header("Sec-WebSocket-Version"), ["13"]);
}

#[test]
fn c14_subprotocols_are_unique_tokens_or_nothing_is_written() {
    let (listener, address) = listen();
    let url = format!("ws://{address}/");
    for (names, word) in [
        (&["a b"][..], "token"),
        (&[""], "token"),
        (&["a,b"], "token"),
        (&["a\r\nX: y"], "token"),
        (&["가"], "token"),
        (&["chat", "chat"], "twice"),
    ] {
        let options = names.iter().flat_map(|name| ["--subprotocol", name]);
        let arguments: Vec<&str> = [&*url].into_iter().chain(options).collect();
        refused(&listener, &arguments, 2, word);
    }
    let offer = ["--subprotocol", "chat", "--subprotocol", "Chat"];
    let played = play(&offer, &response(&[], &["Sec-WebSocket-Protocol: Chat"]));
    scripted::assert_passed(&played, "Chat");
    assert_eq!(played.header("Sec-WebSocket-Protocol"), ["chat, Chat"]);
}

#[test]
fn c15_the_extensions_offered_obey_their_grammar() {
    let is_token = |text: &str| {
        let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !text.is_empty() && text.bytes().all(is_tchar)
    };
    let played = asked(&[]);
    let offered = played.header("Sec-WebSocket-Extensions");
    assert!(offered.len() <= 1, "{offered:?}");
    for extension in offered.iter().flat_map(|line| line.split(", ")) {
        for part in extension.split("; ") {
            let mut sides = part.splitn(2, '=');
            assert!(sides.all(is_token), "{part:?} in {offered:?}");
        }
    }
}

#[test]
fn c16_no_frame_leaves_before_the_response_is_whole() {
    let (listener, address) = listen();
    let mut client = Running::start(&["connect", &format!("ws://{address}/")]);
    client.type_in(INPUT);
    let mut stream = accept(&listener);
    let request = String::from_utf8(read_head(&mut stream)).unwrap();
    let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap();
    let key = key.lines().next().unwrap();
    let head = response(&[], &[]).replace("{accept}", &talkback::accept_key(key));
    let (most, last) = head.split_at(head.len() - 1);
    write(&mut stream, most.as_bytes());
    // A client that sends too early has most of this time for it.
    stream.set_nonblocking(true).unwrap();
    for _ in 0..10 {
        thread::sleep(std::time::Duration::from_millis(10));
        let early = stream.peek(&mut [0]).unwrap_err();
        assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    }
    wire::prepare(&stream);
    write(&mut stream, last.as_bytes());
    let frame = Frame::read(&mut stream).unwrap();
    assert_eq!(frame.content(), (TEXT, &b"early"[..]));
    stream.shutdown(Shutdown::Write).unwrap();
    read_to_end(&mut stream);
    assert_eq!(client.finish().code, Some(8));

    // And none at all if the response is refused, which every test of that holds too.
    fails(&[], &response(&["Upgrade"], &[]), &["Upgrade"]);
    passes(&[], &response(&[], &[]));
}

#[test]
fn the_two_programs_agree() {
    let (_server, url) = echo(&["--subprotocol", "chat"]);
    let finished = connect(&[&url, "--subprotocol", "chat"], INPUT);
    assert_eq!((finished.code, &*finished.stdout), (Some(0), INPUT));
}
