//! Our programs against python's websockets and node's ws, plain and over TLS: `talkback echo` and `talkback connect`,
//! the example on axum, and the demo. Cargo has built them, for it is told to before these tests run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rcgen::generate_simple_self_signed;

use crate::program::{Program, folder, free_port, node, python, signal};

const GREETINGS: &str = "Hello!\n안녕하세요\n";
/// How long a program may take that ends by itself.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// … and one that makes all checks of a client, each of which may take half of that.
const CLIENT_LIMIT: Duration = Duration::from_secs(600);

/// A library of others, with our scripts for its client and its server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    client: fn() -> Command,
    pub(crate) server: fn() -> Command,
    /// The checks of any echo server, and those of `talkback echo`.
    checks: (usize, usize),
}

pub(crate) const WEBSOCKETS: Peer = Peer {
    name: "websockets",
    client: || python("python/websockets_client.py"),
    server: || python("python/websockets_server.py"),
    checks: (19, 21),
};
pub(crate) const WS: Peer = Peer {
    name: "ws",
    client: || node("node/ws_client.cjs"),
    server: || node("node/ws_server.cjs"),
    checks: (19, 20),
};

/// A test of each peer.
macro_rules! peers {
    ($($name:ident)*) => {
        mod websockets {
            $(#[test] fn $name() { super::$name(&super::WEBSOCKETS); })*
        }
        mod ws {
            $(#[test] fn $name() { super::$name(&super::WS); })*
        }
    };
}

peers! {
    talkback_echo
    talkback_echo_over_tls
    axum_server
    talkback_connect
    talkback_connect_over_tls
    demo
}

fn talkback_echo(peer: &Peer) {
    echo(peer, None);
}

fn talkback_echo_over_tls(peer: &Peer) {
    let folder = folder(&format!("echo-{}", peer.name));
    echo(peer, Some(&folder.join("echo.pem")));
}

fn echo(peer: &Peer, certificate: Option<&Path>) {
    let port = free_port();
    let mut command = built("talkback");
    command.args(["echo", "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--subprotocol", "chat.v1", "--subprotocol", "chat.v2"]);
    if let Some(file) = certificate {
        command.arg(format!("--tls-self-signed={}", file.display()));
    }
    let mut echo = Program::serve_logged(&mut command, port);
    let scheme = if certificate.is_some() { "wss" } else { "ws" };
    let url = format!("{scheme}://127.0.0.1:{port}/");
    client(peer, &url, echo.id(), certificate, peer.checks.1);
    echo.terminate();
    let status = echo.status(LIMIT);
    assert!(status.success(), "after SIGTERM: {status}");
}

/// The test server asks no client to forget its context, since some agree to and do not (clients.py).
#[test]
fn l29_talkback_echo_leaves_tornado_its_context() {
    let port = free_port();
    let mut command = built("talkback");
    command.args(["echo", "--listen", &format!("127.0.0.1:{port}")]);
    let _echo = Program::serve_logged(&mut command, port);
    let mut tornado = python("python/clients.py");
    tornado.args(["tornado", &format!("ws://127.0.0.1:{port}/")]);
    let mut client = Program::start_logged(&mut tornado);
    let status = client.status(LIMIT);
    let log = client.log();
    assert!(
        status.success() && log.trim() == "ok messages, compressed",
        "{status}: {log}"
    );
}

/// It is answered through hyper, and has neither our subprotocols nor our pages.
fn axum_server(peer: &Peer) {
    let port = free_port();
    let mut command = built("examples/axum_server");
    let address = format!("127.0.0.1:{port}");
    let _server = Program::serve(command.arg(&address).stdout(Stdio::null()), port);
    client(
        peer,
        &format!("ws://{address}/echo"),
        0,
        None,
        peer.checks.0,
    );
}

/// Runs the client's script, which prints a line for each of its checks.
fn client(peer: &Peer, url: &str, server: u32, certificate: Option<&Path>, checks: usize) {
    let mut command = (peer.client)();
    command.args([url, &server.to_string()]).args(certificate);
    let mut client = Program::start_logged(&mut command);
    let status = client.status(CLIENT_LIMIT);
    let log = client.log();
    let good = log.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(status.success() && good == checks, "{status}: {log}");
}

fn talkback_connect(peer: &Peer) {
    let port = free_port();
    let mut command = (peer.server)();
    let server = Program::serve_logged(command.arg(port.to_string()), port);
    connect(&server, &format!("ws://127.0.0.1:{port}/"), None);
}

fn talkback_connect_over_tls(peer: &Peer) {
    let folder = folder(&format!("connect-{}", peer.name));
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let identity = generate_simple_self_signed(names).expect("the names are valid");
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    write(&certificate, &identity.cert.pem());
    write(&key, &identity.signing_key.serialize_pem());
    let port = free_port();
    let mut command = (peer.server)();
    command.arg(port.to_string()).args([&certificate, &key]);
    let server = Program::serve_logged(&mut command, port);
    connect(
        &server,
        &format!("wss://127.0.0.1:{port}/"),
        Some(&certificate),
    );
}

pub(crate) fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("the folder can be written to");
}

fn connect(server: &Program, url: &str, root: Option<&Path>) {
    let run = |path: &str, input| {
        let mut command = built("talkback");
        command.args([
            "connect",
            "--subprotocol",
            "chat",
            "-H",
            "X-Token: open sesame",
        ]);
        if let Some(file) = root {
            command.arg("--ca").arg(file);
        }
        run(command.arg(format!("{url}{path}")), input)
    };
    let (output, stdout, stderr) = run("", Some(GREETINGS));
    assert_eq!(
        (output.status.success(), &*stdout),
        (true, GREETINGS),
        "{stderr}"
    );
    // The subprotocol is reported.
    assert!(stderr.contains("chat"), "{stderr}");
    for seen in ["Hello!", "안녕하세요", "token open sesame"] {
        server.says(seen);
    }

    // Nobody types: the program ends because the server closes, and says how.
    let (_, stdout, stderr) = run("bye", None);
    let all = stdout + &stderr;
    assert!(all.contains("4001") && all.contains("bye"), "{all}");

    // A refused handshake takes one line.
    let (output, stdout, stderr) = run("missing", Some(""));
    let code = output.status.code();
    assert!(code.is_some_and(|code| code > 0), "{output:?}");
    assert_eq!((&*stdout, stderr.lines().count()), ("", 1), "{stderr}");
    assert!(stderr.contains("404"), "{stderr}");
}

fn demo(peer: &Peer) {
    let port = free_port();
    let mut command = (peer.server)();
    let server = Program::serve_logged(command.arg(port.to_string()), port);
    let mut demo = built("talkback-demo");
    let url = format!("ws://127.0.0.1:{port}/");
    let (output, stdout, stderr) = run(demo.args(["--url", &url]), Some(GREETINGS));
    assert_eq!(
        (output.status.success(), &*stdout),
        (true, GREETINGS),
        "{stderr}"
    );
    for seen in ["Hello!", "안녕하세요"] {
        server.says(seen);
    }
}

/// Runs a program to its end: with this as its standard input, or with one in which nothing comes. Returns what it
/// printed as text, too.
pub(crate) fn run(command: &mut Command, input: Option<&str>) -> (Output, String, String) {
    let command = command.stdin(Stdio::piped());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().expect("it is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let id = child.id();
    let open_stdin = match input {
        Some(text) => {
            // A program that has ended takes nothing more.
            let _ = stdin.write_all(text.as_bytes());
            drop(stdin);
            None
        }
        None => Some(stdin),
    };
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output()));
    let output = end.recv_timeout(LIMIT).unwrap_or_else(|_| {
        let killed = signal("KILL", id).status();
        panic!("{command:?} does not end: {killed:?}");
    });
    drop(open_stdin);
    let output = output.expect("it can be waited for");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// A program or an example that cargo has built: this is in the folder `deps` of the same.
pub(crate) fn built(name: &str) -> Command {
    let this = std::env::current_exe().expect("this runs");
    let folder = this.ancestors().nth(2).expect("it lies in a folder");
    let program: PathBuf = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is missing: `cargo build --bins --examples --features talkback/upgrade` makes it",
        program.display()
    );
    Command::new(program)
}
