//! README.md's transcripts: the same is typed, and the same is shown, but for times, ports, keys and numbers.

use crate::support::hub::url_of_hub;
use crate::support::readme::{blocks, shell};
use crate::support::terminal::{Folder, Terminal};
use crate::support::{Running, echo, url_of};

/// What is typed at the shell, and what is shown then.
fn transcript(begin: &str) -> (&'static str, Vec<&'static str>) {
    let blocks = blocks(&format!("$ talkback {begin}"));
    let [block] = blocks[..] else {
        panic!("{} transcripts of {begin}", blocks.len());
    };
    let mut lines = block.lines();
    let command = lines.next().unwrap().trim_start_matches("$ talkback ");
    (command, lines.collect())
}

/// The arguments of a command, for the server at this port.
fn arguments(command: &str, port: &str) -> Vec<String> {
    let words = command.replace("9001", port);
    words.split(' ').map(str::to_owned).collect()
}

fn port(url: &str) -> &str {
    url.trim_end_matches('/').rsplit(':').next().unwrap()
}

/// A line without what is another at each run.
fn constant(line: &str) -> String {
    // `localhost` is either.
    let line = line.replace("[::1]", "127.0.0.1");
    // What a host's addresses are is the machine's.
    for begin in [
        "* DNS: ",
        "> sec-websocket-key: ",
        "< sec-websocket-accept: ",
    ] {
        if line.starts_with(begin) {
            return begin.to_owned();
        }
    }
    let is_of_number = |letter: char| letter.is_ascii_digit() || "., ".contains(letter);
    let mut text = String::new();
    for letter in line.chars() {
        match (letter, text.ends_with('0')) {
            (letter, true) if is_of_number(letter) && letter != ' ' => {}
            ('0'..='9', false) => text.push('0'),
            (letter, _) => text.push(letter),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Both outputs' lines; which of the two comes first is the machine's.
fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(constant).collect();
    lines.sort();
    lines
}

/// Runs what a shell is given in a transcript, and holds what it shows.
#[track_caller]
fn replay(begin: &str, port: &str) {
    let blocks = blocks(begin);
    let [block] = blocks[..] else {
        panic!("{} transcripts of {begin}", blocks.len());
    };
    let folder = Folder::new(&format!("readme-shell-{}", block.len()));
    for entry in block.trim_start_matches("$ ").split("\n$ ") {
        let (command, shown) = entry.split_once('\n').unwrap();
        let finished = Running::spawn(&mut shell(&command.replace("9001", port), &folder)).finish();
        let all = finished.stdout + &finished.stderr;
        assert_eq!(sorted(all.lines()), sorted(shown.lines()), "{command}");
    }
}

#[test]
fn what_is_installed_is_what_the_readme_shows() {
    replay("$ talkback man ", "none");
}

#[test]
fn clients_and_the_log_of_their_server_are_as_the_readme_shows() {
    let (command, shown) = transcript("echo");
    assert_eq!(command, "echo");
    let server = Running::start(&["echo", "--listen", "localhost:0"]);
    let url = url_of(&server);
    replay("$ talkback -1 ", port(&url));
    let told = |server: &Running| server.stdout() + &server.stderr();
    server.until("it has told of both", |server| {
        told(server).lines().count() == shown.len()
    });
    let told = told(&server);
    assert_eq!(sorted(told.lines()), sorted(shown.into_iter()));
}

#[test]
fn a_hub_serves_a_topic_as_the_readme_shows() {
    let server = Running::start(&["hub", "localhost:0"]);
    replay("$ talkback --send Hello! ", port(&url_of_hub(&server)));
}

#[test]
fn a_look_shows_what_the_readme_shows() {
    let (_server, url) = echo(&[]);
    let (command, shown) = transcript("-vv ");
    let arguments = arguments(command, port(&url));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = Running::start(&arguments).finish();
    let all = finished.stdout + &finished.stderr;
    assert_eq!(sorted(all.lines()), sorted(shown.into_iter()));
}

#[test]
fn a_load_is_reported_as_the_readme_shows() {
    let (_server, url) = echo(&[]);
    let (command, shown) = transcript("bench ");
    let report = Folder::new("readme-bench");
    let path = report.0.join("report.html");
    std::fs::create_dir_all(&report.0).unwrap();
    let command = command.replace("report.html", path.to_str().unwrap());
    let command = command.replace("-c 100 -d 5 --rate 2000", "-c 5 -d 0.5 --rate 100");
    let arguments = arguments(&command, port(&url));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = Running::start(&arguments).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // How many bars there are is the machine's.
    let lines = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        lines
            .map(constant)
            .filter(|line| !line.starts_with('<'))
            .collect()
    };
    let told = lines(&mut finished.stdout.lines());
    assert_eq!(told, lines(&mut shown.into_iter()));
    assert!(path.exists());
}

/// What of a line is the same at each run, as far as a terminal is waited for: its longest part without a number.
fn part(line: &str) -> &str {
    let parts = line.split(|letter: char| letter.is_ascii_digit());
    parts.max_by_key(|part| part.len()).unwrap()
}

#[test]
fn a_talk_is_as_the_readme_shows() {
    let (_server, url) = echo(&[]);
    let (command, shown) = transcript(":9001 ");
    let mut all = vec![env!("CARGO_BIN_EXE_talkback").to_owned()];
    all.extend(arguments(command, port(&url)));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let environment = [("NO_COLOR", "1")];
    let mut terminal = Terminal::start(&Folder::new("readme-talk"), &all, &environment);
    for line in shown {
        match line.strip_prefix("> ") {
            Some(typed) => {
                terminal.shows("> ");
                // As a terminal marks it, and README.md its line ends.
                terminal.paste(&typed.replace('↵', "\n"));
                terminal.press("\r");
            }
            None => drop(terminal.shows(part(line))),
        }
    }
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_server_of_ones_own_is_as_the_readme_shows() {
    let (command, shown) = transcript("listen");
    let arguments = [env!("CARGO_BIN_EXE_talkback"), command, "0"];
    let mut terminal = Terminal::start(&Folder::new("readme-listen"), &arguments, &[]);
    let mut shown = shown.into_iter();
    assert!(
        shown
            .next()
            .unwrap()
            .starts_with("listening at ws://localhost:")
    );
    terminal.shows("listening at ws://localhost:");
    let port = terminal.shows("/\r\n");
    let mut clients = Vec::new();
    for line in shown {
        if let Some(typed) = line.strip_prefix("> ") {
            terminal.press(&format!("{typed}\r"));
            let text = typed.trim_start_matches("/to 2 ");
            let client: &Running = &clients[usize::from(text != typed)];
            client.until("it gets the line", |client| {
                client.stdout().ends_with(&format!("{text}\n"))
            });
        } else if let Some((_, path)) = line.split_once(", path ") {
            let url = format!("ws://127.0.0.1:{port}{path}");
            clients.push(Running::start(&["connect", &url]));
            terminal.shows(&format!("#{} connected from 127.0.0.1:", clients.len()));
            terminal.shows(&format!(", path {path}"));
        } else if line.starts_with("#1 closed") {
            clients[0].stdin = None;
            terminal.shows(line);
        } else {
            clients[0].type_in(&format!("{}\n", line.trim_start_matches("#1 ")));
            terminal.shows(line);
        }
    }
    assert_eq!(clients.len(), 2);
}
