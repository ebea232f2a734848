//! The step `cost`: what an echoed message costs, in counts that do not wobble.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::interop::Server;
use crate::report::Tally;
use crate::{Result, cargo, tools};

const MESSAGES: usize = 1_000;
const PAYLOAD_SIZE: usize = 64;

/// System calls beyond one a message: those of the handshake, and of the first wait.
const EXTRA_CALLS: usize = 8;

const READ_LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn cost() -> Result<Tally> {
    let mut tally = Tally::default();
    if !cfg!(target_os = "linux") {
        println!("  skipped: system calls are counted with strace, which is for Linux");
        return Ok(tally);
    }
    tally.check("one receive and one send a message", system_calls());
    Ok(tally)
}

/// Echoes messages one at a time, and counts the server's receives and sends.
fn system_calls() -> Result<()> {
    let talkback = cargo::build("talkback-cli", "talkback")?;
    let strace = tools::strace()?;
    let log = cargo::scratch("cost")?.join("strace.log");
    let mut command = Command::new(strace);
    let calls = "--trace=accept4,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg";
    command.args(["-f", "--seccomp-bpf", calls, "-o"]).arg(&log);
    command
        .arg(talkback)
        .args(["echo", "--listen", "127.0.0.1:0"]);
    let server = Server::start(&mut command)?;
    echo(&server.url().replace("ws://", "").replace('/', ""))?;
    let Calls { receives, sends } = Calls::count(&fs::read_to_string(&log)?)?;
    println!("  {MESSAGES} echoes of {PAYLOAD_SIZE} bytes: {receives} receives, {sends} sends");
    let expected = MESSAGES..=MESSAGES + EXTRA_CALLS;
    if expected.contains(&receives) && expected.contains(&sends) {
        return Ok(());
    }
    Err(format!(
        "between {MESSAGES} and {} of each were expected",
        expected.end()
    )
    .into())
}

/// Opens a WebSocket by hand and waits for each echo before it sends the next message.
fn echo(address: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    let request = "GET / HTTP/1.1\r\nHost: cost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    // Masked with a key of zeros, which leaves the payload as it is.
    let size = u8::try_from(PAYLOAD_SIZE)?;
    let mut message = vec![0x82, 0x80 | size, 0, 0, 0, 0];
    message.extend([b'x'; PAYLOAD_SIZE]);
    let mut answer = [0; 2 + PAYLOAD_SIZE];
    for _ in 0..MESSAGES {
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        if answer[..2] != [0x82, size] || answer[2..] != message[6..] {
            return Err("the echo is another message".into());
        }
    }
    Ok(())
}

/// How many system calls of each kind a log of strace holds for the one connection.
///
/// The server's other descriptors do not count: its threads wake each other by writing, as the
/// scheduler likes, and its log is written too.
#[derive(Debug, Default, PartialEq, Eq)]
struct Calls {
    receives: usize,
    sends: usize,
}

impl Calls {
    /// Each line is `PID call(descriptor, arguments) = result`; a call during which another thread
    /// ran has a second line, `PID <... call resumed> ...`, which is not counted.
    fn count(log: &str) -> Result<Self> {
        let socket = log
            .lines()
            .find_map(accepted)
            .ok_or("no connection was accepted")?;
        let mut calls = Self::default();
        for line in log.lines() {
            let call = line.split_whitespace().nth(1).unwrap_or_default();
            let Some((name, descriptor)) = call.split_once('(') else {
                continue;
            };
            if descriptor.trim_end_matches(',') != socket {
                continue;
            }
            match name {
                "read" | "readv" | "recvfrom" | "recvmsg" => calls.receives += 1,
                "write" | "writev" | "sendto" | "sendmsg" => calls.sends += 1,
                _ => {}
            }
        }
        Ok(calls)
    }
}

/// The descriptor of a connection, if the line is that of its acceptance.
fn accepted(line: &str) -> Option<&str> {
    let (call, result) = line.rsplit_once(" = ")?;
    let is_descriptor = result.bytes().all(|byte| byte.is_ascii_digit());
    (call.contains("accept4") && is_descriptor).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_on_the_connection_are_counted_by_their_kind() {
        let log = "12 accept4(8, 0x7f, [128], SOCK_CLOEXEC|SOCK_NONBLOCK) = -1 EAGAIN\n\
            12 accept4(8,  <unfinished ...>\n\
            13 write(5, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n\
            12 <... accept4 resumed>{sa_family=AF_INET}, [16], SOCK_CLOEXEC) = 9\n\
            12 recvfrom(9, \"\\202\", 65536, 0, NULL, NULL) = 70\n\
            12 writev(9, [{iov_base=\"\\202@\"}], 1 <unfinished ...>\n\
            12 <... writev resumed>) = 66\n\
            13 recvfrom(9, 0x7f, 65536, 0, NULL, NULL) = -1 EAGAIN\n\
            13 +++ exited with 0 +++\n";
        let counted = Calls {
            receives: 2,
            sends: 1,
        };
        assert_eq!(Calls::count(log).unwrap(), counted);
        assert!(Calls::count("").is_err());
    }
}
