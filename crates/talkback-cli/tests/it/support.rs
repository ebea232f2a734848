//! Runs the built binary, always with a time limit.

pub(crate) mod attack;
#[cfg(target_os = "linux")]
pub(crate) mod held;
pub(crate) mod hub;
pub(crate) mod mutual;
pub(crate) mod pipe;
pub(crate) mod proxy;
pub(crate) mod raw_client;
#[cfg(target_os = "linux")]
pub(crate) mod readme;
pub(crate) mod scripted;
pub(crate) mod server;
#[cfg(target_os = "linux")]
pub(crate) mod terminal;
pub(crate) mod wire;

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A program that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
        command.args(arguments).env_remove("RUST_LOG");
        Self::spawn(&mut command)
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, read_stdout) = collect(child.stdout.take().unwrap());
        let (stderr, read_stderr) = collect(child.stderr.take().unwrap());
        Self {
            stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
            readers: vec![read_stdout, read_stderr],
        }
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// How many bytes it has printed so far.
    pub(crate) fn stdout_size(&self) -> usize {
        self.stdout.lock().unwrap().len()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        // A program that has ended takes nothing more.
        let _ = stdin.write_all(text.as_bytes());
        let _ = stdin.flush();
    }

    /// Windows has none that one program can send to another alone.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until `is_so`, at most for the limit.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is_so(self) {
            if begin.elapsed() > LIMIT {
                panic!("{what}: {:?} {:?}", self.stdout(), self.stderr());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> Finished {
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(5)),
            }
            if begin.elapsed() > LIMIT {
                panic!("still runs: {:?} {:?}", self.stdout(), self.stderr());
            }
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Finished {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let target = Arc::clone(&text);
    let reader = thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|size| size > 0) {
            target.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    (text, reader)
}

/// Runs the binary with this input to its end.
pub(crate) fn run(arguments: &[&str], input: &str) -> Finished {
    let mut running = Running::start(arguments);
    running.type_in(input);
    running.stdin = None;
    running.finish()
}

/// Runs `talkback connect` with this input to its end.
pub(crate) fn connect(arguments: &[&str], input: &str) -> Finished {
    let mut all = vec!["connect"];
    all.extend(arguments);
    run(&all, input)
}

/// `talkback echo` on a free port, and its URL.
pub(crate) fn echo(arguments: &[&str]) -> (Running, String) {
    let mut all = vec!["echo", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let server = Running::start(&all);
    let url = url_of(&server);
    (server, url)
}

/// The URL that a server prints first.
pub(crate) fn url_of(server: &Running) -> String {
    server.until("the server tells its URL", |server| {
        server.stdout().ends_with('\n')
    });
    let stdout = server.stdout();
    let url = stdout.split_whitespace().find(|word| word.contains("://"));
    url.unwrap().to_owned()
}

/// The first line of what a program prints whose output is read no further.
pub(crate) fn first_line(output: &mut impl Read) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    String::from_utf8(line).unwrap()
}
