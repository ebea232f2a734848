//! `talkback connect` in tmux: what a person types and pastes there arrives, and the screen shows no more than it
//! should, whatever its width becomes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Program, folder, free_port};
use crate::programs::{LIMIT, built};

/// A tmux of its own, with one pane; it ends when this is dropped.
struct Tmux {
    name: String,
    folder: PathBuf,
}

impl Tmux {
    fn start(folder: PathBuf, url: &str) -> Self {
        let name = format!("talkback-{}", std::process::id());
        let tmux = Self { name, folder };
        let program = built("talkback").get_program().to_owned();
        let state = format!("XDG_STATE_HOME={}", tmux.folder.display());
        let size = ["new-session", "-d", "-x", "80", "-y", "24", "--", "env"];
        let command = [
            &size[..],
            &[&state, program.to_str().expect("UTF-8"), "connect", url],
        ];
        tmux.tmux(&command.concat());
        tmux
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.name, "-f", "/dev/null"]);
        command
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX");
        let output = command.stdin(Stdio::null()).output();
        let output = output.expect("tmux is installed");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("it was told that all is UTF-8")
    }

    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// As with the middle button of the mouse: the program is told what is pasted.
    fn pastes(&self, text: &str) {
        let file = self.folder.join("pasted");
        fs::write(&file, text).expect("the target folder can be written to");
        self.tmux(&["load-buffer", file.to_str().expect("UTF-8")]);
        self.tmux(&["paste-buffer", "-p", "-d"]);
    }

    fn resize(&self, columns: &str) {
        self.tmux(&["resize-window", "-x", columns]);
    }

    /// The lines on the screen that are not empty.
    fn screen(&self) -> Vec<String> {
        let lines = self.tmux(&["capture-pane", "-p"]);
        let lines = lines.lines().map(str::trim_end);
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Waits until the screen ends with these lines.
    #[track_caller]
    fn shows(&self, lines: &[&str]) {
        let begin = Instant::now();
        while !ends_with(&self.screen(), lines) {
            assert!(begin.elapsed() < LIMIT, "{lines:?}: {:#?}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.name, "kill-server"]);
        // It may have ended with its program.
        let _ = command.output();
    }
}

fn ends_with(screen: &[String], lines: &[&str]) -> bool {
    screen.len() >= lines.len() && screen[screen.len() - lines.len()..] == *lines
}

#[test]
fn what_is_typed_and_pasted_arrives_and_the_screen_is_right() {
    let port = free_port();
    let mut command = built("talkback");
    command.args([
        "listen",
        &format!("127.0.0.1:{port}"),
        "--json",
        "--listen-only",
    ]);
    let server = Program::serve_logged(&mut command, port);
    let url = format!("ws://127.0.0.1:{port}/");
    let tmux = Tmux::start(folder("tmux"), &url);
    let connected = format!("connected to {url}");
    tmux.shows(&[&connected, ">"]);

    // Each syllable as an input method hands it over, and one taken back.
    for syllable in ["안", "녕", "하", "새"] {
        tmux.types(syllable);
    }
    tmux.presses("BSpace");
    tmux.types("세요");
    tmux.shows(&[&connected, "> 안녕하세요"]);
    tmux.presses("Enter");
    server.says(r#""size":15,"payload":"안녕하세요""#);
    tmux.shows(&["> 안녕하세요", ">"]);

    tmux.pastes("붙여 넣은\n두 줄");
    tmux.shows(&["> 붙여 넣은↵두 줄"]);
    tmux.presses("Enter");
    server.says(r#""payload":"붙여 넣은\n두 줄""#);
    for size in [2_000, 64_000, 1_000_000] {
        tmux.pastes(&"x".repeat(size));
        tmux.presses("Enter");
        server.says(&format!("\"size\":{size},"));
    }
    tmux.pastes(&"한 줄\n".repeat(1000));
    tmux.presses("Enter");
    server.says("\"size\":7999,");

    // tmux folds what is too wide, as other terminals do, and the prompt is drawn anew.
    tmux.presses("C-l");
    let draft = "가나다라마".repeat(6);
    tmux.types(&draft);
    tmux.shows(&[&format!("> {draft}")]);
    for columns in ["21", "40", "13", "80"] {
        tmux.resize(columns);
        tmux.types("!");
        let begin = Instant::now();
        loop {
            let screen = tmux.screen();
            if let [row] = &*screen
                && row.starts_with('>')
                && row.ends_with("마!")
            {
                break;
            }
            assert!(begin.elapsed() < LIMIT, "{columns}: {screen:#?}");
            thread::sleep(Duration::from_millis(20));
        }
        tmux.presses("BSpace");
    }
    tmux.shows(&[&format!("> {draft}")]);
    tmux.presses("Enter");
    server.says(&format!("\"payload\":\"{draft}\""));
}
