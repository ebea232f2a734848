//! What the machine and the network refuse, and time that runs out.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use talkback::{ConnectError, Stage, connect};

use crate::support::answers::{failure, failure_with, listen};

const URL: &str = "ws://a.example/";

fn told_of_tcp(error: io::Error) -> String {
    let (url, error) = (URL.to_owned(), Arc::new(error));
    let text = ConnectError::Tcp { url, error }.to_string();
    let (_, advice) = text.rsplit_once(". ").unwrap();
    advice.to_owned()
}

#[test]
fn each_error_of_tcp_has_its_advice() {
    for (kind, advice) in [
        (
            ErrorKind::ConnectionRefused,
            "Check the port, and that the server is running",
        ),
        (
            ErrorKind::NetworkUnreachable,
            "Check the host and the network",
        ),
        (ErrorKind::HostUnreachable, "Check the host and the network"),
        (ErrorKind::NetworkDown, "Check the host and the network"),
        (
            ErrorKind::AddrNotAvailable,
            "This machine has no local port left for that server: close connections, and wait a minute until those that were closed are forgotten",
        ),
        (
            ErrorKind::PermissionDenied,
            "This machine does not allow it: check its firewall, and what this program may do",
        ),
        (
            ErrorKind::TimedOut,
            "Nobody answers: check the host, the port and firewalls between",
        ),
        (
            ErrorKind::ConnectionReset,
            "The server, or a firewall between, ended it: check the port",
        ),
        (
            ErrorKind::ConnectionAborted,
            "The server, or a firewall between, ended it: check the port",
        ),
        (ErrorKind::Other, "Check the host, the port and the network"),
    ] {
        assert_eq!(told_of_tcp(kind.into()), advice, "{kind:?}");
    }
}

#[test]
fn each_error_of_a_unix_socket_has_its_advice() {
    for (kind, advice) in [
        (
            ErrorKind::NotFound,
            "Check the path, and that the server is running, which makes the socket",
        ),
        (
            ErrorKind::ConnectionRefused,
            "Nobody listens there: start the server, which may have to remove what an earlier one left",
        ),
        (
            ErrorKind::PermissionDenied,
            "Check who may write to the socket, and who may enter the folders before it",
        ),
        (
            ErrorKind::InvalidInput,
            "Give a shorter path: a socket's has about 100 bytes at most",
        ),
        (
            ErrorKind::WouldBlock,
            "As many as may wait there are waiting: try again later",
        ),
        (
            ErrorKind::Other,
            "Check that there is a socket at this path, and that the server is running",
        ),
    ] {
        let (path, error) = ("/run/a.sock".into(), Arc::new(kind.into()));
        let text = ConnectError::UnixSocket { path, error }.to_string();
        let begin = "could not connect to the Unix socket \"/run/a.sock\": ";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(text.rsplit_once(". ").unwrap().1, advice, "{kind:?}");
    }
}

/// By the numbers of Linux, as the machine gives them.
#[cfg(target_os = "linux")]
#[test]
fn each_error_number_has_its_advice() {
    for (number, advice) in [
        (
            1,
            "This machine does not allow it: check its firewall, and what this program may do",
        ),
        (
            13,
            "This machine does not allow it: check its firewall, and what this program may do",
        ),
        (
            23,
            "This machine may open no more files: close some, or raise its limit",
        ),
        (
            24,
            "This process may open no more files: close connections, or raise its limit (`ulimit -n`)",
        ),
        (
            99,
            "This machine has no local port left for that server: close connections, and wait a minute until those that were closed are forgotten",
        ),
        (101, "Check the host and the network"),
        (
            110,
            "Nobody answers: check the host, the port and firewalls between",
        ),
        (113, "Check the host and the network"),
    ] {
        assert_eq!(told_of_tcp(io::Error::from_raw_os_error(number)), advice);
    }
    let (host, error) = (
        "a.example".to_owned(),
        Arc::new(io::Error::from_raw_os_error(24)),
    );
    let text = ConnectError::Resolve { host, error }.to_string();
    assert!(text.ends_with("raise its limit (`ulimit -n`)"), "{text}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_at() {
    let (listener, address) = listen().await;
    drop(listener);
    let text = failure(connect(format!("ws://{address}/")))
        .await
        .to_string();
    assert!(
        text.ends_with(". Check the port, and that the server is running"),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_that_has_no_address() {
    let text = failure(connect("ws://nowhere.invalid/").proxy(None))
        .await
        .to_string();
    assert!(
        text.starts_with("could not find the address of \"nowhere.invalid\": ")
            && text.ends_with(". Check the name and the network"),
        "{text}"
    );
}

/// Of a process of its own, which may open no more than so many files.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_may_open_no_more_files() {
    const CHILD: &str = "TALKBACK_TEST_NO_FILES";
    if let Ok(url) = std::env::var(CHILD) {
        let mut open = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            open.push(file);
        }
        let error = connect(url).await.map(drop).unwrap_err();
        drop(open);
        println!("\noutcome: {error}");
        return;
    }
    let (_listener, address) = listen().await;
    let child = tokio::process::Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("advice::machine::a_process_that_may_open_no_more_files")
        .env(CHILD, format!("ws://{address}/"))
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    let mut lines = output.lines();
    let outcome = lines.find_map(|line| line.strip_prefix("outcome: "));
    let outcome = outcome.unwrap_or_else(|| panic!("{output}"));
    assert!(
        outcome.starts_with(&format!("could not connect to ws://{address}/: "))
            && outcome.ends_with(
                ". This process may open no more files: close connections, or raise its limit (`ulimit -n`)"
            ),
        "{outcome}"
    );
}

#[test]
fn each_stage_that_is_too_slow_has_its_advice() {
    for (stage, advice) in [
        (
            Stage::Resolve,
            "looking up the address. Check the network and its name servers, or raise `timeout`",
        ),
        (
            Stage::Tcp,
            "connecting. Check the host, the port and firewalls between, or raise `timeout`",
        ),
        (
            Stage::Proxy,
            "waiting for the proxy. Check the proxy, which the option `proxy` or a variable such as HTTPS_PROXY names, and firewalls between, or raise `timeout`",
        ),
        (
            Stage::Tls,
            "waiting for the TLS handshake. Check that the server speaks TLS at this port, or raise `timeout`",
        ),
        (
            Stage::Handshake,
            "waiting for the answer to the opening handshake. Check that the server does not hang and the port is that of a WebSocket server, or raise `timeout`",
        ),
    ] {
        let (url, after) = (URL.to_owned(), Duration::from_secs(3));
        let error = ConnectError::Timeout { url, after, stage };
        assert_eq!(
            error.to_string(),
            format!("could not open {URL} within 3s: time ran out while {advice}")
        );
    }
}

/// A server that resets the connection in place of an answer.
#[tokio::test]
async fn a_reset_in_place_of_an_answer() {
    let reset = |stream: tokio::net::TcpStream| async move {
        // Closed with unread bytes, it is reset.
        stream.readable().await.unwrap();
        drop(stream);
    };
    let error = failure_with(|connect| connect, reset).await;
    let text = error.to_string();
    assert!(matches!(error, ConnectError::Lost { .. }), "{text}");
    assert!(
        text.contains("was lost during the opening handshake: ")
            && text.ends_with(
                ". Check that the port is that of a WebSocket server, which may hang up on a path or a \
                 subprotocol that it does not know; if it speaks TLS, use wss://"
            ),
        "{text}"
    );
    assert!(error.is_retryable());
}
