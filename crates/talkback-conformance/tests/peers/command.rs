//! The options of `talkback` that depend on who is at the other end, against python's websockets and node's ws.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair, generate_simple_self_signed};

use crate::program::{Program, folder, free_port, node, python, signal};
use crate::programs::{Peer, WEBSOCKETS, WS, built, run, write};

/// A server of others, and where it is.
pub(crate) struct Server {
    program: Program,
    port: u16,
}

impl Server {
    pub(crate) fn start(peer: &Peer, files: &[&Path]) -> Self {
        let port = free_port();
        let mut command = (peer.server)();
        command.arg(port.to_string()).args(files);
        let program = Program::serve_logged(&mut command, port);
        Self { program, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }
}

/// How a run of `talkback` ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn talkback(arguments: &[&str], input: Option<&str>) -> Ended {
    let (output, stdout, stderr) = run(built("talkback").args(arguments), input);
    let code = output.status.code();
    Ended {
        code,
        stdout,
        stderr,
    }
}

/// Holds that what was sent comes back; returns what was told of it.
#[track_caller]
pub(crate) fn comes_back(arguments: &[&str], input: &str) -> String {
    let ended = talkback(&[&["connect"], arguments].concat(), Some(input));
    assert_eq!((ended.code, &*ended.stdout), (Some(0), input), "{ended:?}");
    ended.stderr
}

#[track_caller]
pub(crate) fn fails(arguments: &[&str], code: i32, word: &str) {
    let ended = talkback(&[&["connect"], arguments].concat(), Some(""));
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stderr.contains(word), "{word}: {ended:?}");
}

/// The files of a certificate for these names, and of its key.
fn identity(folder: &Path, name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
    let names = names.iter().map(|name| (*name).to_owned());
    let made = generate_simple_self_signed(names.collect::<Vec<_>>()).expect("they are names");
    let (cert, key) = (folder.join(name), folder.join(format!("{name}.key")));
    write(&cert, &made.cert.pem());
    write(&key, &made.signing_key.serialize_pem());
    (cert, key)
}

fn text(path: &Path) -> &str {
    path.to_str()
        .expect("the target folder has a name in UTF-8")
}

#[test]
fn it_names_itself_and_the_server_as_it_is_told() {
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        let names = ["--host", "a.example:8080", "-o", "https://page.example"];
        let headers = ["-H", "Cookie: a=b", "-H", "User-Agent: mine"];
        let subprotocols = ["-s", "other", "-s", "chat"];
        let url = server.url();
        let all = [&[&*url], &names[..], &headers, &subprotocols].concat();
        let told = comes_back(&all, "안녕\n");
        assert!(told.contains("subprotocol chat"), "{told}");
        let asked = "asked a.example:8080 https://page.example a=b mine";
        server.program.says(asked);
        fails(&[&url, "-s", "other"], 6, "no subprotocol of the 1");
    }
}

#[test]
fn compression_is_agreed_on_unless_it_is_declined() {
    let long = "가나다 abc é 👋🏽 ".repeat(5_000) + "\n";
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        for (arguments, is_agreed) in [(&[][..], true), (&["--no-compression"], false)] {
            let url = server.url();
            let told = comes_back(&[&[&*url, "-vv", "-1"], arguments].concat(), &long);
            let answer = "< sec-websocket-extensions: permessage-deflate";
            assert_eq!(told.contains(answer), is_agreed, "{told}");
            assert_eq!(told.contains("> text, compressed, "), is_agreed);
        }
    }
}

#[test]
fn bytes_go_and_come_in_each_form() {
    let long = "가나다".repeat(100_000);
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        let url = server.url();
        for (arguments, input) in [
            (&["--binary", "-1"][..], &*long),
            (&["--binary", "--frame", "400KB", "--messages", "3"], &long),
            (&["--hex", "--messages", "2"], "cafe\n00\n"),
            (&["--base64", "--messages", "2"], "yv4=\nAA==\n"),
            (&["-0", "--messages", "2"], "a\nb\0안녕\0"),
            (&["--separator=--", "--messages", "2"], "a--b--"),
        ] {
            comes_back(&[&[&*url], arguments].concat(), input);
        }
    }
}

#[test]
fn pings_are_told_in_both_directions() {
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        let often = ["--ping-interval", "0.05", "--print-latency", "-w", "0.5"];
        for more in [&[][..], &["--reconnect"]] {
            let told = comes_back(&[&[&*server.url()], &often[..], more].concat(), "");
            assert!(told.matches("latency: ").count() >= 2, "{told}");
        }
        let url = format!("{}ping", server.url());
        let ended = talkback(&["connect", &url, "-v", "--listen-only", "-1"], None);
        assert_eq!(ended.stdout, "pong there?\n", "{ended:?}");
        assert!(
            ended.stderr.contains("ping, 6 bytes: answered"),
            "{ended:?}"
        );
    }
}

#[test]
fn each_end_of_a_connection_has_its_code() {
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        let bye = format!("{}bye", server.url());
        let ended = talkback(&["connect", &bye, "--json", "--listen-only"], None);
        assert_eq!(ended.code, Some(9), "{ended:?}");
        let close = r#""event":"close","code":4001,"reason":"bye","by":"server","clean":true"#;
        assert!(ended.stdout.contains(close), "{ended:?}");
        comes_back(&[&server.url()], "");
        server.program.says("closed 1005");
        for (name, code) in [("INT", 130), ("TERM", 143)] {
            let mut command = built("talkback");
            let what = format!("before {name}");
            command.args(["connect", &server.url(), "--send", &what, "--listen-only"]);
            let mut client = Program::start_logged(&mut command);
            server.program.says(&what);
            let sent = signal(name, client.id())
                .status()
                .expect("a shell is there");
            assert!(sent.success());
            let status = client.status(crate::programs::LIMIT);
            assert_eq!(status.code(), Some(code));
        }
        server.program.says("closed 1001");
    }
}

#[test]
fn names_lead_to_an_address_and_tls_holds_the_certificate_against_them() {
    for peer in [&WEBSOCKETS, &WS] {
        let folder = folder(&format!("command-names-{}", peer.name));
        let (cert, key) = identity(&folder, "server.pem", &["a.example"]);
        let server = Server::start(peer, &[&cert, &key]);
        let (ca, port) = (text(&cert), server.port);
        let (here, there) = (
            format!("wss://127.0.0.1:{port}/"),
            format!("wss://a.example:{port}/"),
        );
        let known = format!("a.example:{port}:127.0.0.1");
        for way in [
            &[&*here, "--server-name", "a.example"][..],
            &[&there, "--address", "127.0.0.1"],
            &[&there, "--address", &format!("127.0.0.1:{port}")],
            &[&there, "--resolve", &known],
        ] {
            comes_back(&[way, &["--ca", ca, "-1"]].concat(), "안녕\n");
        }
        server.program.says(&format!("asked a.example:{port} "));
        fails(&[&here, "--ca", ca], 6, "for another host");
        comes_back(&[&here, "-k", "-1"], "안녕\n");
    }
}

#[test]
fn a_client_certificate_is_shown() {
    for peer in [&WEBSOCKETS, &WS] {
        let folder = folder(&format!("command-mutual-{}", peer.name));
        let (ca, server_key) = identity(&folder, "server.pem", &["127.0.0.1"]);
        let key_pair = KeyPair::generate().expect("the system is random");
        let client = CertificateParams::default().self_signed(&key_pair);
        let (cert, key) = (folder.join("client.pem"), folder.join("client.key"));
        write(&cert, &client.expect("it is valid").pem());
        write(&key, &key_pair.serialize_pem());
        let server = Server::start(peer, &[&ca, &server_key, &cert]);
        let url = server.url().replace("ws://", "wss://");
        let known = [&*url, "--ca", text(&ca)];
        let shown = ["--cert", text(&cert), "--key", text(&key), "-1"];
        comes_back(&[&known[..], &shown].concat(), "안녕\n");
        // Not each server says why.
        fails(&known, 6, "TLS");
        let load = ["-d", "0.2", "-c", "2", "--json"];
        is_answered(&[&known[..], &shown[..4], &load].concat());
    }
}

/// Holds that a load was answered, and rightly.
#[track_caller]
fn is_answered(arguments: &[&str]) {
    let ended = talkback(&[&["bench"], arguments].concat(), Some(""));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\"errors\": []"), "{ended:?}");
    assert!(!ended.stdout.contains("\"answered\": 0,"), "{ended:?}");
}

#[test]
fn a_load_is_answered() {
    for peer in [&WEBSOCKETS, &WS] {
        let server = Server::start(peer, &[]);
        for arguments in [
            &["-c", "5", "--pipeline", "4", "-s", "chat"][..],
            &["--binary", "--size", "64KiB", "--no-compression"],
            &["-r", "200", "--send", "안녕", "--expect", "안녕"],
        ] {
            let url = server.url();
            is_answered(&[&[&*url, "-d", "0.3", "--json"], arguments].concat());
        }
    }
}

#[test]
#[cfg(unix)]
fn a_unix_socket_leads_there() {
    for peer in [&WEBSOCKETS, &WS] {
        // Its path may not be long.
        let name = format!("talkback-{}-{}.sock", std::process::id(), peer.name);
        let path = std::env::temp_dir().join(name);
        let mut command = (peer.server)();
        let server = Program::start_logged(command.arg(&path));
        server.says("listening");
        let ways = ["--unix-socket", text(&path), "-1"];
        comes_back(&[&["ws://localhost/"], &ways[..]].concat(), "안녕\n");
        std::fs::remove_file(&path).expect("it is a file");
    }
}

#[test]
fn listen_talks_to_clients() {
    for (name, mut client) in [
        ("websockets", python("python/websockets_answers.py")),
        ("ws", node("node/ws_answers.cjs")),
    ] {
        let port = free_port();
        let certificate = folder(&format!("command-listen-{name}")).join("listen.pem");
        let mut command = built("talkback");
        command.args(["listen", &port.to_string(), "--send", "안녕", "-1"]);
        command.arg(format!("--tls-self-signed={}", certificate.display()));
        command.args(["--subprotocol", "chat"]);
        let mut listen = Program::start_logged(&mut command);
        listen.says("fingerprint");
        client.arg(format!("wss://localhost:{port}/"));
        let mut client = Program::start_logged(client.arg(&certificate));
        let status = listen.status(crate::programs::LIMIT);
        assert_eq!(status.code(), Some(0), "{}", listen.log());
        assert!(listen.log().contains("got 안녕\n"), "{}", listen.log());
        assert!(client.status(crate::programs::LIMIT).success());
        let log = client.log();
        assert!(log.contains("speaks chat\nclosed 1000"), "{log}");
    }
}
