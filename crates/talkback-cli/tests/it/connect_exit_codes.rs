//! `talkback connect`: one exit code for each cause, one line for each failure, and no secrets.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use talkback::{CloseCode, WebSocket};
use tokio::net::TcpStream;

use crate::support::server::{open, server};
use crate::support::{Finished, Running, connect, echo, run};

/// Writes bytes past the protocol engine.
fn write_raw(socket: &WebSocket<TcpStream>, bytes: &[u8]) {
    let size = socket.transport().unwrap().try_write(bytes).unwrap();
    assert_eq!(size, bytes.len());
}

/// Holds a failure against its exit code, and to one line that has these words.
#[track_caller]
fn fails(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.starts_with("error: "), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
}

#[cfg(unix)]
#[test]
fn exit_code_1_is_for_input_that_cannot_be_read() {
    let (_server, url) = echo(&[]);
    let mut client = std::process::Command::new(env!("CARGO_BIN_EXE_talkback"));
    client
        .args(["connect", &url, "-1", "--quiet"])
        .env_remove("RUST_LOG");
    let output = client
        .stdin(std::fs::File::open("/").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "error: could not read standard input: Is a directory\n"
    );
}

#[test]
fn exit_code_2_is_for_wrong_usage() {
    fails(&connect(&[], ""), 2, &["<URL>", "--help"]);
    fails(
        &connect(&["ws://a/", "-H", "Bearer hunter2"], ""),
        2,
        &["Name: value"],
    );
    fails(
        &connect(&["ws://a/", "--timeout", "ten"], ""),
        2,
        &["seconds"],
    );
    fails(
        &connect(&["ws://a/", "-H", "Upgrade: h2c"], ""),
        2,
        &["Upgrade"],
    );
    fails(
        &connect(&["ws://a/", "--subprotocol", "a b"], ""),
        2,
        &["token"],
    );
}

#[test]
fn exit_code_3_is_for_a_url_that_cannot_be_used() {
    for (url, word) in [
        ("echo", "ws://"),
        ("http://127.0.0.1/", "ws://"),
        ("ws://127.0.0.1:port/", "port"),
        ("ws://127.0.0.1:70000/", "port"),
        ("ws:///", "host"),
        ("ws://127.0.0.1/#top", "fragment"),
    ] {
        fails(&connect(&[url], ""), 3, &[word]);
    }
}

#[test]
fn what_looks_like_a_url_fails_alike_without_the_subcommand() {
    for (url, word) in [
        ("http://127.0.0.1/", "ws://"),
        ("ftp://127.0.0.1/", "ws://"),
        ("server.example:7924", "ws://"),
        (":99999", "at most 65535"),
        ("99999", "at most 65535"),
    ] {
        let (short, whole) = (run(&[url], ""), connect(&[url], ""));
        fails(&short, 3, &[word]);
        assert_eq!(short.stderr, whole.stderr);
    }
}

#[test]
fn exit_code_4_is_for_a_server_that_cannot_be_reached() {
    let refused = connect(&["ws://127.0.0.1:1/"], "");
    fails(
        &refused,
        4,
        &["ws://127.0.0.1:1/", "refused", "talkback echo"],
    );
    fails(
        &connect(&["ws://nowhere.invalid/"], ""),
        4,
        &["nowhere.invalid"],
    );
}

#[test]
fn exit_code_5_is_for_time_that_ran_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let begin = Instant::now();
    fails(
        &connect(&[&url, "--timeout", "0.3"], ""),
        5,
        &[&url, "300ms"],
    );
    // Which it has without the option.
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn exit_code_6_is_for_a_failed_handshake() {
    let missing = server(|stream| async {
        let accepting =
            talkback::accept(stream).check(async |_| Err::<(), _>(talkback::Refusal::not_found()));
        assert!(accepting.await.is_err());
    });
    fails(
        &connect(&[&missing], ""),
        6,
        &[&missing, "404", "path", "its answer: there is no WebSocket"],
    );

    let silent = server(|stream| async { drop(stream) });
    fails(&connect(&[&silent], ""), 6, &[&silent]);

    let (_server, url) = echo(&["--subprotocol", "chat"]);
    let asked = ["--subprotocol", "graphql", "--subprotocol", "mqtt"];
    let finished = connect(&[&[&*url], &asked[..]].concat(), "");
    fails(
        &finished,
        6,
        &[&url, "no subprotocol of the 2 asked for", "--subprotocol"],
    );
}

#[test]
fn verbose_shows_what_a_server_says_that_refuses() {
    let missing = server(|stream| async {
        let refusal = || talkback::Refusal::not_found();
        let accepting =
            talkback::accept(stream).check(move |_| std::future::ready(Err::<(), _>(refusal())));
        assert!(accepting.await.is_err());
    });
    let finished = connect(&[&missing, "--verbose"], "");
    assert_eq!(finished.code, Some(6));
    let answer = "the server's answer: there is no WebSocket at this path";
    assert!(finished.stderr.contains(answer), "{finished:?}");
}

/// The server ends the connection while the input is open: nobody types anything.
#[track_caller]
fn ends(url: &str, code: i32, words: &[&str]) {
    let mut client = Running::start(&["connect", url]);
    let stdin = client.stdin.take();
    let finished = client.finish();
    drop(stdin);
    assert_eq!(finished.code, Some(code), "{finished:?}");
    let last = finished.stderr.lines().last().unwrap();
    for word in words {
        assert!(last.contains(word), "{word}: {finished:?}");
    }
}

#[test]
fn exit_code_7_is_for_a_broken_protocol() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        // A frame with all reserved bits.
        write_raw(&socket, &[0xff, 0x00]);
        let _ = socket.recv().await;
    });
    ends(&url, 7, &["reserved"]);
}

#[test]
fn exit_code_8_is_for_a_lost_connection() {
    let url = server(|stream| async { drop(open(stream).await) });
    ends(&url, 8, &["1006"]);
}

#[test]
fn exit_code_9_is_for_an_error_code_of_the_server() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        let code = CloseCode::new(4001);
        let _ = socket.close_with(code, "bye").await;
    });
    ends(&url, 9, &["closed by the peer", "4001", "bye"]);
}

#[test]
fn exit_code_0_is_for_a_normal_close_of_the_server() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        let _ = socket.close_with(CloseCode::GOING_AWAY, "").await;
    });
    ends(&url, 0, &["closed by the peer", "1001"]);
}

#[test]
fn v12_secrets_are_never_shown() {
    let secrets = ["user", "hunter2", "t0ken"];
    let urls = [
        "ws://user:hunter2@127.0.0.1:1/?key=t0ken",
        "ws://user:hunter2@nowhere.invalid/?key=t0ken",
        "wss://user:hunter2@127.0.0.1:1/?key=t0ken",
        "http://user:hunter2@127.0.0.1/?key=t0ken",
        "ws://user:hunter2@127.0.0.1:port/?key=t0ken",
        "ws://user:hunter2@127.0.0.1/?key=t0ken#hunter2",
        "ws://user:hun ter2@127.0.0.1/?key=t0ken",
    ];
    for url in urls {
        let header = "Authorization: Bearer hunter2";
        let finished = connect(&["--verbose", "-H", header, url], "");
        assert_ne!(finished.code, Some(0));
        for secret in secrets {
            // "user name" may be said, "user" of the URL not.
            let said = finished.stderr.replace("user name", "");
            assert!(!said.contains(secret), "{finished:?}");
        }
    }
    let header = connect(&["ws://127.0.0.1:1/", "-H", "X: hunter2\n"], "");
    assert!(!header.stderr.contains("hunter2"), "{header:?}");
}

#[test]
fn help_can_be_asked_for_as_a_subcommand() {
    for (asked, option) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "connect"], &["connect", "--help"]),
    ] {
        let (asked, option) = (run(asked, ""), run(option, ""));
        assert_eq!(asked.code, Some(0), "{asked:?}");
        assert_eq!(asked.stdout, option.stdout);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut help = std::process::Command::new(env!("CARGO_BIN_EXE_talkback"));
    let output = help.arg("--help").stdout(full.unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn help_lists_every_exit_code() {
    let help = connect(&["--help"], "");
    assert_eq!(help.code, Some(0));
    for code in 0..=9 {
        assert!(help.stdout.contains(&format!("    {code}  ")), "{code}");
    }
    let limit = "a message was over --max-message";
    assert!(help.stdout.contains(limit), "{help:?}");
}
