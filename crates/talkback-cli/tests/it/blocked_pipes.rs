//! Pipes that nobody reads, and servers that never stop, hold up nothing else.

use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use talkback::WebSocketChannel;
use tokio::time::timeout;

use crate::support::server::{open, server};
use crate::support::{LIMIT, Running, connect, first_line};

/// More than a pipe and the log hold, in bytes.
#[cfg(unix)]
const FLOOD: usize = 4 * 1024 * 1024;

/// A program whose output and log nobody reads; killed when dropped.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Unread {
    fn start(arguments: &[&str]) -> (Self, ChildStdout) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
        command.args(arguments).env_remove("RUST_LOG");
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        (Self(child), stdout)
    }

    /// Whether Ctrl-C ends it.
    #[cfg(unix)]
    fn ends_at_ctrl_c(mut self) -> bool {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(status.unwrap().success());
        let begin = std::time::Instant::now();
        while begin.elapsed() < LIMIT {
            if self.0.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_connection() {
    let (server, mut stdout) = Unread::start(&["echo", "--listen", "127.0.0.1:0", "-v"]);
    let line = first_line(&mut stdout);
    let url = line.split_whitespace().find(|word| word.contains("://"));
    let url = url.unwrap();
    // Each leaves two lines of over 80 bytes; a pipe holds 64 KiB.
    for _ in 0..600 {
        let channel = WebSocketChannel::connect(url);
        channel.ready().wait().unwrap();
        channel.close().wait().unwrap();
    }
    let finished = connect(&[url], "Hello!\n");
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    #[cfg(unix)]
    assert!(server.ends_at_ctrl_c());
    #[cfg(not(unix))]
    drop(server);
}

#[cfg(unix)]
#[test]
fn a_reader_that_stops_does_not_keep_a_signal_from_ending_the_client() {
    let (_server, url) = crate::support::echo(&[]);
    let (mut client, _stdout) = Unread::start(&["connect", &url]);
    let mut stdin = client.0.stdin.take().unwrap();
    let flood = std::thread::spawn(move || {
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        for _ in 0..FLOOD / line.len() {
            // The client ends in the midst of it.
            if std::io::Write::write_all(&mut stdin, &line).is_err() {
                return;
            }
        }
    });
    // Until the pipe is full.
    std::thread::sleep(Duration::from_millis(300));
    assert!(client.ends_at_ctrl_c());
    flood.join().unwrap();
}

#[test]
fn a_server_that_never_stops_does_not_hide_the_input() {
    let (heard, first) = mpsc::channel();
    let url = server(move |stream| {
        let heard = heard.clone();
        async move {
            let mut socket = open(stream).await;
            loop {
                for number in 0..100 {
                    if socket.feed(number.to_string()).await.is_err() {
                        return;
                    }
                }
                let now = timeout(Duration::ZERO, socket.recv()).await;
                if let Ok(Ok(Some(message))) = now {
                    heard.send(message.to_string()).unwrap();
                }
            }
        }
    });
    let mut client = Running::start(&["connect", &url]);
    client.until("the flood has begun", |client| client.stdout().len() > 1000);
    client.type_in("Hello!\n");
    assert_eq!(first.recv_timeout(LIMIT).unwrap(), "Hello!");
    #[cfg(unix)]
    {
        client.signal("INT");
        client.finish();
    }
}

/// What a shell makes of these lines, in which `$0` is the program and `$1` the server: what comes out
/// on standard output and standard error.
#[cfg(target_os = "linux")]
fn shell(lines: &str, url: &str) -> (String, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", lines, env!("CARGO_BIN_EXE_talkback"), url]);
    let finished = shell.env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(finished.stdout), text(finished.stderr))
}

#[test]
#[cfg(target_os = "linux")]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (_server, url) = crate::support::echo(&[]);
    let lines = r#"seq 1 100000 | { "$0" connect "$1"; echo "code $?" >&2; } | head -n 2"#;
    let (stdout, stderr) = shell(lines, &url);
    assert_eq!(stdout, "1\n2\n");
    assert!(stderr.contains("closed by this end"), "{stderr}");
    assert!(stderr.ends_with("code 0\n"), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_is_lost_is_an_error() {
    let (_server, url) = crate::support::echo(&[]);
    for count in [1, 100_000] {
        let lines = format!(r#"seq 1 {count} | "$0" connect "$1" >/dev/full; echo "code $?""#);
        let (stdout, stderr) = shell(&lines, &url);
        assert_eq!(stdout, "code 1\n", "{stderr}");
        let what = "could not write to standard output: No space left on device";
        assert!(stderr.contains(what), "{stderr}");
    }
}
