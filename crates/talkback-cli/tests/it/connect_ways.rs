//! `talkback connect`: ways to a server, and the names that it is given.

use std::net::TcpListener;

use crate::support::scripted::{ScriptedResponse, play, play_at, response};
use crate::support::{connect, echo, run, server};

/// The port of a URL.
fn port(url: &str) -> &str {
    let end = url.rsplit(':').next().unwrap();
    end.trim_end_matches('/')
}

#[test]
fn an_address_takes_the_place_of_a_lookup() {
    let (_server, url) = echo(&[]);
    let port = port(&url);
    let nowhere = format!("ws://nowhere.invalid:{port}/");
    for way in [
        ["--address", "127.0.0.1"],
        ["--address", &format!("127.0.0.1:{port}")],
        ["--resolve", &format!("Nowhere.invalid:{port}:127.0.0.1")],
    ] {
        let finished = connect(&[&nowhere, way[0], way[1], "-1"], "Hello!\n");
        assert_eq!(finished.stdout, "Hello!\n", "{way:?}: {finished:?}");
    }
    let other = format!("other.invalid:{port}:127.0.0.1");
    let finished = connect(&[&nowhere, "--resolve", &other], "");
    assert_eq!(finished.code, Some(4), "{finished:?}");
}

#[test]
fn the_host_and_the_user_agent_are_those_that_are_given() {
    let played = play(&["--host", "a.example:8443"], &response(&[], &[]));
    assert_eq!(played.header("Host"), ["a.example:8443"]);
    let version = concat!("talkback/", env!("CARGO_PKG_VERSION"));
    assert_eq!(played.header("User-Agent"), [version]);
    let played = play(&["-H", "user-agent: mine"], &response(&[], &[]));
    assert_eq!(played.header("User-Agent"), ["mine"]);
}

#[test]
fn the_server_name_is_what_the_certificate_is_held_against() {
    let ca = std::env::temp_dir().join(format!("talkback-ways-{}.pem", std::process::id()));
    let ca = ca.to_str().unwrap();
    let (_server, url) = echo(&[&format!("--tls-self-signed={ca}")]);
    let elsewhere = format!("wss://a.example:{}/", port(&url));
    let way = [
        &*elsewhere,
        "--address",
        "127.0.0.1",
        "--ca",
        ca,
        "-1",
        "--send",
        "Hello!",
    ];
    let finished = connect(&way, "");
    assert_eq!(finished.code, Some(6), "{finished:?}");
    let finished = connect(&[&way[..], &["--server-name", "localhost"]].concat(), "");
    std::fs::remove_file(ca).unwrap();
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    let finished = connect(&[&url, "-k", "-1"], "Hello!\n");
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
}

#[test]
#[cfg(unix)]
fn a_unix_socket_leads_there() {
    let path = std::env::temp_dir().join(format!("talkback-ways-{}.sock", std::process::id()));
    server::echo_at_socket(&path);
    let way = [
        "ws://localhost/",
        "--unix-socket",
        path.to_str().unwrap(),
        "-1",
    ];
    let finished = connect(&way, "Hello!\n");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
}

#[test]
fn the_largest_message_is_what_is_asked_for() {
    let (_server, url) = echo(&[]);
    let input = format!("{}\n", "x".repeat(2000));
    let finished = connect(&[&url, "--max-message", "1kB"], &input);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for (arguments, input, code) in [
        (&["--send", "가"][..], "", 0),
        (&["--send", "가1"], "", 2),
        (&["--hex", "--send", "01020304"], "", 2),
        (&["--hex"], "01 02 03 \n", 0),
        (&["--hex"], "01020304\n", 1),
        (&["--base64"], "AQID\n", 0),
        (&["--base64"], "AQIDBA==\n", 1),
        (&["--binary", "--frame", "4"], "1234", 1),
    ] {
        let limited = [&[&*url, "--max-message", "3", "-1"], arguments].concat();
        let finished = connect(&limited, input);
        assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
        let what = "longer than the limit of 3 bytes: raise --max-message";
        assert_eq!(finished.stderr.contains(what), code != 0, "{finished:?}");
    }
    let url = server::server(|stream| async {
        let mut socket = server::open(stream).await;
        let _ = socket.send("x".repeat(2000)).await;
        let _ = socket.recv().await;
    });
    let finished = connect(&[&url, "--max-message", "1kB", "--listen-only"], "");
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(7), ""),
        "{finished:?}"
    );
}

#[test]
fn redirects_are_followed_if_asked_for() {
    let (_server, url) = echo(&[]);
    let head =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n");
    let play_redirect = |arguments: &[&str]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let from = format!("ws://{}/", listener.local_addr().unwrap());
        let head = head.clone();
        play_at(&listener, &from, arguments, move |_| {
            ScriptedResponse::whole(head.into_bytes())
        })
    };
    let followed = play_redirect(&["-L", "-1"]).finished;
    assert_eq!(followed.stdout, "early\n", "{followed:?}");
    let refused = play_redirect(&[]).finished;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains(&url), "{refused:?}");
}

#[test]
fn a_url_alone_means_to_connect_and_a_port_is_one_of_this_machine() {
    let (_server, url) = echo(&[]);
    let port = port(&url);
    for arguments in [
        &[&*url, "-1"][..],
        &["-1", &format!(":{port}")],
        &[&format!("{port}/path"), "-1"],
        &["connect", &format!(":{port}"), "-1"],
    ] {
        let finished = run(arguments, "Hello!\n");
        assert_eq!(finished.stdout, "Hello!\n", "{arguments:?}: {finished:?}");
    }
}

#[test]
fn a_host_in_hangul_is_looked_up_as_dns_knows_it() {
    let (_server, url) = echo(&[]);
    let port = port(&url);
    let hangul = format!("ws://한글.example:{port}/");
    for host in ["xn--bj0bj06e", "한글"] {
        let known = format!("{host}.example:{port}:127.0.0.1");
        let finished = connect(&[&hangul, "--resolve", &known, "-1"], "Hello!\n");
        assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    }
}
