//! Through a proxy of SOCKS5.

use std::net::SocketAddr;
use std::time::Duration;

use talkback::{ConnectError, Stage, connect};
use tokio::io::AsyncWriteExt;

use crate::support::answers::{assert_timeout, failure};
use crate::support::echo::{echo, say_hello};
use crate::support::proxy::{Proxy, SOCKS, Socks, socks_proxy};

/// The kinds of address (RFC 1928 §5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// An echo server's URL and address.
async fn server() -> (String, SocketAddr) {
    let url = echo().await;
    let authority = url.trim_start_matches("ws://").trim_end_matches('/');
    let address = authority.parse().unwrap();
    (url, address)
}

#[tokio::test]
async fn px17_socks5h_has_the_proxy_look_up_the_name() {
    let (_, address) = server().await;
    let mut proxy = socks_proxy(SOCKS, address).await;
    // This machine finds no address for it.
    let url = "ws://server.invalid:258/";
    say_hello(connect(url).proxy(&*proxy.url("socks5h"))).await;
    let asked = proxy.asked().await;
    assert_eq!(
        asked.target,
        [&[NAME][..], b"server.invalid", &[1, 2]].concat()
    );
    assert_eq!(asked.methods, [0]);
    // An address needs no lookup.
    say_hello(connect("ws://192.0.2.1:258/").proxy(&*proxy.url("socks5h"))).await;
    assert_eq!(proxy.asked().await.target, [IPV4, 192, 0, 2, 1, 1, 2]);
    say_hello(connect("ws://[2001:db8::1]:258/").proxy(&*proxy.url("socks5h"))).await;
    let asked = proxy.asked().await.target;
    assert_eq!(asked[..5], [IPV6, 0x20, 1, 0x0d, 0xb8]);
    assert_eq!(asked[16..], [1, 1, 2]);
}

#[tokio::test]
async fn px17_socks5_looks_up_the_name_here() {
    let (_, address) = server().await;
    let mut proxy = socks_proxy(SOCKS, address).await;
    let error = failure(connect("ws://server.invalid/").proxy(&*proxy.url("socks5"))).await;
    assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "server.invalid"));
    say_hello(connect("ws://localhost:258/").proxy(&*proxy.url("socks5"))).await;
    let asked = proxy.asked().await.target;
    assert!([IPV4, IPV6].contains(&asked[0]), "{asked:?}");
    assert!(asked.ends_with(&[1, 1, 2]));
}

/// A name with two addresses, of which the proxy reaches the second.
#[tokio::test]
async fn px17_socks5_tries_the_addresses_in_turn() {
    let (_, address) = server().await;
    let addresses = tokio::net::lookup_host("localhost:258").await.unwrap();
    let count = addresses.count();
    let reply = [4, 0];
    let mut proxy = socks_proxy(Socks { reply, ..SOCKS }, address).await;
    let connecting = connect("ws://localhost:258/")
        .proxy(&*proxy.url("socks5"))
        .await;
    let first = proxy.asked().await.target;
    if count > 1 {
        connecting.unwrap();
        assert_ne!(proxy.asked().await.target, first);
    } else {
        assert!(connecting.is_err());
    }
    // What is for good is not tried with another.
    let reply = [2, 0];
    let mut proxy = socks_proxy(Socks { reply, ..SOCKS }, address).await;
    failure(connect("ws://localhost:258/").proxy(&*proxy.url("socks5"))).await;
    proxy.asked().await;
    proxy.assert_unasked();
}

#[tokio::test]
async fn px18_a_user_name_and_password_are_sent_if_they_are_wanted() {
    let (_, address) = server().await;
    let long = "x".repeat(255);
    for (user, password) in [("user", "p@ss"), (&*long, &*long), ("u", "안녕")] {
        for method in [2, 0] {
            let mut proxy = socks_proxy(Socks { method, ..SOCKS }, address).await;
            let escaped = password.replace('@', "%40");
            let url = format!("socks5h://{user}:{escaped}@{}", proxy.address);
            say_hello(connect("ws://server.invalid/").proxy(&*url)).await;
            let asked = proxy.asked().await;
            // Both ways in are offered.
            assert_eq!(asked.methods, [0, 2]);
            let login = (method == 2).then(|| (user.to_owned(), password.to_owned()));
            assert_eq!(asked.login, login);
        }
    }
}

#[tokio::test]
async fn px18_a_login_that_fails_is_told_without_its_words() {
    let (_, address) = server().await;
    let wrong = Socks {
        method: 2,
        login: 1,
        ..SOCKS
    };
    let none = Socks {
        method: 0xff,
        ..SOCKS
    };
    let over = "x".repeat(256);
    for (socks, user, words) in [
        (
            wrong,
            "user:hunter2@",
            "it refuses the user name and password: check them in its URL",
        ),
        (
            none,
            "user:hunter2@",
            "it takes none of the ways to log in that were offered",
        ),
        (
            none,
            "",
            "it takes none of the ways to log in that were offered",
        ),
        (SOCKS, &*format!("hunter2:{over}@"), "1 to 255 bytes each"),
        (SOCKS, &*format!("{over}:hunter2@"), "1 to 255 bytes each"),
        (SOCKS, "hunter2@", "1 to 255 bytes each"),
    ] {
        let proxy = socks_proxy(socks, address).await;
        let url = format!("socks5h://{user}{}", proxy.address);
        let error = failure(connect("ws://server.invalid/").proxy(&*url)).await;
        let said = error.to_string();
        let begin = format!(
            "could not open ws://server.invalid/: the proxy {} does not lead there: ",
            proxy.url("socks5h")
        );
        assert!(said.starts_with(&begin) && said.contains(words), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!error.is_retryable());
    }
    // Whoever wants a password, and is not offered one.
    let proxy = socks_proxy(Socks { method: 2, ..SOCKS }, address).await;
    let error = failure(connect("ws://server.invalid/").proxy(&*proxy.url("socks5h"))).await;
    assert!(
        error
            .to_string()
            .contains("put a user name and password into its URL")
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn px19_each_reply_has_its_error_and_its_verdict() {
    let (_, address) = server().await;
    for (code, words, is_retryable) in [
        (1, "it failed, and does not say why", true),
        (2, "it forbids this", false),
        (3, "the server's network cannot be reached from it", true),
        (4, "the server's host cannot be reached from it", true),
        (5, "the server refused its connection", true),
        (6, "the way from it to the server is too long", true),
        (7, "it makes no connections", false),
        (8, "it does not take this kind of address", false),
        (9, "it breaks the rules of SOCKS5", false),
        (255, "it breaks the rules of SOCKS5", false),
    ] {
        let reply = [code; 2];
        let proxy = socks_proxy(Socks { reply, ..SOCKS }, address).await;
        for scheme in ["socks5", "socks5h"] {
            let error = failure(connect("ws://192.0.2.1/").proxy(&*proxy.url(scheme))).await;
            let said = error.to_string();
            assert!(said.contains(words), "{said}");
            if code < 9 {
                assert!(said.contains(&format!("(SOCKS reply {code})")), "{said}");
            }
            assert_eq!(error.is_retryable(), is_retryable, "{said}");
            assert_eq!(said.contains("try again"), is_retryable, "{said}");
        }
    }
}

#[tokio::test]
async fn px13_a_proxy_of_socks_that_says_nothing_has_the_one_timeout() {
    for said in [
        &b""[..],
        b"\x05",
        b"\x05\x00",
        b"\x05\x00\x05\x00\x00\x01\x00",
    ] {
        let proxy = Proxy::start(move |mut stream, told| async move {
            let _ = told.send(());
            stream.write_all(said).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        for scheme in ["socks5", "socks5h"] {
            let connecting = connect("ws://192.0.2.1/").timeout(Duration::from_millis(60));
            let error = failure(connecting.proxy(&*proxy.url(scheme))).await;
            assert_timeout(&error, Stage::Proxy);
        }
    }
}

#[tokio::test]
async fn px19_what_is_not_socks_is_told_of_the_proxy() {
    for (said, words) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "it breaks the rules of SOCKS5",
        ),
        (b"\x04\0", "it breaks the rules of SOCKS5"),
        (b"\x05\x01", "it breaks the rules of SOCKS5"),
        (b"\x05\0\x05\0\x01\x01", "it breaks the rules of SOCKS5"),
        (
            b"\x05\0\x05\0\0\x02\0\0\0\0",
            "it breaks the rules of SOCKS5",
        ),
        (b"", "ended the connection before there was a tunnel"),
        (
            b"\x05\0\x05\0\0\x01",
            "ended the connection before there was a tunnel",
        ),
    ] {
        let proxy = Proxy::start(move |mut stream, told| async move {
            let _ = told.send(());
            stream.write_all(said).await.unwrap();
            stream.shutdown().await.unwrap();
            // The client ends it, too.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        let error = failure(connect("ws://192.0.2.1/").proxy(&*proxy.url("socks5h"))).await;
        assert!(error.to_string().contains(words), "{error}");
    }
}
