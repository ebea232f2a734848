//! `talkback connect`: what it shows of a connection to whoever looks.

use talkback::http::{HeaderName, HeaderValue, StatusCode};

use crate::support::attack::Attacker;
use crate::support::server::{open, server};
use crate::support::wire::{CLOSE, Frame, PING};
use crate::support::{Finished, Running, connect, echo, run};

/// Holds that standard error has these lines, in this order, each somewhere behind the one before.
#[track_caller]
fn shows(finished: &Finished, lines: &[&str]) {
    let mut left = finished.stderr.lines();
    for line in lines {
        assert!(
            left.any(|shown| shown.starts_with(line)),
            "{line}: {}",
            finished.stderr
        );
    }
}

#[test]
fn verbose_shows_the_steps_and_both_heads() {
    let (_server, url) = echo(&["--subprotocol", "chat"]);
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let asked = ["-s", "other", "-s", "chat", "-H", "X-Token: hunter2"];
    let url = format!("{url}?token=hunter2");
    let finished = connect(&[&["-v", &url][..], &asked].concat(), "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    shows(
        &finished,
        &[
            "* DNS: 127.0.0.1:",
            &format!("* TCP: connected to {address} from 127.0.0.1:"),
            "> GET /?… HTTP/1.1",
            &format!("> host: {address}"),
            "> x-token: …",
            "< HTTP/1.1 101 Switching Protocols",
            "< sec-websocket-protocol: chat",
            "* subprotocols offered: 2; agreed on: chat",
            "connected to ",
        ],
    );
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
}

#[test]
fn verbose_shows_how_tls_is_spoken_and_the_chain() {
    let ca = std::env::temp_dir().join(format!("talkback-sight-{}.pem", std::process::id()));
    let ca = ca.to_str().unwrap();
    let (_server, url) = echo(&[&format!("--tls-self-signed={ca}")]);
    let finished = connect(&["-v", &url, "--ca", ca, "--timing", "-1"], "Hello!\n");
    std::fs::remove_file(ca).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    shows(
        &finished,
        &[
            "* TLSv1_3, TLS13_",
            "* certificate 0: ",
            "connected to ",
            "timing: DNS ",
        ],
    );
    assert!(finished.stderr.contains(" for localhost"), "{finished:?}");
    let timing = finished
        .stderr
        .lines()
        .find(|line| line.starts_with("timing: DNS"));
    let timing = timing.unwrap();
    for step in ["TCP ", "TLS ", "handshake ", "; open after "] {
        assert!(timing.contains(step), "{timing}");
    }
    shows(&finished, &["timing: first message after "]);
}

#[test]
fn very_verbose_shows_each_frame() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        socket.ping("here?").await.unwrap();
        let message = socket.recv().await.unwrap().unwrap();
        socket.send(message).await.unwrap();
        let _ = socket.close_with(4000, "bye").await;
    });
    let arguments = [&url, "-vv", "--no-compression", "--wait", "forever"];
    let finished = connect(&arguments, "안녕\n");
    assert_eq!(finished.code, Some(9), "{finished:?}");
    shows(
        &finished,
        &[
            "> text, 6 bytes: 안녕",
            "< close, 5 bytes: 4000 bye",
            "> close, ",
        ],
    );
    shows(&finished, &["< ping, 5 bytes: 68657265", "> pong, 5 bytes"]);
    shows(&finished, &["ping, 5 bytes: answered"]);
    shows(&finished, &["< text, 6 bytes: 안녕"]);
}

#[test]
fn the_latency_is_told() {
    let (_server, url) = echo(&[]);
    let arguments = ["--ping-interval", "0.05", "--print-latency", "--wait", "2"];
    let finished = connect(&[&[&*url], &arguments[..]].concat(), "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    shows(&finished, &["latency: ", "latency: "]);
}

#[test]
fn on_a_channel_that_stays_one_ping_waits_for_its_pong() {
    let attacker = Attacker::listen();
    let arguments = ["--reconnect", "--ping-interval", "0.02", "-w", "0.5"];
    let mut client = Running::start(&[&["connect", &attacker.url], &arguments[..]].concat());
    client.stdin = None;
    let mut peer = attacker.open();
    let frames = std::iter::from_fn(|| Frame::read(&mut peer.stream));
    let opcodes = frames.map(|frame| frame.first);
    let before: Vec<u8> = opcodes.take_while(|opcode| *opcode != CLOSE).collect();
    assert_eq!(before, [PING]);
}

#[test]
fn a_refusal_is_shown_with_its_body_and_where_that_was_cut() {
    let body = format!("{{\n  \"why\": \"no\"\n}}{}", " ".repeat(5000));
    let url = server(move |stream| {
        let body = body.clone();
        async move {
            let refusal = talkback::Refusal::new(StatusCode::FORBIDDEN, body);
            let id = (
                HeaderName::from_static("x-request-id"),
                HeaderValue::from_static("r-17"),
            );
            let refusal = refusal.with_header(id.0, id.1);
            let accepting = talkback::accept(stream);
            let refusing = accepting.check(async move |_| Err::<(), _>(refusal));
            assert!(refusing.await.is_err());
        }
    });
    let finished = connect(&[&url], "");
    assert_eq!(finished.code, Some(6), "{finished:?}");
    shows(
        &finished,
        &["the server's answer: x-request-id: r-17", "error: "],
    );
    assert!(
        finished.stderr.contains(r#"{ "why": "no" }"#),
        "{finished:?}"
    );
    let finished = connect(&[&url, "-v"], "");
    let lines = [
        "< HTTP/1.1 403 Forbidden",
        "< x-request-id: r-17",
        "the server's answer: {",
        "the server's answer:   \"why\": \"no\"",
        "(cut after 4096 bytes)",
        "error: ",
    ];
    shows(&finished, &lines);
}

#[test]
fn help_names_every_exit_code_that_the_readme_names() {
    let readme = include_str!("../../README.md");
    let help = run(&["connect", "--help"], "").stdout;
    let codes = |text: &str, row: fn(&str) -> Option<&str>| -> Vec<String> {
        let rows = text.lines().filter_map(row);
        let codes = rows.filter_map(|row| row.split_whitespace().next());
        let codes = codes.filter(|code| code.parse::<u8>().is_ok());
        codes.map(str::to_owned).collect()
    };
    let in_help = codes(help.split_once("Exit codes:").unwrap().1, |line| Some(line));
    let in_readme = codes(readme, |line| line.strip_prefix("| "));
    assert!(in_help.len() >= 13);
    assert_eq!(in_help, in_readme);
}
