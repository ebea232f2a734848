//! The demo in a pipe: lines in, answers out.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use talkback::{CloseCode, WebSocket};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback-demo"));
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for its end; its output is small enough for a pipe to hold.
fn finish(mut demo: Child) -> Finished {
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = demo.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > LIMIT {
            demo.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let (mut out, mut err) = (demo.stdout.take().unwrap(), demo.stderr.take().unwrap());
    out.read_to_string(&mut stdout).unwrap();
    err.read_to_string(&mut stderr).unwrap();
    Finished {
        code: status.code(),
        stdout,
        stderr,
    }
}

/// Runs the demo with this input to its end.
async fn run(arguments: &[&str], input: impl AsRef<[u8]>) -> Finished {
    let mut demo = start(arguments);
    let mut stdin = demo.stdin.take().unwrap();
    // A demo that has ended takes nothing more.
    let _ = stdin.write_all(input.as_ref());
    drop(stdin);
    tokio::task::spawn_blocking(|| finish(demo)).await.unwrap()
}

/// A server that does `serve` with its connections; its URL.
pub(crate) async fn server<F>(serve: impl Fn(WebSocket<TcpStream>) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let socket = talkback::accept(stream).await.unwrap();
            tokio::spawn(serve(socket));
        }
    });
    url
}

/// A failure is one line on standard error.
#[track_caller]
fn fails(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
}

#[tokio::test]
async fn lines_come_back() {
    let finished = run(&[], "Hello!\n안녕하세요\n").await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "Hello!\n안녕하세요\n");
    assert_eq!(finished.stderr, "");
}

#[tokio::test]
async fn every_answer_is_printed_in_order() {
    let lines: String = (0..3000).map(|number| format!("{number}\n")).collect();
    let finished = run(&[], &lines).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    assert_eq!(finished.stdout, lines);
}

#[tokio::test]
async fn empty_lines_are_not_sent_and_the_last_needs_no_end() {
    let finished = run(&[], "\n\na\n\r\n\nb").await;
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "a\nb\n"));
    let nothing = run(&[], "").await;
    assert_eq!((nothing.code, &*nothing.stdout), (Some(0), ""));
}

#[tokio::test]
async fn lines_before_one_that_is_not_utf8_are_answered() {
    let finished = run(&[], b"a\nb\n\xff\nc\n").await;
    fails(&finished, &["line 3 ", "UTF-8"]);
    assert_eq!(finished.stdout, "a\nb\n");
}

#[tokio::test]
async fn a_server_can_be_named() {
    let server = talkback_echo::start().unwrap();
    let finished = run(&["--url", server.url()], "Hello!\n").await;
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), "Hello!\n"),
        "{finished:?}"
    );
}

#[tokio::test]
async fn an_answer_is_shown_while_more_may_be_typed() {
    let mut demo = start(&[]);
    let mut stdin = demo.stdin.take().unwrap();
    stdin.write_all("안녕\n".as_bytes()).unwrap();
    let mut stdout = demo.stdout.take().unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = vec![0; "안녕\n".len()];
        stdout.read_exact(&mut answer).map(|()| (answer, stdout))
    });
    let answer = tokio::time::timeout(LIMIT, answer).await.unwrap();
    let (answer, stdout) = answer.unwrap().unwrap();
    assert_eq!(answer, "안녕\n".as_bytes());
    drop(stdin);
    demo.stdout = Some(stdout);
    assert_eq!(finish(demo).code, Some(0));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let url = server(|mut socket| async move { while let Ok(Some(_)) = socket.recv().await {} });
    let url = url.await;
    let finished = run(&["--url", &url, "--answer-timeout", "0.3"], "a\nb\n").await;
    fails(
        &finished,
        &["300ms", "2 lines are unanswered", "--answer-timeout"],
    );
    assert_eq!(finished.stdout, "");
}

#[tokio::test]
async fn a_server_that_greets_first_still_gets_to_answer() {
    let url = server(|mut socket| async move {
        socket.send("welcome").await.unwrap();
        while let Ok(Some(message)) = socket.recv().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
            socket.send(message).await.unwrap();
        }
    });
    let finished = run(&["--url", &url.await], "Hello!\n").await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.ends_with("Hello!\n"), "{finished:?}");
    let all = finished.stdout + &finished.stderr;
    assert!(all.contains("welcome"), "{all}");
}

#[tokio::test]
async fn a_server_that_answers_otherwise_is_shown_as_well() {
    let url = server(|mut socket| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let answer = message.to_string().to_uppercase();
            socket.send(answer).await.unwrap();
        }
    });
    let finished = run(&["--url", &url.await], "a\nb\n").await;
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "A\nB\n"));
}

#[tokio::test]
async fn a_server_that_closes_early_takes_one_line() {
    let url = server(|mut socket| async move {
        let _ = socket.recv().await;
        let code = CloseCode::new(4001);
        let _ = socket.close_with(code, "enough").await;
    });
    let finished = run(&["--url", &url.await], "a\nb\n").await;
    let how = "unanswered. Closed by the peer, code 4001, reason \"enough\".\n";
    fails(&finished, &["too early", how]);
}

#[tokio::test]
async fn a_server_that_is_not_there_takes_one_line_without_secrets() {
    let url = "ws://user:hunter2@127.0.0.1:1/?token=hunter2";
    let finished = run(&["--url", url], "a\n").await;
    fails(&finished, &["127.0.0.1:1", "refused"]);
    assert!(!finished.stderr.contains("hunter2"));
}

#[tokio::test]
async fn wrong_usage_has_an_exit_code_of_its_own() {
    let finished = run(&["--colour"], "").await;
    assert_eq!(finished.code, Some(2));
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_reader_that_has_seen_enough_is_no_error_and_one_that_takes_nothing_is() {
    let run = |lines: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", lines, env!("CARGO_BIN_EXE_talkback-demo")]);
        let finished = shell.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(finished.stdout), text(finished.stderr))
    };
    let (stdout, stderr) = run(r#"seq 1 20000 | { "$0"; echo "code $?" >&2; } | head -n 1"#);
    assert_eq!(stdout, "1\n");
    assert!(stderr.ends_with("code 0\n"), "{stderr}");
    let (stdout, stderr) = run(r#"seq 1 20000 | "$0" >/dev/full; echo "code $?""#);
    assert_eq!(stdout, "code 1\n", "{stderr}");
    assert!(
        stderr.contains("could not write to standard output: No space left"),
        "{stderr}"
    );
}

/// A server that greets, and echoes then.
async fn greeter() -> String {
    server(|mut socket| async move {
        socket.send("welcome").await.unwrap();
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
    .await
}

#[tokio::test]
async fn answers_are_printed_though_nobody_reads_standard_error() {
    let mut demo = start(&["--url", &greeter().await]);
    drop(demo.stderr.take());
    let mut stdin = demo.stdin.take().unwrap();
    let (mut answers, lines) = (demo.stdout.take().unwrap(), ["a\n", "b\n", "c\n"]);
    let (answered, status) = tokio::task::spawn_blocking(move || {
        // One by one, so that the greeting is not taken for an answer.
        std::thread::sleep(Duration::from_secs(1));
        for line in lines {
            stdin.write_all(line.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(stdin);
        let mut answered = String::new();
        answers.read_to_string(&mut answered).unwrap();
        (answered, demo.wait().unwrap())
    })
    .await
    .unwrap();
    assert_eq!((status.code(), &*answered), (Some(0), "a\nb\nc\n"));
}

#[tokio::test]
async fn a_connection_that_is_lost_is_the_end_for_a_script() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let url = server(move |mut socket| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let _ = socket.recv().await;
            let _ = socket.close_with(CloseCode::GOING_AWAY, "").await;
        }
    });
    let finished = run(&["--url", &url.await], "a\n").await;
    fails(&finished, &["too early", "1 line is unanswered", "1001"]);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
