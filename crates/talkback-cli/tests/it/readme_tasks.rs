//! README.md's ten tasks: how long the commands are, and that ours do what the task is.

use crate::support::readme::{shell, tasks};
use crate::support::terminal::{Folder, Terminal};
use crate::support::{Finished, Running, echo, url_of};

/// Where README.md's server listens.
const PORT: &str = "9001";

#[test]
fn commands_are_as_long_as_they_are_said_to_be() {
    let tasks = tasks();
    assert_eq!(tasks.len(), 10);
    for (count, command) in tasks.concat() {
        assert_eq!(command.chars().count(), count, "{command}");
    }
}

/// Our command for a task, for the server at this URL.
fn ours(task: usize, url: &str) -> String {
    let tasks = tasks();
    let ours = tasks[task - 1].iter().map(|(_, command)| *command);
    let mut ours = ours.filter(|command| command.contains("talkback "));
    let command = ours.next().unwrap();
    assert_eq!(ours.next(), None, "two for task {task}");
    command.replace(PORT, url.trim_end_matches('/').rsplit(':').next().unwrap())
}

fn start(task: usize, url: &str, folder: &Folder) -> Running {
    // It becomes the command, so that who ends it ends that.
    Running::spawn(&mut shell(&format!("exec {}", ours(task, url)), folder))
}

/// Runs a task that ends by itself, or with its input.
fn finish(task: usize) -> Finished {
    let (_server, url) = echo(&[]);
    let folder = Folder::new(&format!("task-{task}"));
    let mut running = start(task, &url, &folder);
    running.stdin = None;
    let finished = running.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
}

/// Runs a task for which a person sits at a terminal.
fn at_a_terminal(task: usize, url: &str, folder: &Folder) -> Terminal {
    let command = ours(task, url);
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let binary = env!("CARGO_BIN_EXE_talkback");
    Terminal::start(folder, &[&[binary], &words[..]].concat(), &[])
}

#[test]
fn task_1_a_message_is_sent_and_the_answer_printed() {
    assert_eq!(finish(1).stdout, "hi\n");
}

#[test]
fn task_2_the_next_message_is_printed() {
    assert_eq!(finish(2).stdout.lines().count(), 1);
}

#[test]
fn task_3_a_file_goes_as_a_binary_message_and_the_answer_becomes_one() {
    let (_server, url) = echo(&[]);
    let folder = Folder::new("task-3");
    let mut command = shell(&ours(3, &url), &folder);
    let bytes = [&b"\xff\x00\n"[..], "안녕하세요\n".as_bytes(), &[7; 70_000]].concat();
    std::fs::write(folder.0.join("a.png"), &bytes).unwrap();
    let finished = Running::spawn(&mut command).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(std::fs::read(folder.0.join("b.png")).unwrap() == bytes);
}

#[test]
fn task_4_a_header_goes_with_the_request() {
    let headers: serde_json::Value = serde_json::from_str(&finish(4).stdout).unwrap();
    assert!(
        headers.to_string().to_lowercase().contains(r#""x-id""#),
        "{headers}"
    );
}

#[test]
fn task_5_a_subprotocol_is_agreed_on() {
    let finished = finish(5);
    assert_eq!(finished.stdout, "hi\n");
    assert!(finished.stderr.contains("subprotocol chat"), "{finished:?}");
}

#[test]
fn task_6_what_comes_is_printed_though_the_server_starts_anew() {
    let (server, url) = echo(&[]);
    let folder = Folder::new("task-6");
    let mut running = start(6, &url, &folder);
    let has = |line: &'static str| move |running: &Running| running.stdout().ends_with(line);
    running.type_in("one\n");
    running.until("the first is echoed", has("one\n"));
    drop(server);
    running.until("the loss is told", |running| {
        running.stderr().contains("Reconnecting")
    });
    running.type_in("안녕\n");
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let server = Running::start(&["echo", "--listen", address]);
    url_of(&server);
    running.until("the second is echoed by the other", has("안녕\n"));
}

#[test]
fn task_7_the_latency_of_pings_is_told() {
    let (_server, url) = echo(&[]);
    let mut terminal = at_a_terminal(7, &url, &Folder::new("task-7"));
    terminal.shows("latency: ");
    terminal.shows("latency: ");
}

#[test]
fn task_8_a_person_talks() {
    let (_server, url) = echo(&[]);
    let mut terminal = at_a_terminal(8, &url, &Folder::new("task-8"));
    terminal.shows("> ");
    terminal.press("안녕\r");
    terminal.shows("안녕\r\n");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn task_9_a_person_is_the_server() {
    let command = ours(9, "ws://localhost:0/");
    assert_eq!(command, "talkback listen");
    let binary = env!("CARGO_BIN_EXE_talkback");
    // README.md's port may be another's.
    let mut terminal = Terminal::start(&Folder::new("task-9"), &[binary, "listen", "0"], &[]);
    terminal.shows("listening at ");
    let url = terminal.shows("/\r\n");
    let mut client = Running::start(&["connect", &url, "-1"]);
    terminal.shows("#1 connected");
    client.type_in("question\n");
    terminal.shows("#1 question");
    terminal.press("answer\r");
    assert_eq!(client.finish().stdout, "answer\n");
}

#[test]
fn task_10_the_request_and_its_answer_are_seen() {
    let (_server, url) = echo(&[]);
    let mut terminal = at_a_terminal(10, &url, &Folder::new("task-10"));
    for line in [
        "> GET / HTTP/1.1\r\n",
        "> upgrade: websocket\r\n",
        "< HTTP/1.1 101 Switching Protocols\r\n",
    ] {
        terminal.shows(line);
    }
}
