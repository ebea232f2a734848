//! How many clients `talkback echo` takes, and how it lets go of them.

use talkback::{ConnectError, HandshakeError, WebSocket};

use crate::echo::http;
#[cfg(unix)]
use crate::support::{Running, url_of};
use crate::support::{echo, run};

type Socket = WebSocket<talkback::Transport>;

/// The status that a client is refused with, and how many seconds it is to wait.
fn refused(error: &ConnectError) -> (u16, u64) {
    let ConnectError::Handshake { error, .. } = error else {
        panic!("{error}");
    };
    let HandshakeError::Status(refused) = error else {
        panic!("{error}");
    };
    let after = refused.headers["retry-after"].to_str().unwrap();
    (refused.status.as_u16(), after.parse().unwrap())
}

/// The code that it is closed with.
async fn code(socket: &mut Socket) -> u16 {
    while let Ok(Some(_)) = socket.recv().await {}
    socket.close_info().unwrap().code.number()
}

async fn open(url: &str, count: usize) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(talkback::connect(url).await.unwrap());
    }
    sockets
}

#[tokio::test]
async fn li1_one_too_many_is_refused_until_another_goes() {
    let (server, url) = echo(&["--max-connections", "2"]);
    let mut sockets = open(&url, 2).await;
    let (status, after) = refused(&talkback::connect(&*url).await.unwrap_err());
    assert_eq!(status, 503);
    assert!((5..=15).contains(&after), "{after}");
    for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = http(&url, &format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(text));
    }
    server.until("it is logged", |server| {
        server.stderr().contains("status=503")
    });
    sockets.remove(0).close().await;
    // The client's end comes before the server's.
    while talkback::connect(&*url).await.is_err() {}
}

#[tokio::test]
async fn li3_li8_an_address_behind_a_trusted_proxy_has_so_many() {
    let proxies = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1"];
    let (_server, url) = echo(&[&["--max-per-address", "1"], &proxies[..]].concat());
    let from = |client: &str| talkback::connect(&*url).header("X-Forwarded-For", client);
    let _first = from("192.0.2.1").await.unwrap();
    let (status, after) = refused(&from("198.51.100.1, 192.0.2.1").await.unwrap_err());
    assert_eq!(status, 429);
    assert!((5..=15).contains(&after), "{after}");
    assert!(from("192.0.2.2").await.is_ok());
}

#[test]
fn limits_that_cannot_be_take_one_line_that_says_what_can() {
    for (option, value, word) in [
        (
            "--max-connections",
            "0",
            "a whole number from 1 to 4294967295",
        ),
        ("--max-connections", "안녕", "a whole number from 1 to"),
        ("--max-connections", "1.5", "a whole number from 1 to"),
        ("--max-connections", "", "a whole number from 1 to"),
        ("--max-per-address", "0", "a whole number from 1 to"),
        ("--trusted-proxy", "10.0.0.0/33", "32"),
        (
            "--trusted-proxy",
            "10.0.0.0/8,fd00::/8",
            "it is more than one: repeat the option for each",
        ),
        ("--trusted-proxy", "proxy.example", "address"),
        ("--drain-spread", "-1", "from 0"),
        ("--drain-deadline", "soon", "from 0"),
        (
            "--drain-spread",
            "25.5",
            "--drain-spread, 25.5 s, is longer than --drain-deadline, 25 s, at which",
        ),
        ("--idle-timeout", "0", "from 0.001 up to a year"),
        (
            "--idle-timeout",
            "18446744073709551616",
            "from 0.001 up to a year",
        ),
        #[cfg(target_os = "linux")]
        ("--max-connections", "4000000000", "ulimit -n"),
    ] {
        let option = format!("{option}={value}");
        let finished = run(&["echo", "--listen", "127.0.0.1:0", &option], "");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(word), "{finished:?}");
        assert_eq!(finished.stdout, "");
    }
}

/// Of `listen`, `-1` is an option of its own.
#[test]
fn a_number_below_0_is_told_to_be_wrong_and_not_missing() {
    for command in [
        &["echo", "--listen", "127.0.0.1:0"][..],
        &["listen", "127.0.0.1:0"],
    ] {
        for option in [
            "--max-connections",
            "--max-per-address",
            "--idle-timeout",
            "--drain-spread",
            "--drain-deadline",
        ] {
            let finished = run(&[command, &[option, "-1"]].concat(), "");
            assert_eq!(finished.code, Some(2), "{finished:?}");
            let begin = format!("error: invalid value '-1' for '{option} <");
            assert!(finished.stderr.starts_with(&begin), "{finished:?}");
            assert!(finished.stderr.contains("number"), "{finished:?}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nine_tenths_of_the_limit_of_open_files_are_for_connections() {
    let mut command = std::process::Command::new("sh");
    let limited = "ulimit -n 200 && exec \"$0\" echo --listen 127.0.0.1:0";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_talkback")]);
    let server = Running::spawn(command.env_remove("RUST_LOG"));
    let url = url_of(&server);
    let _sockets = open(&url, 180).await;
    let (status, _) = refused(&talkback::connect(&*url).await.unwrap_err());
    assert_eq!(status, 503);
}

#[cfg(unix)]
#[tokio::test]
async fn dr14_a_second_signal_cuts_and_the_exit_code_is_its() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (server, url) = echo(&[]);
        // A client that never answers the close frame.
        let socket = talkback::connect(url).await.unwrap();
        server.signal("TERM");
        server.until("it says goodbye", |server| {
            server
                .stderr()
                .contains("stopping: closing 1 connection, within 25 s\n")
        });
        // A termination that comes twice at once is one.
        server.until("it cuts", |server| {
            server.signal(signal);
            server.stderr().contains("1 cut")
        });
        assert_eq!(server.finish().code, Some(code), "{signal}");
        drop(socket);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn dr4_a_client_that_ignores_the_close_is_cut_at_the_deadline() {
    let (server, url) = echo(&["--drain-deadline", "0.5"]);
    let socket = talkback::connect(url).await.unwrap();
    server.signal("TERM");
    let finished = server.finish();
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.contains("1 cut"), "{finished:?}");
    drop(socket);
}

#[cfg(unix)]
#[tokio::test]
async fn dr2_many_are_closed_over_the_spread() {
    // More than are closed at once. Before the second signal the turn is that of a few.
    for (time, is_cut) in [("0", false), ("3600", true)] {
        let (server, url) = echo(&["--drain-spread", time, "--drain-deadline", "3600"]);
        let mut sockets = open(&url, 20).await;
        server.signal("TERM");
        if is_cut {
            server.until("it says goodbye", |server| {
                server
                    .stderr()
                    .contains("stopping: closing 20 connections,")
            });
            server.signal("INT");
        }
        // Those that are cut are told as much as the others.
        for socket in &mut sockets {
            assert_eq!(code(socket).await, 1012);
        }
        let exit_code = if is_cut { 130 } else { 0 };
        let finished = server.finish();
        assert_eq!(finished.code, Some(exit_code));
        let told = finished.stderr.contains(" cut, ");
        assert_eq!(told, is_cut, "{finished:?}");
    }
}

#[tokio::test]
async fn who_says_nothing_for_the_idle_timeout_is_closed_with_3008() {
    let (_server, url) = echo(&["--idle-timeout", "0.3"]);
    let mut socket = talkback::connect(url).await.unwrap();
    socket.send("one").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
    assert_eq!(code(&mut socket).await, 3008);
}
