//! `talkback listen`, as its clients see it, and as who starts it does.

use std::time::Duration;

use serde_json::Value;
use talkback::{ConnectError, HandshakeError, Message, Transport, WebSocket};
use tokio::time::timeout;

#[cfg(target_os = "linux")]
use crate::support::terminal::{Folder, Terminal};
use crate::support::{Running, connect, run};

/// `talkback listen` on a free port, and its URL.
pub(crate) fn listen(arguments: &[&str]) -> (Running, String) {
    listen_at("127.0.0.1:0", arguments)
}

fn listen_at(address: &str, arguments: &[&str]) -> (Running, String) {
    let server = Running::start(&[&["listen", address], arguments].concat());
    let told = "listening at ";
    server.until("it tells its URL", |server| {
        server.stderr().contains(told) && server.stderr().ends_with('\n')
    });
    let stderr = server.stderr();
    let url = stderr.split(told).nth(1).unwrap();
    (server, url.lines().next().unwrap().to_owned())
}

/// Connects; returns once the server has told of it, as the number that it is.
pub(crate) async fn client(server: &Running, url: &str, number: usize) -> WebSocket<Transport> {
    let socket = talkback::connect(url).await.unwrap();
    let told = format!("#{number} connected from 127.0.0.1:");
    server.until("the client is told", |server| {
        server.stderr().contains(&told)
    });
    socket
}

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn next(socket: &mut WebSocket<Transport>) -> Option<Message> {
    let received = timeout(PATIENCE, socket.recv()).await;
    received.expect("it comes").unwrap()
}

/// The status that a client was refused with.
pub(crate) fn status(error: &ConnectError) -> u16 {
    let ConnectError::Handshake { error, .. } = error else {
        panic!("{error}");
    };
    match error {
        HandshakeError::Status(refused) => refused.status.as_u16(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_line_goes_to_every_client_and_what_each_says_is_printed() {
    let (mut server, url) = listen(&["--escape"]);
    let mut first = client(&server, &url, 1).await;
    let mut second = client(&server, &url, 2).await;
    server.type_in("안녕\n");
    for socket in [&mut first, &mut second] {
        assert_eq!(next(socket).await, Some("안녕".into()));
    }
    second.send("two\nlines").await.unwrap();
    server.until("it is printed", |server| {
        server.stdout() == "#2 two\\nlines\n"
    });
    first.close_with(4000, "bye").await.unwrap();
    server.until("its end is told", |server| {
        server
            .stderr()
            .contains("#1 closed by the peer, code 4000, reason \"bye\"\n")
    });
    server.type_in("more\n");
    assert_eq!(next(&mut second).await, Some("more".into()));
}

#[tokio::test]
async fn piped_input_waits_for_a_client_and_the_server_stays_when_it_has_ended() {
    let (mut server, url) = listen(&[]);
    server.type_in("a\nb\n");
    server.stdin = None;
    let mut socket = client(&server, &url, 1).await;
    for line in ["a", "b"] {
        assert_eq!(next(&mut socket).await, Some(line.into()));
    }
    socket.send("C:\\new").await.unwrap();
    server.until("it is printed as it came", |server| {
        server.stdout() == "C:\\new\n"
    });
    client(&server, &url, 2).await;
}

#[tokio::test]
async fn send_greets_each_client_and_one_message_is_enough_if_that_is_asked_for() {
    let (mut server, url) = listen(&["--send", "who?", "-1"]);
    server.type_in("never read\n");
    let mut first = client(&server, &url, 1).await;
    let mut second = client(&server, &url, 2).await;
    for socket in [&mut first, &mut second] {
        assert_eq!(next(socket).await, Some("who?".into()));
    }
    first.send("me").await.unwrap();
    for mut socket in [first, second] {
        assert_eq!(next(&mut socket).await, None);
        assert_eq!(socket.close_info().unwrap().code, 1000);
    }
    let finished = server.finish();
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "me\n"));
    assert!(talkback::connect(url).await.is_err());
}

#[tokio::test]
async fn fewer_messages_than_were_asked_for_have_their_exit_code() {
    let (mut server, url) = listen(&["--messages", "2", "--wait", "0.5"]);
    server.stdin = None;
    let mut socket = talkback::connect(url).await.unwrap();
    socket.send("one").await.unwrap();
    let finished = server.finish();
    assert_eq!((finished.code, &*finished.stdout), (Some(10), "one\n"));
}

#[tokio::test]
async fn the_end_of_the_input_and_what_is_wrong_with_it_wait_for_no_client() {
    let nobody = run(&["listen", "127.0.0.1:0", "-w", "0.1"], "");
    assert_eq!(nobody.code, Some(0), "{nobody:?}");
    for is_wrong in [false, true] {
        let (mut server, url) = listen(&["-w", "0.1"]);
        server.type_in("a\n");
        let mut socket = client(&server, &url, 1).await;
        assert_eq!(next(&mut socket).await, Some("a".into()));
        socket.close().await;
        server.until("its end is told", |server| {
            server.stderr().contains("#1 closed by the peer")
        });
        if is_wrong {
            let stdin = server.stdin.as_mut().unwrap();
            std::io::Write::write_all(stdin, b"\xff\n").unwrap();
        }
        server.stdin = None;
        let finished = server.finish();
        assert_eq!(finished.code, Some(i32::from(is_wrong)), "{finished:?}");
        assert_eq!(
            finished.stderr.contains("line 2 of the input is not UTF-8"),
            is_wrong
        );
    }
}

#[tokio::test]
async fn json_tells_which_client_it_is() {
    let (mut server, url) = listen(&["--json"]);
    let mut socket = talkback::connect(format!("{url}a?token=hunter2"))
        .subprotocol("chat")
        .await
        .unwrap();
    socket.send(vec![0xca, 0xfe]).await.unwrap();
    server.until("it is printed", |server| {
        server.stdout().lines().count() == 3
    });
    server.type_in("hi\n");
    assert_eq!(next(&mut socket).await, Some("hi".into()));
    socket.close().await;
    server.until("the end is printed", |server| {
        server.stdout().lines().count() == 5
    });
    let stdout = server.stdout();
    assert!(!stdout.contains("hunter2") && !server.stderr().contains("hunter2"));
    let events: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let field = |index: usize, name: &str| events[index][name].clone();
    assert_eq!(field(0, "event"), "listening");
    assert_eq!(field(0, "urls")[0], *url);
    assert_eq!(
        (field(1, "event"), field(1, "path")),
        ("open".into(), "/a".into())
    );
    assert_eq!(field(1, "subprotocol"), "chat");
    assert_eq!(
        (field(2, "connection"), field(2, "payload")),
        (1.into(), "yv4=".into())
    );
    assert_eq!(
        (field(3, "direction"), field(3, "connection")),
        ("out".into(), Value::Null)
    );
    assert_eq!(
        (field(4, "event"), field(4, "by")),
        ("close".into(), "client".into())
    );
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_unless_it_is_allowed() {
    let (server, url) = listen(&[
        "-o",
        "http://localhost:8080",
        "--origin",
        "http://b.example",
    ]);
    let connect = |origin| talkback::connect(&*url).origin(origin);
    for (origin, advice) in [
        (
            "https://evil.example",
            "if its pages may reach this machine, allow it with `--origin`",
        ),
        (
            "null",
            "a page from a file or in a sandbox, none of which can be allowed: ",
        ),
        ("file://", "no origin of a web page: leave the header out"),
    ] {
        let refused = connect(origin).await.unwrap_err();
        assert_eq!(status(&refused), 403);
        let what = format!("refused: the Origin {origin:?} may not connect: ");
        server.until("it is told what to do", |server| {
            let stderr = server.stderr();
            stderr
                .lines()
                .any(|line| line.contains(&what) && line.contains(advice))
        });
    }
    assert!(!server.stderr().contains("this server"));
    assert!(connect("http://localhost:8080").await.is_ok());
    assert!(connect("http://b.example").await.is_ok());
}

#[tokio::test]
async fn a_name_that_a_page_made_lead_here_is_refused_unless_it_is_allowed() {
    let (server, url) = listen(&["--host", "laptop.local"]);
    // Its origin is the same, as the page of such a name has it.
    for (host, is_allowed) in [
        ("evil.example:9001", false),
        ("laptop.local:9001", true),
        ("localhost:9001", true),
        ("[::1]:9001", true),
    ] {
        let connecting = talkback::connect(&*url).host(host);
        let connected = connecting.origin(format!("http://{host}")).await;
        match connected {
            Ok(_) => assert!(is_allowed, "{host}"),
            Err(error) => assert_eq!((status(&error), is_allowed), (403, false), "{host}"),
        }
    }
    server.until("it is told what to do", |server| {
        server.stderr().contains("\"evil.example:9001\"") && server.stderr().contains("`--host`")
    });
}

#[tokio::test]
async fn it_speaks_the_subprotocol_that_is_asked_for_first_or_its_own() {
    for (arguments, spoken) in [
        (&[][..], Some("chat.v1")),
        (&["--subprotocol", "chat.v2"], Some("chat.v2")),
        (&["-s", "other"], None),
    ] {
        let (_server, url) = listen(arguments);
        let connecting = talkback::connect(url)
            .subprotocol("chat.v1")
            .subprotocol("chat.v2");
        match connecting.await {
            Ok(socket) => assert_eq!(socket.subprotocol(), spoken),
            Err(error) => assert!(spoken.is_none(), "{error}"),
        }
    }
}

#[test]
fn binary_forms_and_tls_are_those_of_the_other_commands() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("listen.pem");
    let file = file.to_str().unwrap();
    let self_signed = format!("--tls-self-signed={file}");
    let (mut server, url) = listen(&["--hex", &self_signed]);
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    server.until("its certificate is told", |server| {
        server.stderr().contains("SHA-256 fingerprint: ")
    });
    server.type_in("ca fe\n");
    let finished = connect(
        &[&url, "--ca", file, "--base64", "-1", "--send", "AQI="],
        "",
    );
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "yv4=\n"));
    server.until("it is printed", |server| server.stdout() == "0102\n");
}

#[tokio::test]
async fn input_is_cut_and_messages_are_ended_as_asked() {
    for (arguments, input, messages, printed) in [
        (&["--null"][..], "a\nb\0c\0", &["a\nb", "c"][..], "yes\0"),
        (&["--separator=--"], "a--b--", &["a", "b"], "yes--"),
        (&["--binary", "--frame", "2"], "abc", &["ab", "c"], "yes"),
        (&["--binary"], "abc", &["abc"], "yes"),
    ] {
        let (mut server, url) = listen(&[&["-1"], arguments].concat());
        server.type_in(input);
        server.stdin = None;
        let mut socket = client(&server, &url, 1).await;
        for message in messages {
            let came = next(&mut socket).await.unwrap();
            assert_eq!(came.is_text(), arguments[0] != "--binary");
            assert_eq!(came.as_bytes(), message.as_bytes(), "{arguments:?}");
        }
        socket.send("yes").await.unwrap();
        assert_eq!(next(&mut socket).await, None);
        let finished = server.finish();
        assert_eq!((finished.code, &*finished.stdout), (Some(0), printed));
    }
}

#[tokio::test]
async fn messages_are_shown_as_asked() {
    let coloured = "#1 {\n  \x1b[36m\"a\"\x1b[0m: \x1b[33m1\x1b[0m\n}\n";
    for (arguments, shown) in [
        (&["--color", "always"][..], coloured),
        (&["--escape", "--color", "never"], "#1 {\"a\":1}\n"),
    ] {
        let (server, url) = listen(arguments);
        let mut socket = client(&server, &url, 1).await;
        socket.send("{\"a\":1}").await.unwrap();
        server.until("it is printed", |server| server.stdout() == shown);
    }
    let (server, url) = listen(&["--escape", "--times"]);
    let mut socket = client(&server, &url, 1).await;
    socket.send("late").await.unwrap();
    // As in #1 12:34:56.789Z late.
    server.until("it is printed with the time", |server| {
        let stdout = server.stdout();
        let time = stdout
            .strip_prefix("#1 ")
            .and_then(|rest| rest.strip_suffix("Z late\n"));
        time.is_some_and(|time| time.len() == 12 && time.matches(':').count() == 2)
    });
}

#[tokio::test]
async fn quiet_tells_nothing_and_ends_once_nothing_has_come_for_so_long() {
    let mut server = Running::start(&["listen", "127.0.0.1:0", "-q", "--json", "-w", "0.5"]);
    server.until("it listens", |server| server.stdout().ends_with('\n'));
    let event: Value = serde_json::from_str(&server.stdout()).unwrap();
    let mut socket = talkback::connect(event["urls"][0].as_str().unwrap())
        .await
        .unwrap();
    socket.send("one").await.unwrap();
    server.stdin = None;
    assert_eq!(next(&mut socket).await, None);
    let finished = server.finish();
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
}

#[tokio::test]
async fn compression_and_the_largest_message_are_what_is_asked_for() {
    for (arguments, has_deflate) in [(&[][..], true), (&["--no-compression"], false)] {
        let (_server, url) = listen(arguments);
        let socket = talkback::connect(url).await.unwrap();
        assert_eq!(socket.has_deflate(), has_deflate);
    }
    let (_server, url) = listen(&["--max-message", "1KB"]);
    let mut socket = talkback::connect(url).await.unwrap();
    socket.send(vec![0; 1001]).await.unwrap();
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, 1009);
}

#[test]
fn a_certificate_and_its_key_are_read_from_files() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = |name| folder.join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("listen-own.pem"), path("listen-own.key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (_server, url) = listen(&["--tls-cert", &cert, "--tls-key", &key, "--send", "hi"]);
    assert!(url.starts_with("wss://"), "{url}");
    let finished = connect(&[&url, "--ca", &cert, "-1"], "");
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "hi\n"));
}

#[test]
fn localhost_is_both_loopbacks() {
    let (_server, url) = listen_at("localhost:0", &["--send", "hi", "--listen-only"]);
    let port = url.strip_prefix("ws://localhost:").unwrap();
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let finished = connect(&[&format!("ws://{host}:{port}"), "-1"], "");
        assert_eq!(
            (finished.code, &*finished.stdout),
            (Some(0), "hi\n"),
            "{host}"
        );
    }
    let taken = format!(":{}", port.trim_end_matches('/'));
    let finished = run(&["listen", &taken], "");
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    let word = format!("could not listen on localhost{taken}: ");
    assert!(finished.stderr.contains(&word), "{finished:?}");
    assert_eq!(finished.stderr.matches("could not listen").count(), 1);
    // Each is told as it is given there.
    let other = "choose another port after `listen`;";
    assert!(finished.stderr.contains(other), "{finished:?}");
    let finished = run(&["echo", "--listen", &taken], "");
    let other = "choose another port with --listen;";
    assert!(finished.stderr.contains(other), "{finished:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_every_connection_with_1012() {
    let (server, url) = listen(&["-v"]);
    let mut socket = client(&server, &url, 1).await;
    server.until("the request is shown", |server| {
        server.stderr().contains("#1 < GET / HTTP/1.1\n")
    });
    server.signal("TERM");
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, 1012);
    assert_eq!(server.finish().code, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_that_does_not_end_its_closing_handshake_is_told_of() {
    let (server, url) = listen(&["--json"]);
    let _silent = client(&server, &url, 1).await;
    server.signal("TERM");
    let finished = server.finish();
    assert_eq!(finished.code, Some(0));
    assert!(
        finished
            .stderr
            .contains("#1 connection lost without a close frame"),
        "{finished:?}"
    );
    let last: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["connection"]),
        (&"close".into(), &1.into())
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_input_and_no_signal() {
    let (mut server, url) = listen(&[]);
    let _silent = client(&server, &url, 1).await;
    let mut stdin = server.stdin.take().unwrap();
    // More than any buffer holds; it ends with the server.
    let writing = std::thread::spawn(move || {
        let line = format!("{}\n", "x".repeat(100_000));
        while std::io::Write::write_all(&mut stdin, line.as_bytes()).is_ok() {}
    });
    let mut other = client(&server, &url, 2).await;
    other.send("still heard").await.unwrap();
    server.until("others are heard", |server| {
        server.stdout().contains("still heard")
    });
    server.signal("TERM");
    assert_eq!(server.finish().code, Some(0));
    writing.join().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn at_a_prompt_a_line_may_be_for_one_client() {
    let folder = Folder::new("listen");
    let command = [env!("CARGO_BIN_EXE_talkback"), "listen", "127.0.0.1:0"];
    let mut terminal = Terminal::start(&folder, &command, &[]);
    terminal.shows("listening at ws://127.0.0.1:");
    let url = format!("ws://127.0.0.1:{}/", terminal.shows("/"));
    terminal.press("nobody\r");
    terminal.shows("not sent: nobody is connected");
    let mut sockets = Vec::new();
    for number in 1..=2 {
        sockets.push(talkback::connect(&*url).await.unwrap());
        terminal.shows(&format!("#{number} connected from"));
    }
    terminal.press("/to 3 hi\r");
    terminal.shows("not sent: there is no client #3");
    terminal.press("/to 2 for two\r//all\r");
    let (second, first) = (sockets.pop().unwrap(), sockets.pop().unwrap());
    for (number, mut socket, lines) in
        [(1, first, &["/all"][..]), (2, second, &["for two", "/all"])]
    {
        for line in lines {
            assert_eq!(next(&mut socket).await, Some((*line).into()));
        }
        socket.send("thanks").await.unwrap();
        terminal.shows(&format!("#{number} thanks"));
    }
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}
