//! C18 to C27 and C29: which responses `talkback connect` takes. C28 is with the cuts.

use talkback::{ConnectError, HandshakeError};

use crate::support::scripted::{fails, passes, play, response};

const CHAT: [&str; 2] = ["--subprotocol", "chat"];

#[test]
fn c18_rejects_status_other_than_101() {
    for (status, advice) in [
        ("200 OK", "check the path"),
        ("204 No Content", "check the path"),
        ("302 Found", "it redirects"),
        ("401 Unauthorized", "credentials"),
        ("426 Upgrade Required", "pass Upgrade and Connection on"),
        ("404 Not Found", "check the path"),
        ("503 Service Unavailable", "try again later"),
    ] {
        let right = response(&[], &["X-Why: because", "Content-Length: 7"]);
        let head = right.replace("101 Switching Protocols", status);
        let head = format!("{head}go away, and more");
        let has_body = !status.starts_with("204");
        let body = if has_body {
            "; its answer: go away"
        } else {
            ""
        };
        let words = ["the server answered", status, advice, body];
        fails(&[], &head, &words);
        assert!(!play(&[], &head).finished.stderr.contains("and more"));
    }
}

/// RFC 9110 §15.2: a client must be able to read past 1xx, which RFC 6455 leaves to HTTP.
#[test]
fn c18_interim_responses_are_read_past() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    let right = response(&[], &[]);
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        format!("HTTP/1.1 102 Processing\r\n\r\n{hints}"),
        hints.repeat(8),
    ] {
        passes(&[], &format!("{interim}{right}"));
        let refused = right.replace("101 Switching Protocols", "404 Not Found");
        fails(&[], &format!("{interim}{refused}"), &["404 Not Found"]);
        fails(&[], &interim, &["not HTTP"]);
    }
    let words = ["the server answered 103 Early Hints", "instead of 101"];
    fails(&[], &format!("{}{right}", hints.repeat(9)), &words);
}

/// What the command says in one line is in the error itself.
#[tokio::test]
async fn c18_the_error_carries_status_headers_and_the_start_of_the_body() {
    for status in [200, 204, 302, 401, 426] {
        let url = crate::support::server::server(move |mut stream| async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let head = format!("HTTP/1.1 {status} Because\r\nX-Why: because\r\n\r\n");
            let body = "x".repeat(10_000);
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let error = talkback::connect(url).await.map(drop).unwrap_err();
        let ConnectError::Handshake {
            error: HandshakeError::Status(refused),
            ..
        } = error
        else {
            panic!("{status}: {error}");
        };
        assert_eq!(refused.status, status);
        assert_eq!(refused.headers["x-why"], "because");
        let size = if status == 204 { 0 } else { 4096 };
        assert_eq!(refused.body.len(), size, "{status}");
    }
}

#[test]
fn c19_rejects_upgrade_missing_or_other() {
    for lines in [
        &[][..],
        &["Upgrade: h2c"],
        &["Upgrade: websocket2"],
        &["Upgrade:"],
        &["Upgrade: websocket, h2c"],
        &["Upgrade: websocket/13"],
        &["Upgrade: websocket", "Upgrade: websocket"],
    ] {
        fails(&[], &response(&["Upgrade"], lines), &["Upgrade"]);
    }
    passes(&[], &response(&["Upgrade"], &["upgrade: WebSocket"]));
}

#[test]
fn c20_rejects_connection_without_the_token() {
    for lines in [
        &[][..],
        &["Connection: keep-alive"],
        &["Connection: Upgraded"],
        &["Connection: \"Upgrade\""],
        &["Connection: keep-alive Upgrade"],
        &["Connection:"],
    ] {
        fails(&[], &response(&["Connection"], lines), &["Connection"]);
    }
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: UPGRADE,keep-alive"],
        &["Connection: keep-alive", "Connection: upgrade"],
        &["connection: , ,upgrade,"],
    ] {
        passes(&[], &response(&["Connection"], lines));
    }
}

#[test]
fn c21_rejects_accept_that_does_not_answer_the_key() {
    let missing = response(&["Sec-WebSocket-Accept"], &[]);
    fails(&[], &missing, &["Sec-WebSocket-Accept"]);
    for value in [
        "",
        // Right for the key of another connection.
        crate::support::wire::SAMPLE_ACCEPT,
        "{accept}=",
        "{accept}, x",
        "\"{accept}\"",
        "x{accept}",
    ] {
        let line = format!("Sec-WebSocket-Accept: {value}");
        let head = response(&["Sec-WebSocket-Accept"], &[&line]);
        fails(&[], &head, &["does not answer the key"]);
    }
    for change in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
        let played = crate::support::scripted::play_with(&[], |accept| {
            let head = response(&[], &[]).replace("{accept}", &change(accept));
            crate::support::scripted::ScriptedResponse::whole(head.into_bytes())
        });
        crate::support::scripted::assert_failed(
            &played,
            "other case",
            &["does not answer the key"],
        );
    }
}

#[test]
fn c21_accept_may_have_white_space_around_it() {
    for line in [
        "Sec-WebSocket-Accept:{accept}",
        "Sec-WebSocket-Accept: \t {accept} \t ",
        "SEC-WEBSOCKET-ACCEPT: {accept}",
    ] {
        passes(&[], &response(&["Sec-WebSocket-Accept"], &[line]));
    }
}

#[test]
fn c22_rejects_extension_not_offered() {
    for value in ["foo", "x-foo; a=b", "foo, bar", "Permessage-Deflate"] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        fails(&[], &response(&[], &[&line]), &["extension", "not offered"]);
    }
}

#[test]
fn c23_rejects_malformed_extension_list() {
    for value in [
        "",
        ",",
        ";",
        "permessage-deflate;",
        "permessage-deflate; a=",
        "permessage-deflate; a=\"b c\"",
        "permessage-deflate; a=\"b",
        "permessage-deflate foo",
        "permessage-deflate; a=b c",
        "\"permessage-deflate\"",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let words = ["Sec-WebSocket-Extensions", "malformed"];
        fails(&[], &response(&[], &[&line]), &words);
    }
}

#[test]
fn c24_rejects_subprotocol_not_offered() {
    for name in ["foo", "Chat", "chat2"] {
        let line = format!("Sec-WebSocket-Protocol: {name}");
        let head = response(&[], &[&line]);
        let size = format!("{} bytes", name.len());
        fails(&CHAT, &head, &[&size, "not offered"]);
        fails(&[], &head, &[&size, "not offered"]);
    }
    let chosen = response(&[], &["Sec-WebSocket-Protocol: chat"]);
    fails(&[], &chosen, &["4 bytes", "not offered"]);
    passes(&CHAT, &chosen);
    passes(&["--subprotocol", "mqtt", CHAT[0], CHAT[1]], &chosen);
}

#[test]
fn c25_rejects_accept_twice() {
    for line in [
        "Sec-WebSocket-Accept: {accept}",
        "Sec-WebSocket-Accept: other",
        "sec-websocket-accept:",
    ] {
        let words = ["Sec-WebSocket-Accept", "more than once"];
        fails(&[], &response(&[], &[line]), &words);
    }
}

#[test]
fn c26_rejects_extensions_or_protocol_twice() {
    for (line, name) in [
        ("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol"),
        (
            "Sec-WebSocket-Extensions: permessage-deflate",
            "Sec-WebSocket-Extensions",
        ),
    ] {
        let head = response(&[], &[line, line]);
        fails(&CHAT, &head, &[name, "more than once"]);
    }
}

#[test]
fn c27_rejects_http_1_0_and_garbage_status_lines() {
    for (line, words) in [
        ("HTTP/1.0 101 Switching Protocols", "speak HTTP/1.1"),
        (
            "HTTP/2.0 101 Switching Protocols",
            "neither HTTP/1.1 nor 1.0",
        ),
        (
            "HTTP/1.2 101 Switching Protocols",
            "neither HTTP/1.1 nor 1.0",
        ),
        ("HTTP/1.11 101 Switching Protocols", "status line"),
        ("http/1.1 101 Switching Protocols", "not HTTP"),
        ("SSH-2.0-OpenSSH_9.9", "not HTTP"),
        ("220 smtp.example ESMTP", "not HTTP"),
        ("HTTP/1.1 1o1 Switching Protocols", "status line"),
        ("HTTP/1.1 1010 Switching Protocols", "status line"),
        ("HTTP/1.1 10 Switching Protocols", "status line"),
        ("HTTP/1.1 099 Switching Protocols", "status line"),
        ("HTTP/1.1  101 Switching Protocols", "status line"),
        ("HTTP/1.1\t101 Switching Protocols", "status line"),
        ("GET / HTTP/1.1", "status line"),
        (" HTTP/1.1 101 Switching Protocols", "not HTTP"),
        ("HTTP/1.1 101 Switching\0Protocols", "control character"),
        ("HTTP/1.1 101 Switching\nProtocols", "CR LF"),
        ("\u{16}\u{3}\u{1}", "TLS"),
    ] {
        let right = response(&[], &[]);
        let head = right.replace("HTTP/1.1 101 Switching Protocols", line);
        fails(&[], &head, &[words]);
    }
    // The phrase is nobody's business, nor is its being there (RFC 7230 §3.1.2).
    for line in [
        "HTTP/1.1 101 Web Socket Protocol Handshake",
        "HTTP/1.1 101 ",
    ] {
        let right = response(&[], &[]);
        passes(
            &[],
            &right.replace("HTTP/1.1 101 Switching Protocols", line),
        );
    }
}

#[test]
fn c29_rejects_header_values_against_their_grammar() {
    for (line, word) in [
        ("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol"),
        ("Sec-WebSocket-Protocol: chat, x", "Sec-WebSocket-Protocol"),
        ("Sec-WebSocket-Protocol: \"chat\"", "Sec-WebSocket-Protocol"),
        (
            "Sec-WebSocket-Protocol: ch\u{e4}t",
            "Sec-WebSocket-Protocol",
        ),
        (
            "Sec-WebSocket-Extensions: \u{e9}",
            "Sec-WebSocket-Extensions",
        ),
        ("Upgrade: websocket\u{e9}", "Upgrade"),
        ("Connection: Upgrade, \u{e9}", "Connection"),
        ("Sec-WebSocket-Accept: \u{e9}", "does not answer the key"),
    ] {
        let name = line.split(':').next().unwrap();
        fails(&CHAT, &response(&[name], &[line]), &[word]);
    }
}

#[test]
fn c29_rejects_header_lines_against_their_grammar() {
    for (line, word) in [
        ("X-Space : a", "header line"),
        ("X-NoColon", "header line"),
        (": a", "header line"),
        ("X Space: a", "header line"),
        ("X-Nam\u{e9}: a", "header line"),
        ("X-Nul: a\0b", "control character"),
        ("X-Control: a\u{1}b", "control character"),
        ("X-Delete: a\u{7f}b", "control character"),
        ("X-Cr: a\rb", "CR LF"),
        ("X-Lf: a\nX-Smuggled: b", "CR LF"),
    ] {
        fails(&[], &response(&[], &[line]), &[word]);
    }
    passes(
        &[],
        &response(&[], &["X-Empty:", "X-Tab: a\tb", "X-Obs-Text: \u{e9}"]),
    );
    // A folded line is read as one (RFC 9112 §5.2), but there is none before the first.
    for line in ["X-Fold: a\r\n b", "X-Fold: a\r\n\tb"] {
        passes(&[], &response(&[], &[line]));
    }
    let first = response(&[], &[]).replace("Protocols\r\n", "Protocols\r\n X-Fold: a\r\n");
    fails(&[], &first, &["header line"]);
}
