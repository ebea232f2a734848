//! `talkback echo`, as its clients see it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use talkback::{CloseCode, ConnectError, HandshakeError, Message};

#[cfg(target_os = "linux")]
use crate::support::terminal::{Folder, Terminal};
use crate::support::{LIMIT, Running, echo, run};

/// Sends a request without `Upgrade`; returns the whole answer.
pub(crate) fn http(url: &str, request: &str) -> String {
    let host = url.trim_start_matches("ws://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let headers = format!("Host: {host}\r\nConnection: close");
    write!(stream, "{request} HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn text_and_binary_come_back_as_they_were_on_any_path() {
    let (_server, url) = echo(&[]);
    let mut socket = talkback::connect(format!("{url}any/path?with=query"))
        .await
        .unwrap();
    let messages: Vec<Message> = vec![
        "Hello!".into(),
        "안녕하세요 👋🏽".into(),
        "".into(),
        vec![0, 159, 146, 150].into(),
        Vec::new().into(),
        "가".repeat(100_000).into(),
        vec![7; 1 << 20].into(),
    ];
    for message in &messages {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().as_ref(), Some(message));
    }
    for message in &messages[..5] {
        socket.feed(message.clone()).await.unwrap();
    }
    for message in &messages[..5] {
        assert_eq!(socket.recv().await.unwrap().as_ref(), Some(message));
    }
}

#[tokio::test]
async fn it_closes_as_it_is_asked_to() {
    let (_server, url) = echo(&[]);
    let mut socket = talkback::connect(&*url).await.unwrap();
    let code = CloseCode::new(4123);
    let info = socket.close_with(code, "잘 가요").await.unwrap();
    assert_eq!(
        (info.code, &*info.reason, info.clean),
        (code, "잘 가요", true)
    );
}

#[tokio::test]
async fn options_reach_the_handshake_and_the_limits() {
    let (_server, url) = echo(&[
        "--subprotocol",
        "chat.v1",
        "--subprotocol",
        "chat.v2",
        "--origin",
        "http://localhost:8080",
        "--max-message",
        "1KiB",
    ]);
    let connect = || talkback::connect(&*url).subprotocol("chat.v2");
    let mut socket = connect().origin("http://localhost:8080").await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat.v2"));
    socket.send(vec![0; 1025]).await.unwrap();
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, 1009);

    let refused = connect().origin("http://evil.example").await.unwrap_err();
    let ConnectError::Handshake { error, .. } = refused else {
        panic!("{refused}");
    };
    assert!(matches!(error, HandshakeError::Status(refused) if refused.status == 403));
}

#[tokio::test]
async fn compression_is_taken_up_unless_it_is_declined() {
    for (arguments, has_deflate) in [(&[][..], true), (&["--no-compression"], false)] {
        let (_server, url) = echo(arguments);
        let socket = talkback::connect(url).await.unwrap();
        assert_eq!(socket.has_deflate(), has_deflate);
    }
}

#[tokio::test]
async fn every_origin_is_welcome_by_default() {
    let (_server, url) = echo(&[]);
    let connecting = talkback::connect(url).origin("https://anywhere.example");
    assert!(connecting.await.is_ok());
}

#[test]
fn a_browser_gets_the_page_and_a_monitor_its_ok() {
    let (_server, url) = echo(&[]);
    let page = http(&url, "GET /");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    for id in [
        "url",
        "connect",
        "reconnect",
        "message",
        "send",
        "log",
        "state",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let script = http(&url, "GET /page/page.js");
    assert!(script.contains("isComposing"), "{script}");

    let head = http(&url, "HEAD /");
    assert!(head.starts_with("HTTP/1.1 200 ") && body(&head).is_empty());
    let size = format!("content-length: {}\r\n", body(&page).len());
    assert!(head.to_ascii_lowercase().contains(&size), "{head}");

    let health = http(&url, "GET /health");
    assert!(health.starts_with("HTTP/1.1 200 ") && body(&health).trim() == "ok");
    assert!(http(&url, "GET /favicon.ico").starts_with("HTTP/1.1 404 "));
    let post = http(&url, "POST /").to_ascii_lowercase();
    assert!(post.starts_with("http/1.1 405 ") && post.contains("allow: get, head\r\n"));
}

#[test]
fn every_interface_is_told_with_the_port_that_it_got() {
    let server = Running::start(&["echo", "--listen", "0.0.0.0:0"]);
    let url = crate::support::url_of(&server);
    assert!(
        url.starts_with("ws://127.0.0.1:") && !url.ends_with(":0/"),
        "{url}"
    );
    assert!(http(&url, "GET /health").contains("ok"));
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_and_sigint_drain_with_1012() {
    for signal in ["TERM", "INT"] {
        let (server, url) = echo(&[]);
        let mut socket = talkback::connect(&*url).await.unwrap();
        socket.send("before").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("before".into()));
        server.signal(signal);
        assert!(socket.recv().await.is_err());
        let info = socket.close_info().unwrap();
        assert_eq!(
            (info.code.number(), &*info.reason, info.clean),
            (1012, "the server restarts", true)
        );
        drop(socket);
        assert_eq!(server.finish().code, Some(0), "{signal}");
        assert!(talkback::connect(url).await.is_err());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn v56_running_out_of_descriptors_backs_off_and_recovers() {
    let mut command = std::process::Command::new("sh");
    let limited = "ulimit -n 24 && exec \"$0\" echo --listen 127.0.0.1:0";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_talkback")]);
    let server = Running::spawn(command.env_remove("RUST_LOG"));
    let url = crate::support::url_of(&server);
    let host = url.trim_start_matches("ws://").trim_end_matches('/');
    let hoard: Vec<_> = (0..40).map(|_| TcpStream::connect(host).unwrap()).collect();
    server.until("it notices", |server| {
        server.stderr().contains("could not accept")
    });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let complaints = server.stderr().matches("could not accept").count();
    assert!(complaints <= 8, "{complaints} in a second");

    drop(hoard);
    let mut socket = talkback::connect(&*url).await.unwrap();
    socket.send("recovered").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("recovered".into()));
}

#[cfg(unix)]
#[tokio::test]
async fn v12_the_log_names_peer_and_end_but_no_secret() {
    let (server, url) = echo(&["--verbose", "--origin", "http://localhost"]);
    let connect = || {
        talkback::connect(format!("{url}?token=hunter2")).header("Authorization", "Bearer hunter2")
    };
    let mut socket = connect().await.unwrap();
    socket.send("hunter2").await.unwrap();
    socket.recv().await.unwrap();
    socket
        .close_with(CloseCode::new(4000), "done")
        .await
        .unwrap();
    assert!(connect().origin("http://elsewhere.example").await.is_err());
    server.until("both ends are logged", |server| {
        server.stderr().contains("code=4000") && server.stderr().contains("status=403")
    });
    let log = server.stderr();
    assert!(
        log.contains("127.0.0.1:") && !log.contains("hunter2"),
        "{log}"
    );
    // An origin is no secret, and whoever runs the server has to know which one to allow.
    assert!(log.contains("http://elsewhere.example"), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn v12_the_log_shows_requests_and_messages_as_far_as_is_asked() {
    for (verbose, tells_messages) in [("-v", false), ("-vv", true)] {
        let (server, url) = echo(&[verbose]);
        for path in ["chat?token=hunter2", "delay/1"] {
            let mut socket = talkback::connect(format!("{url}{path}"))
                .header("Authorization", "Bearer hunter2")
                .header("Cookie", "a=hunter2")
                .header("X-Api-Key", "hunter2")
                .subprotocol("hunter2")
                .await
                .unwrap();
            socket.send("\"Hello!\"").await.unwrap();
            socket.recv().await.unwrap();
            socket.close().await;
        }
        server.until("both ends are logged", |server| {
            server.stderr().matches("code=1005").count() == 2
        });
        let log = server.stderr();
        assert!(!log.contains("hunter2"), "{log}");
        for line in [
            "< GET /chat?… peer=",
            "< GET /delay/1 peer=",
            "< authorization: … peer=",
            "< cookie: … peer=",
            "< x-api-key: … peer=",
            "< sec-websocket-version: 13 peer=",
        ] {
            assert!(log.contains(line), "{line}: {log}");
        }
        let count = |line| log.matches(line).count();
        let messages = [
            "< text, 8 bytes: \"Hello!\" peer=",
            "> text, 8 bytes: \"Hello!\" peer=",
        ];
        let expected = if tells_messages { 2 } else { 0 };
        assert_eq!(messages.map(count), [expected; 2], "{log}");
    }
}

#[tokio::test]
async fn it_listens_on_both_loopbacks_by_the_name_of_localhost() {
    let server = Running::start(&["echo", "--listen", "localhost:0"]);
    let url = crate::support::url_of(&server);
    let port = url.strip_prefix("ws://localhost:").unwrap();
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        assert!(
            talkback::connect(format!("ws://{host}:{port}"))
                .await
                .is_ok(),
            "{host}"
        );
    }
}

#[test]
fn help_lists_the_paths_that_misbehave() {
    let help = run(&["echo", "--help"], "").stdout;
    for (path, what) in talkback_echo::PATHS {
        let mut lines = help.lines().map(str::trim);
        assert!(
            lines.any(|line| line.starts_with(path) && line.ends_with(what)),
            "{path}"
        );
    }
    assert!(help.contains("default: localhost:9001"), "{help}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_a_code_for_other_devices() {
    let others = if_addrs::get_if_addrs().unwrap();
    let has_others = others
        .iter()
        .any(|interface| !interface.is_loopback() && interface.ip().is_ipv4());
    let dark_on_light = "\x1b[38;5;16;48;5;231m";
    for (address, has_code) in [("0.0.0.0:0", has_others), ("127.0.0.1:0", false)] {
        let folder = Folder::new("echo");
        let command = [env!("CARGO_BIN_EXE_talkback"), "echo", "--listen", address];
        let mut terminal = Terminal::start(&folder, &command, &[]);
        let shown = match has_code {
            true => terminal.shows("\x1b[0m\r\n"),
            false => terminal.shows("Ctrl-C stops it.\r\n"),
        };
        assert_eq!(shown.contains(dark_on_light), has_code, "{shown}");
    }
    let server = Running::start(&["echo", "--listen", "0.0.0.0:0"]);
    crate::support::url_of(&server);
    assert!(!server.stdout().contains('\x1b'), "a pipe gets none");
}

#[test]
fn options_that_no_client_could_match_take_one_line() {
    for (option, value, word) in [
        (
            "--origin",
            "http://localhost:8080/",
            "write it as http://localhost:8080.",
        ),
        ("--origin", "localhost:8080", "scheme://host:port"),
        ("--origin", "null", "scheme://host:port"),
        ("--subprotocol", "a b", "token"),
    ] {
        let finished = run(&["echo", "--listen", "127.0.0.1:0", option, value], "");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(word), "{finished:?}");
    }
}

#[test]
fn an_address_that_cannot_be_listened_on_takes_one_line() {
    let (_server, url) = echo(&[]);
    let taken = url.trim_start_matches("ws://").trim_end_matches('/');
    let finished = run(&["echo", "--listen", taken], "");
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.contains(taken) && finished.stderr.contains("--listen"));

    let word = run(&["echo", "--listen", "127.0.0.1:http"], "");
    assert_eq!(word.code, Some(2));
    assert_eq!(word.stderr.lines().count(), 1, "{word:?}");
}

#[cfg(unix)]
#[test]
fn the_log_says_in_words_what_the_errors_of_the_system_are() {
    let (server, url) = echo(&[]);
    let mut stream = crate::support::raw_client::dial(&url);
    write!(stream, "GET / HTTP/1.1\r\n").unwrap();
    crate::support::wire::reset(stream);
    server.until("it is logged", |server| {
        server.stderr().contains("reset by peer")
    });
    assert!(!server.stderr().contains("os error"), "{}", server.stderr());
}
