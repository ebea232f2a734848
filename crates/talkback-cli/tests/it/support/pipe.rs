//! Runs `talkback connect` in a pipe of bytes.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

/// How it ended.
#[derive(Debug)]
pub(crate) struct Piped {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs `talkback connect` with this input to its end.
pub(crate) fn pipe(arguments: &[&str], input: &[u8]) -> Piped {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    command
        .arg("connect")
        .args(arguments)
        .env_remove("RUST_LOG");
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = thread::spawn(move || {
        // A program that has ended takes nothing more.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    Piped {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
