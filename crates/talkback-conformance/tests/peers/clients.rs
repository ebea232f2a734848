//! The library as the server of clients that others wrote.

use std::process::Command;
use std::time::Duration;

use talkback::{CloseCause, CloseCode, Initiator};

use crate::as_server::{Server, is_done, policies};
use crate::program::{Program, beside, node, python};

/// How long a client may take for all of its checks.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a client, which prints a line for each of its checks, with the URLs of servers of each policy.
fn check(mut command: Command, checks: usize) {
    let servers = policies().map(Server::start);
    let urls = servers.iter().map(|server| &*server.url);
    let mut client = Program::start_logged(command.args(urls));
    let status = client.status(LIMIT);
    let log = client.log();
    let good = log.lines().filter(|line| line.starts_with("ok ")).count();
    let all_good = status.success() && !log.contains("not ok ") && good == checks;
    assert!(all_good, "{status}: {log}");
    // Its check of the name `close`.
    is_done(&servers[0].told());
    // At last it went while it was connected.
    let info = servers[0].told();
    let ended = (info.code, info.initiator, info.clean);
    assert_eq!(ended, (CloseCode::ABNORMAL, Initiator::Remote, false));
    assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
}

/// The script for clients of a language, told which of them.
fn named(mut command: Command, name: &str) -> Command {
    command.arg(name);
    command
}

#[test]
fn aiohttp() {
    check(named(python("python/clients.py"), "aiohttp"), 16);
}

#[test]
fn tornado() {
    check(named(python("python/clients.py"), "tornado"), 17);
}

#[test]
fn websockets() {
    check(named(python("python/clients.py"), "websockets"), 16);
}

#[test]
fn faye() {
    check(named(node("node/clients.cjs"), "faye"), 16);
}

#[test]
fn websocket_node() {
    check(named(node("node/clients.cjs"), "websocket"), 15);
}

#[test]
fn ws() {
    check(named(node("node/clients.cjs"), "ws"), 16);
}

#[test]
fn java() {
    let mut command = Command::new("java");
    // Before JDK 18 it reads a source as the locale says.
    command
        .arg("-Dfile.encoding=UTF-8")
        .arg(beside("java/Client.java"));
    check(command, 12);
}
