//! The program, as somebody starts and stops it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// One that runs, and is killed when dropped.
struct Room(Child);

impl Room {
    fn start(address: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talkback-chat"));
        let command = command.arg(address);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_closes_with_1012_and_is_a_success() {
    let mut room = Room::start("127.0.0.1:0");
    let mut said = BufReader::new(room.0.stdout.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let page = first.strip_prefix("open http://").unwrap();
    let mut guest = talkback::connect(format!("ws://{page}room")).await.unwrap();
    guest.send("수진").await.unwrap();
    let there = guest.recv().await.unwrap();
    assert_eq!(there, Some(r#"{"there":["수진"]}"#.into()));
    let id = room.0.id().to_string();
    let killed = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(killed.unwrap().success());
    assert!(guest.recv().await.is_err());
    assert_eq!(guest.close_info().unwrap().code, 1012);
    let last = said.next().unwrap().unwrap();
    assert!(last.starts_with("connections: 1 closed,"), "{last}");
    assert!(room.0.wait().unwrap().success());
}

#[test]
fn an_address_that_is_none_is_told_in_a_line() {
    let mut room = Room::start("--help");
    let mut told = String::new();
    let mut stderr = room.0.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    let begin = "error: could not listen at --help: ";
    assert!(
        told.starts_with(begin) && told.lines().count() == 1,
        "{told}"
    );
    assert!(told.contains("such as 127.0.0.1:9002"), "{told}");
    assert_eq!(room.0.wait().unwrap().code(), Some(1));
}
