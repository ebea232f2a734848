//! `talkback hub`, two of them over one Redis, and their clients.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use talkback::{Json, Message, WebSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::program::{Program, folder, free_port};
use crate::programs::{built, run};
use crate::redis::server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(60);

/// The command, on a port of 127.0.0.1.
struct Command {
    program: Program,
    port: u16,
}

impl Command {
    fn start(redis: &str, options: &[&str]) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut command = built("talkback");
        command.args(["hub", &address]).args(options);
        command.env("TALKBACK_REDIS", redis);
        let program = Program::serve_logged(&mut command, port);
        Self { program, port }
    }

    /// Status and content of an answer.
    fn ask(&self, request: &str, lines: &[&str], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let mut text = format!("{request} HTTP/1.0\r\nHost: localhost\r\n");
        for line in lines {
            let _ = write!(text, "{line}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("it has a status"), body.to_owned())
    }

    fn post(&self, id: &str, text: &str) -> (u16, String) {
        let id = format!("Idempotency-Key: {id}");
        self.ask("POST /t/news", &["Content-Type: text/plain", &id], text)
    }

    /// Waits until `/ready` is answered so.
    fn until_ready_is(&self, status: u16, text: &str) {
        let begin = Instant::now();
        loop {
            let answer = self.ask("GET /ready", &[], "");
            if answer.0 == status && answer.1.contains(text) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a client of the subprotocol is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    at: Option<String>,
    text: Option<String>,
    subscribed: Option<bool>,
    recovered: Option<bool>,
    gap: Option<IgnoredAny>,
    reset: Option<bool>,
}

impl Told {
    fn read(message: &Message) -> Self {
        let told = Json.decode(message);
        told.unwrap_or_else(|error| panic!("{message}: {error}"))
    }
}

async fn subscribe(port: u16, after: Option<&str>) -> Option<WebSocket<talkback::Transport>> {
    let url = format!("ws://127.0.0.1:{port}/");
    let connecting = talkback::connect(url).subprotocol("talkback.topics.v1");
    let mut socket = connecting.await.ok()?;
    let after = after.map_or(String::new(), |at| format!(r#","after":"{at}""#));
    let asked = format!(r#"{{"do":"subscribe","topic":"news"{after}}}"#);
    socket.send(asked).await.ok()?;
    Some(socket)
}

/// Reads up to `last`, at one of these ports after another; what came.
async fn read_all(mut ports: [u16; 2], begun: watch::Sender<usize>, last: &str) -> Vec<String> {
    let (mut texts, mut at): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let Some(mut socket) = subscribe(ports[0], at.as_deref()).await else {
            ports.swap(0, 1);
            continue;
        };
        while let Ok(Some(message)) = socket.recv().await {
            let told = Told::read(&message);
            assert!(told.gap.is_none() && told.reset.is_none(), "{told:?}");
            if told.subscribed == Some(true) {
                assert_eq!(told.recovered, Some(at.is_some()), "{told:?}");
                if at.is_none() {
                    begun.send_modify(|count| *count += 1);
                }
            }
            at = told.at.or(at);
            texts.extend(told.text);
            if texts.last().is_some_and(|text| text == last) {
                return texts;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hu10_whoever_was_at_a_hub_that_is_killed_goes_on_at_the_other() {
    const CLIENTS: usize = 300;
    const MESSAGES: usize = 200;
    let redis = RedisServer::start();
    let mut first = Command::start(&redis.url(), &[]);
    let other = Command::start(&redis.url(), &[]);
    for hub in [&first, &other] {
        hub.until_ready_is(200, "\"up\"");
    }
    let (begun, mut all) = watch::channel(0);
    // No JSON, which would come as such.
    let text = |number: usize| format!("n{number}");
    let last = text(MESSAGES - 1);
    let mut clients = JoinSet::new();
    for number in 0..2 * CLIENTS {
        let mut ports = [first.port, other.port];
        ports.rotate_left(number % 2);
        let (begun, last) = (begun.clone(), last.clone());
        clients.spawn(async move { read_all(ports, begun, &last).await });
    }
    let waiting = all.wait_for(|count| *count == 2 * CLIENTS);
    timeout(PATIENCE, waiting)
        .await
        .expect("all subscribe")
        .expect("it lives");
    for number in 0..MESSAGES {
        if number == MESSAGES / 2 {
            first.program.kill();
        }
        let (status, told) = other.post(&number.to_string(), &text(number));
        assert_eq!(status, 200, "{told}");
    }
    let expected: Vec<String> = (0..MESSAGES).map(text).collect();
    while let Some(texts) = timeout(PATIENCE, clients.join_next())
        .await
        .expect("all end")
    {
        assert_eq!(texts.expect("it does not panic"), expected);
    }
}

#[tokio::test]
async fn hu4_while_redis_is_down_nothing_is_said_to_be_published() {
    let mut redis = RedisServer::durable();
    let hub = Command::start(&redis.url(), &[]);
    let needing = Command::start(&redis.url(), &["--ready-needs-backplane"]);
    for hub in [&hub, &needing] {
        hub.until_ready_is(200, "\"up\"");
    }
    let mut socket = subscribe(hub.port, None).await.expect("it listens");
    let begun = socket.recv().await.expect("it is open");
    assert_eq!(
        Told::read(&begun.expect("it is answered")).subscribed,
        Some(true)
    );
    assert_eq!(hub.post("1", "before").0, 200);
    redis.kill();
    hub.until_ready_is(200, "\"down\"");
    needing.until_ready_is(503, "\"down\"");
    assert_eq!(hub.ask("GET /health", &[], ""), (200, "ok\n".to_owned()));
    let begin = Instant::now();
    let (status, why) = hub.post("2", "meanwhile");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("backplane"), "{why}");
    assert!(!why.contains("127.0.0.1"), "where Redis is: {why}");
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    redis.go_on();
    hub.until_ready_is(200, "\"up\"");
    needing.until_ready_is(200, "\"up\"");
    // The same again, as nothing was published; and once, however often it is sent.
    let (status, first) = hub.post("2", "meanwhile");
    assert_eq!(status, 200, "{first}");
    let (_, again) = needing.post("2", "meanwhile");
    assert!(again.contains("\"duplicate\":true"), "{again}");
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != "meanwhile") {
        let message = timeout(PATIENCE, socket.recv()).await.expect("it comes");
        let message = message
            .expect("the socket stays open")
            .expect("it is no end");
        texts.extend(Told::read(&message).text);
    }
    assert_eq!(texts, ["before", "meanwhile"]);
}

#[test]
fn ba23_ba24_what_is_wrong_is_told_and_what_is_not_there_is_waited_for() {
    let mut redis = RedisServer::absent(&["--requirepass", "right"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    let waiting = Command::start(&url("right"), &[]);
    waiting.until_ready_is(503, "\"down\"");
    assert_eq!(waiting.post("1", "x").0, 503);
    let wrong = url("not-to-be-seen");
    let right = url("right");
    redis.go_on();
    waiting.until_ready_is(200, "\"up\"");
    assert_eq!(waiting.post("1", "x").0, 200);
    let mut command = built("talkback");
    command
        .args(["hub", "127.0.0.1:0"])
        .env("TALKBACK_REDIS", &wrong);
    let (output, _, stderr) = run(&mut command, None);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("WRONGPASS") && stderr.contains("--redis"),
        "{stderr}"
    );
    for secret in ["not-to-be-seen", &*right] {
        assert!(!stderr.contains(secret), "{stderr}");
        assert!(!waiting.program.log().contains(secret));
    }
}

/// An nginx before a hub, that gives up a connection on which nothing comes for 25 s.
fn nginx(hub: u16) -> (Program, u16) {
    let port = free_port();
    let folder = folder(&format!("hub-nginx-{port}"));
    let at = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};"));
    let config = format!(
        "daemon off; pid {at}/pid; error_log stderr; events {{}}
        http {{
            access_log off; {}
            map $http_upgrade $passed_on {{ default upgrade; '' close; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://127.0.0.1:{hub};
                    proxy_http_version 1.1;
                    proxy_set_header Host $http_host;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $passed_on;
                    proxy_read_timeout 25s;
                }}
            }}
        }}",
        temporary.concat()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).expect("the folder can be written to");
    let mut nginx = std::process::Command::new("nginx");
    nginx.arg("-e").arg("stderr").arg("-c").arg(&file);
    (Program::serve_logged(&mut nginx, port), port)
}

#[tokio::test]
async fn hu13_behind_nginx_silence_ends_neither_events_nor_sockets() {
    let port = free_port();
    let mut command = built("talkback");
    command.args(["hub", &format!("127.0.0.1:{port}")]);
    let _hub = Program::serve_logged(&mut command, port);
    let (_nginx, port) = nginx(port);
    let mut socket = talkback::connect(format!("ws://127.0.0.1:{port}/t/news"))
        .keepalive(talkback::Keepalive::OFF)
        .await
        .expect("it passes on upgrades");
    let mut events = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    events
        .set_read_timeout(Some(PATIENCE))
        .expect("it is a time");
    let request = format!(
        "GET /t/news HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
    );
    events.write_all(request.as_bytes()).expect("it reads");
    // More than nginx's time; the hub says something each 20 s.
    let silent = timeout(Duration::from_secs(30), socket.recv()).await;
    assert!(silent.is_err(), "{silent:?}");
    let mut other = talkback::connect(format!("ws://127.0.0.1:{port}/t/news"))
        .await
        .expect("it passes on upgrades");
    other.send("still there").await.expect("it is open");
    let message = timeout(PATIENCE, socket.recv()).await.expect("it comes");
    assert_eq!(message.expect("it is open"), Some("still there".into()));
    let mut heard = String::new();
    while !heard.contains("data: still there\n\n") {
        let mut bytes = [0; 1024];
        let count = events.read(&mut bytes).expect("it comes");
        assert!(count > 0, "the stream has ended: {heard:?}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    // One in the silence.
    assert!(heard.contains(":\n\n"), "{heard:?}");
}
