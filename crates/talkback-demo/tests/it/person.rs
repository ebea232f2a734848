//! The demo in a terminal, with a person at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use talkback::CloseCode;

use crate::pipe::server;

/// The demo, and the terminal that it is in.
struct Terminal {
    demo: Child,
    keys: File,
    screen: String,
}

impl Terminal {
    /// Its standard output is the terminal, unless another file is named.
    fn start(arguments: &[&str], stdout: Option<&str>) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = |path: &Path| {
            let mut options = File::options();
            options.read(true).write(true).open(path).unwrap()
        };
        let face = open(Path::new(name.to_str().unwrap()));
        let stdout = stdout.map(|path| open(Path::new(path)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_talkback-demo"));
        command.arg("--terminal").args(arguments);
        command.stdin(face.try_clone().unwrap());
        command.stdout(stdout.unwrap_or_else(|| face.try_clone().unwrap()));
        command.stderr(face);
        let demo = command.spawn().unwrap();
        let (keys, screen) = (File::from(terminal), String::new());
        Self { demo, keys, screen }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is on the screen.
    #[track_caller]
    fn shows(&mut self, what: &str) {
        while !self.screen.contains(what) {
            let mut bytes = [0; 1000];
            let size = self.keys.read(&mut bytes).expect(what);
            self.screen
                .push_str(&String::from_utf8_lossy(&bytes[..size]));
        }
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.demo.wait().unwrap().code()
    }
}

#[test]
fn output_that_is_lost_is_an_error() {
    let mut terminal = Terminal::start(&[], Some("/dev/full"));
    terminal.shows("Send a message: ");
    terminal.press("안녕\r");
    terminal.shows("could not write to standard output: No space left");
    assert_eq!(terminal.exit_code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told_and_what_is_typed_meanwhile_is_answered() {
    let connections = AtomicUsize::new(0);
    let connections = Arc::new(connections);
    let url = server(move |mut socket| {
        let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            while let Ok(Some(message)) = socket.recv().await {
                socket
                    .send(message.to_string().to_uppercase())
                    .await
                    .unwrap();
                if is_first {
                    let _ = socket.close_with(CloseCode::GOING_AWAY, "").await;
                    return;
                }
            }
        }
    });
    let mut terminal = Terminal::start(&["--url", &url.await], None);
    terminal.shows("Send a message: ");
    terminal.press("one\r");
    terminal.shows("ONE");
    terminal.shows("connection lost (closed with code 1001). Reconnecting; what you type waits.");
    terminal.press("two\r");
    terminal.shows("connected again");
    terminal.shows("TWO");
    terminal.press("\u{4}");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    let mut terminal = Terminal::start(&["--url", "ws://user:hunter2@127.0.0.1:1/"], None);
    terminal.shows("connection refused");
    terminal.shows("Reconnecting; what you type waits.");
    terminal.shows("Send a message: ");
    terminal.press("\u{3}");
    assert_eq!(terminal.exit_code(), Some(130));
    assert!(!terminal.screen.contains("hunter2"), "{}", terminal.screen);
}
