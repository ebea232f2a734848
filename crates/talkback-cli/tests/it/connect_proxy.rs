//! `talkback connect --proxy`: the way through it, and what is told when it does not lead there.

use std::process::Command;

use crate::support::proxy::{address, proxy};
use crate::support::server::server;
use crate::support::{Finished, Running, connect, echo};

/// One line, and no secret.
#[track_caller]
fn fails(finished: &Finished, code: i32, begin: &str, end: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    let line = finished.stderr.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n') && !line.contains("hunter"), "{line}");
    assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
}

#[test]
fn a_proxy_leads_to_the_server() {
    let (_server, url) = echo(&[]);
    let proxy = format!("http://user:hunter2@{}", proxy(&url));
    let finished = connect(&["ws://server.invalid/", "--proxy", &proxy], "Hello!\n");
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    assert_eq!(finished.code, Some(0));
    // This machine, too.
    let finished = connect(&[&url, "-x", &proxy, "-v"], "Hello!\n");
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
}

#[test]
fn a_proxy_that_does_not_lead_there_is_told() {
    let (_server, url) = echo(&[]);
    let address = proxy(&url);
    let ask = |proxy: &str| connect(&["ws://server.invalid/", "--proxy", proxy], "");
    let begin = format!(
        "error: could not open ws://server.invalid/: the proxy http://{address} does not lead there: it answered 407 "
    );
    let end = "it wants other credentials than those that were sent (Basic): check user name and password in its URL";
    fails(&ask(&format!("user:hunter3@{address}")), 4, &begin, end);
    fails(
        &ask("http://user:hunter2@127.0.0.1:1"),
        4,
        "error: could not open ws://server.invalid/: the proxy http://127.0.0.1:1 cannot be reached: ",
        "or name the server in NO_PROXY",
    );
    fails(
        &ask("ftp://user:hunter2@127.0.0.1:1"),
        2,
        "error: could not open ws://server.invalid/: the proxy given with `--proxy` cannot be used: ",
        "as in http://proxy.example:3128",
    );
}

#[test]
fn a_silent_proxy_is_told_by_the_name_of_the_option() {
    let silent = server(|stream| async {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let proxy = address(&silent);
    let arguments = [
        "ws://server.invalid/",
        "--timeout",
        "0.3",
        "--proxy",
        &proxy,
    ];
    fails(
        &connect(&arguments, ""),
        5,
        "error: could not open ws://server.invalid/ within 300ms: time ran out while waiting for the proxy. \
         Check the proxy, which the option `--proxy` or a variable",
        "or raise `--timeout`",
    );
}

/// With a variable that names a proxy where nobody listens.
#[test]
fn none_is_no_proxy_whatever_the_environment_says() {
    let connect = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
        command
            .args(["connect", "ws://server.invalid/"])
            .args(arguments);
        command
            .env("https_proxy", "http://127.0.0.1:1")
            .env_remove("no_proxy");
        let mut running = Running::spawn(&mut command);
        running.stdin = None;
        running.finish()
    };
    let begin = "error: could not open ws://server.invalid/: the proxy http://127.0.0.1:1 (from https_proxy) ";
    fails(&connect(&[]), 4, begin, "or name the server in NO_PROXY");
    let begin = "error: could not find the address of \"server.invalid\": ";
    fails(&connect(&["--proxy", "none"]), 4, begin, "");
}
