//! A Redis of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::{Program, folder, free_port, signal};

/// A Redis on a port of 127.0.0.1, which ends when this is dropped.
pub(crate) struct RedisServer {
    program: Option<Program>,
    pub(crate) port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl RedisServer {
    /// One that keeps nothing when it ends.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that keeps what it has answered.
    pub(crate) fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let mut server = Self::absent(options);
        server.go_on();
        server
    }

    /// One that is not there yet.
    pub(crate) fn absent(options: &[&str]) -> Self {
        let port = free_port();
        Self {
            program: None,
            port,
            folder: folder(&format!("redis-{port}")),
            options: options.iter().copied().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn add_options(&mut self, options: &[&str]) {
        self.options
            .extend(options.iter().copied().map(str::to_owned));
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, or starts it again with what it has kept, and waits until it has read that.
    pub(crate) fn go_on(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--dir"]).arg(&self.folder);
        command.args(&self.options).stdout(Stdio::null());
        self.program = Some(Program::serve(&mut command, self.port));
        while self.asked(&["PING"]).contains("LOADING") {
            std::thread::yield_now();
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let program = self.program.as_ref().expect("it runs");
        let status = signal(name, program.id()).status();
        assert!(status.expect("a shell is there").success(), "it runs");
    }

    /// What it answers, by the client that comes with it.
    pub(crate) fn asked(&self, command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-p", &self.port.to_string()]).args(command);
        let output = client.output();
        let output = output.unwrap_or_else(|error| panic!("{client:?} cannot be started: {error}"));
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// A number in what it tells of itself, as `pubsub_channels` or what follows `calls=` of a command.
    pub(crate) fn told(&self, section: &str, name: &str) -> u64 {
        let info = self.asked(&["INFO", section]);
        let value = info.lines().find_map(|line| line.strip_prefix(name));
        let digits = value.unwrap_or("0").trim_start_matches([':', '=']);
        let end = digits.find(|it: char| !it.is_ascii_digit());
        digits[..end.unwrap_or(digits.len())]
            .parse()
            .expect("it is a number")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.program = None;
        // What it kept is of no use any more.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
