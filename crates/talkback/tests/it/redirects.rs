//! Redirects: which are followed, what goes along, and which are not.

use std::time::Duration;

use talkback::{Connect, ConnectError, Stage, Unfollowed, connect};
use tokio::io::duplex;

use crate::support::answers::{answer, failure, listen};
use crate::support::echo::say_hello;
use crate::support::proxy::{Proxy, http_proxy};
use crate::support::site::{empty, header, redirect, site, switching, target};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A server that redirects `/` so, and is an echo at any other path.
async fn redirecting(status: u16, location: impl Into<String>) -> Proxy<String> {
    let location = location.into();
    site(move |head| (target(head) == "/").then(|| redirect(status, &location))).await
}

/// An echo.
async fn echo() -> Proxy<String> {
    site(|_| None).await
}

/// Why the redirect was not followed.
fn unfollowed(error: &ConnectError) -> Unfollowed {
    assert!(!error.is_retryable(), "{error}");
    let refused = error.refused().unwrap_or_else(|| panic!("{error}"));
    assert!(refused.status.is_redirection(), "{error}");
    refused.unfollowed.unwrap_or_else(|| panic!("{error}"))
}

#[tokio::test]
async fn px22_each_status_is_followed_with_get_and_the_programs_headers() {
    for status in [301, 302, 303, 307, 308] {
        let mut server = redirecting(status, "room?x=1#top").await;
        let url = format!("ws://user:pass@{}/", server.address);
        let connecting = connect(url)
            .header("X-Api-Key", "7")
            .header("Cookie", "a=1")
            .origin("https://app.example")
            .subprotocol("chat");
        say_hello(connecting.redirects(1)).await;
        for target in ["/", "/room?x=1"] {
            let head = server.asked().await;
            let line = format!("GET {target} HTTP/1.1\r\n");
            assert!(head.starts_with(&line), "{head}");
            let host = server.address.to_string();
            for (name, value) in [
                ("Host", &*host),
                ("X-Api-Key", "7"),
                ("Cookie", "a=1"),
                ("Authorization", "Basic dXNlcjpwYXNz"),
                ("Origin", "https://app.example"),
                ("Sec-WebSocket-Protocol", "chat"),
            ] {
                assert_eq!(header(&head, name), Some(value), "{head}");
            }
        }
        server.assert_unasked();
    }
}

#[tokio::test]
async fn px22_each_request_has_a_key_of_its_own() {
    let mut server = redirecting(302, "/room").await;
    say_hello(connect(server.url("ws")).redirects(1)).await;
    let heads = [server.asked().await, server.asked().await];
    let [first, second] = heads
        .each_ref()
        .map(|head| header(head, "Sec-WebSocket-Key"));
    assert!(first.is_some() && second.is_some());
    assert_ne!(first, second);
}

#[tokio::test]
async fn px22_by_default_none_is_followed_and_the_error_says_where_it_leads() {
    let mut server = redirecting(301, "/room").await;
    let error = failure(connect(server.url("ws"))).await;
    let text = format!(
        "it redirects: connect to ws://{address}/room",
        address = server.address
    );
    assert!(error.to_string().ends_with(&text), "{error}");
    assert_eq!(error.refused().unwrap().unfollowed, None);
    server.asked().await;
    server.assert_unasked();
}

#[tokio::test]
async fn px22_another_answer_is_no_redirect() {
    for status in [300, 304, 305, 306, 404] {
        let mut server = redirecting(status, "/room").await;
        let error = failure(connect(server.url("ws")).redirects(10)).await;
        let refused = error.refused().unwrap();
        assert_eq!(
            (refused.status.as_u16(), refused.unfollowed),
            (status, None)
        );
        server.asked().await;
        server.assert_unasked();
    }
}

/// A server where the way to the echo takes this many redirects.
async fn winding(redirects: usize) -> Proxy<String> {
    site(move |head| {
        let number: usize = target(head)[1..].parse().unwrap_or(0);
        (number < redirects).then(|| redirect(302, &format!("/{}", number + 1)))
    })
    .await
}

#[tokio::test]
async fn px22_ten_hops_are_followed_and_the_eleventh_is_not() {
    let server = winding(10).await;
    say_hello(connect(server.url("ws")).redirects(10)).await;
    let mut server = winding(11).await;
    for (redirects_max, next) in [(10, 11), (3, 4), (1, 2)] {
        let error = failure(connect(server.url("ws")).redirects(redirects_max)).await;
        assert_eq!(unfollowed(&error), Unfollowed::TooMany { redirects_max });
        let address = server.address;
        let before = next - 1;
        let begin = format!("could not open ws://{address}/{before}: the server answered 302 ");
        let end = format!(
            "it redirects to ws://{address}/{next}, once more than the option `redirects` allows \
             ({redirects_max}): check that they end, and connect to where that is"
        );
        let said = error.to_string();
        assert!(said.starts_with(&begin) && said.ends_with(&end), "{said}");
        for _ in 0..=redirects_max {
            server.asked().await;
        }
        server.assert_unasked();
    }
}

#[tokio::test]
async fn px22_more_than_ten_cannot_be_asked_for() {
    let mut server = echo().await;
    let error = failure(connect(server.url("ws")).redirects(11)).await;
    assert!(
        matches!(error, ConnectError::Option { option, .. } if option == "redirects"),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the option `redirects` cannot be used: at most 10 are followed: give a number up to that"
    );
    server.assert_unasked();
}

/// A header of the program's, which another origin gets only if it is told to.
fn with_headers(url: &str) -> Connect {
    connect(url)
        .header("X-Api-Key", "hunter2")
        .header("Cookie", "id=hunter2")
        .header("X-Trace", "1")
        .header("x-trace", "2")
        .origin("https://app.example")
        .subprotocol("chat")
        .redirect_header("X-TRACE")
        .redirects(3)
}

#[tokio::test]
async fn px22_another_origin_gets_no_header_but_those_that_are_named() {
    let mut other = echo().await;
    let mut server = redirecting(307, format!("http://{}/room", other.address)).await;
    let url = format!("ws://user:hunter2@{}/", server.address);
    say_hello(with_headers(&url)).await;
    let head = server.asked().await;
    assert!(head.contains("Authorization: Basic dXNlcjpodW50ZXIy\r\n"));
    assert!(head.contains("Cookie: id=hunter2\r\n"), "{head}");
    let head = other.asked().await;
    assert!(!head.contains("hunter2") && !head.contains("dXNlcjpodW50ZXIy"));
    for name in ["Authorization", "Cookie", "X-Api-Key"] {
        assert_eq!(header(&head, name), None, "{head}");
    }
    assert!(head.contains("1\r\n") && head.contains("2\r\n"), "{head}");
    assert_eq!(header(&head, "Origin"), Some("https://app.example"));
    // Tokens travel there, too.
    assert_eq!(header(&head, "Sec-WebSocket-Protocol"), None, "{head}");
    let host = other.address.to_string();
    assert_eq!(header(&head, "Host"), Some(&*host));
}

#[tokio::test]
async fn px22_another_origin_is_offered_subprotocols_if_that_header_is_named() {
    let mut other = echo().await;
    let server = redirecting(302, format!("http://{}/room", other.address)).await;
    let connecting = with_headers(&server.url("ws")).redirect_header("Sec-WebSocket-Protocol");
    say_hello(connecting).await;
    let head = other.asked().await;
    assert_eq!(header(&head, "Sec-WebSocket-Protocol"), Some("chat"));
    assert!(!head.contains("hunter2"), "{head}");
}

/// What was left behind is not taken up again.
#[tokio::test]
async fn px22_the_way_back_to_the_first_origin_has_no_header_either() {
    let (listener, first) = listen().await;
    let mut other = redirecting(302, format!("ws://{first}/room")).await;
    let location = format!("ws://{}/", other.address);
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, redirect(302, &location)).await;
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, empty(403, "")).await
    };
    let connecting = failure(with_headers(&format!("ws://user:hunter2@{first}/")));
    let (error, head) = tokio::join!(connecting, serving);
    assert_eq!(error.refused().unwrap().status, 403);
    assert!(!other.asked().await.contains("hunter2"));
    assert!(head.starts_with("GET /room "), "{head}");
    assert!(
        !head.contains("hunter2") && !head.contains("Authorization"),
        "{head}"
    );
}

#[tokio::test]
async fn px22_a_header_to_keep_that_is_none_is_told() {
    let error = failure(connect("ws://127.0.0.1:1/").redirect_header("X Key: hunter2")).await;
    assert!(
        matches!(&error, ConnectError::Header { name, .. } if name == "X"),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn px22_a_location_that_leads_nowhere_is_told() {
    let mut other = echo().await;
    let user_info = format!("http://user:hunter2@{}/", other.address);
    for (location, why, words) in [
        (
            &*user_info,
            Unfollowed::UserInfo,
            "a user name or a password",
        ),
        (
            "//me@127.0.0.1:1/",
            Unfollowed::UserInfo,
            "a user name or a password",
        ),
        (
            "mailto:me@a.example",
            Unfollowed::Location,
            "no address of a WebSocket",
        ),
        (
            "http://127.0.0.1:0/",
            Unfollowed::Location,
            "no address of a WebSocket",
        ),
        (
            "/a\r\nLocation: /b",
            Unfollowed::Location,
            "several places at once",
        ),
    ] {
        let server = redirecting(302, location).await;
        let error = failure(connect(server.url("ws")).redirects(3)).await;
        assert_eq!(unfollowed(&error), why, "{location}");
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains("hunter2"), "{said}");
    }
    let server = site(|_| Some(empty(302, ""))).await;
    let error = failure(connect(server.url("ws")).redirects(3)).await;
    assert_eq!(unfollowed(&error), Unfollowed::Location);
    assert!(error.to_string().contains("does not say where"), "{error}");
    other.assert_unasked();
}

/// What fails on the way is told of the URL at which it failed.
#[tokio::test]
async fn px22_the_error_names_the_url_that_failed() {
    let other = site(|_| Some(empty(404, ""))).await;
    let server = redirecting(302, format!("http://{}/room?hunter2", other.address)).await;
    let error = failure(connect(server.url("ws")).redirects(3)).await;
    let begin = format!("could not open ws://{}/room?…: ", other.address);
    assert!(error.to_string().starts_with(&begin), "{error}");
    let (listener, gone) = listen().await;
    drop(listener);
    let server = redirecting(302, format!("http://{gone}/room")).await;
    let error = failure(connect(server.url("ws")).redirects(3)).await;
    let begin = format!("could not connect to ws://{gone}/room: ");
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn px22_v12_a_redirect_that_repeats_a_secret_does_not_show_it() {
    let other = site(|_| Some(empty(404, ""))).await;
    let location = format!("http://{}/hunter2/room?hunter2", other.address);
    let server = redirecting(302, location).await;
    let connecting = connect(server.url("ws")).header("X-Api-Key", "hunter2");
    let error = failure(connecting.redirects(1)).await;
    let begin = format!("could not open ws://{}/…/room?…: ", other.address);
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

/// A server that redirects `/` to a path with the secret, that one to itself with a slash, and has nothing there.
async fn repeating() -> Proxy<String> {
    site(|head| {
        Some(match target(head).split_once('?') {
            Some(_) => redirect(302, "/s/hunter2"),
            None if target(head).ends_with('/') => {
                "HTTP/1.1 404 \r\nContent-Length: 16\r\n\r\nno page /hunter2".to_owned()
            }
            None => redirect(301, &format!("{}/", target(head))),
        })
    })
    .await
}

#[tokio::test]
async fn px22_v12_a_later_redirect_or_answer_does_not_show_it_either() {
    let server = repeating().await;
    let url = format!("{}/?token=hunter2", server.url("ws"));
    let error = failure(connect(url.as_str()).redirects(3)).await;
    let begin = format!("could not open ws://{}/s/…/: ", server.address);
    let said = error.to_string();
    assert!(
        said.starts_with(&begin) && said.ends_with("no page /…"),
        "{said}"
    );
    let error = failure(connect(url).redirects(1)).await;
    let words = format!("it redirects to ws://{}/s/…/, once more", server.address);
    assert!(error.to_string().contains(&words), "{error}");
    // At another origin, which has seen nothing of it but the URL.
    let first = redirecting(302, format!("http://{}/hunter2/", server.address)).await;
    let connecting = connect(first.url("ws")).header("X-Api-Key", "hunter2");
    let said = failure(connecting.redirects(1)).await.to_string();
    assert!(
        said.ends_with("no page /…") && !said.contains("hunter2"),
        "{said}"
    );
}

/// Each hop is quick enough for a timeout of its own.
#[tokio::test]
async fn px22_one_timeout_counts_for_all() {
    let after = Duration::from_millis(200);
    let server = Proxy::start(|mut stream, told| async move {
        use tokio::io::AsyncWriteExt as _;

        let _ = told.send(crate::support::answers::read_request(&mut stream).await);
        tokio::time::sleep(Duration::from_millis(60)).await;
        let _ = stream.write_all(redirect(302, "/").as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let error = failure(connect(server.url("ws")).redirects(10).timeout(after)).await;
    let ConnectError::Timeout { after: told, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(told, after);
}

#[tokio::test]
async fn px22_a_silent_server_behind_a_redirect_has_its_stage() {
    let silent = Proxy::<()>::start(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let server = redirecting(302, format!("http://{}/", silent.address)).await;
    let connecting = connect(server.url("ws")).redirects(1);
    let error = failure(connecting.timeout(Duration::from_secs(2))).await;
    assert!(
        matches!(&error, ConnectError::Timeout { url, stage: Stage::Handshake, .. }
        if *url == format!("ws://{}/", silent.address)),
        "{error}"
    );
}

#[tokio::test]
async fn px22_a_proxy_is_asked_for_each_hop() {
    let other = echo().await;
    let server = redirecting(302, "http://other.invalid:81/room").await;
    // It leads to the first server once, then to the other one.
    let addresses = [server.address, other.address];
    let count = std::sync::atomic::AtomicUsize::new(0);
    let mut proxy = Proxy::start(move |stream, told| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let address = addresses[number.min(1)];
        crate::support::proxy::connect(stream, OK.to_owned(), address, told)
    })
    .await;
    let connecting = connect("ws://server.invalid/").proxy(&*proxy.url("http"));
    say_hello(connecting.redirects(1)).await;
    for target in ["server.invalid:80", "other.invalid:81"] {
        let line = format!("CONNECT {target} HTTP/1.1\r\n");
        assert!(proxy.asked().await.starts_with(&line));
    }
    proxy.assert_unasked();
}

/// A proxy's own redirect is none of the server's.
#[tokio::test]
async fn px22_a_redirect_of_a_proxy_is_not_followed() {
    let mut other = echo().await;
    let location = redirect(302, &other.url("http"));
    let proxy = http_proxy(location, other.address).await;
    let connecting = connect("ws://server.invalid/").proxy(&*proxy.url("http"));
    let error = failure(connecting.redirects(3)).await;
    assert!(matches!(error, ConnectError::Proxy { .. }), "{error}");
    other.assert_unasked();
}

#[tokio::test]
async fn px22_a_channel_follows_them_too() {
    let server = redirecting(302, "/room").await;
    let mut channel = connect(server.url("ws")).redirects(1).channel();
    channel.send("Hello!").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("Hello!".into()));
}

/// A stream leads to one place alone.
#[tokio::test]
async fn px22_over_a_stream_none_is_followed() {
    let (near, far) = duplex(4096);
    let (told, _) = tokio::sync::mpsc::unbounded_channel();
    let serving = crate::support::site::serve(far, |_| Some(redirect(302, "/room")), told);
    let connecting = connect("ws://a.example/").redirects(3).over(near);
    let (outcome, ()) = tokio::join!(connecting, serving);
    let error = outcome.map(drop).unwrap_err();
    assert_eq!(error.refused().unwrap().unfollowed, None);
    let end = "it redirects: connect to ws://a.example/room";
    assert!(error.to_string().ends_with(end), "{error}");
}

/// What comes behind a redirect's head is nobody's.
#[tokio::test]
async fn px22_a_body_is_not_waited_for() {
    let server = site(|head| {
        (target(head) == "/").then(|| {
            format!(
                "HTTP/1.1 302 \r\nLocation: /room\r\nContent-Length: 9\r\n\r\n{}",
                switching("")
            )
        })
    })
    .await;
    say_hello(connect(server.url("ws")).redirects(1)).await;
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::{ServerConfig, version};

    use super::*;
    use crate::support::certificates::Authority;
    use crate::support::site::serve;

    /// A server in TLS, of `localhost`, that redirects `/` to this place.
    async fn secure(authority: &Authority, location: String) -> Proxy<String> {
        secure_by(authority.issue("localhost").server(), location).await
    }

    async fn secure_by(config: ServerConfig, location: String) -> Proxy<String> {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Proxy::start(move |stream, told| {
            let (acceptor, location) = (acceptor.clone(), location.clone());
            async move {
                let answer = |head: &str| (target(head) == "/").then(|| redirect(302, &location));
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, answer, told).await;
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn px22_from_wss_to_ws_is_not_followed() {
        let mut plain = echo().await;
        let authority = Authority::new("A root");
        for scheme in ["http", "ws"] {
            let server = secure(&authority, plain.url(scheme)).await;
            let url = format!("wss://localhost:{}/", server.address.port());
            let connecting = connect(url).tls_roots(authority.pem.as_bytes());
            let error = failure(connecting.redirects(3)).await;
            assert_eq!(unfollowed(&error), Unfollowed::Downgrade);
            let end = format!(
                "it redirects to {}/, which has no TLS: ask its operator for a wss:// address",
                plain.url("ws")
            );
            assert!(error.to_string().ends_with(&end), "{error}");
        }
        plain.assert_unasked();
    }

    #[tokio::test]
    async fn px22_from_ws_to_wss_is_another_origin() {
        let authority = Authority::new("A root");
        let mut server = secure(&authority, "/room".to_owned()).await;
        let port = server.address.port();
        let plain = redirecting(308, format!("https://localhost:{port}/")).await;
        let connecting = with_headers(&plain.url("ws")).tls_roots(authority.pem.as_bytes());
        say_hello(connecting).await;
        for target in ["/", "/room"] {
            let head = server.asked().await;
            assert!(head.starts_with(&format!("GET {target} ")), "{head}");
            assert!(!head.contains("hunter2"), "{head}");
        }
    }

    /// A server in TLS, of `localhost`, that wants a certificate, and redirects `/` to `/room`.
    async fn for_clients_of(authority: &Authority) -> Proxy<String> {
        let identity = authority.issue("localhost");
        let config = identity.server_for_clients_of(authority, &version::TLS12);
        secure_by(config, "/room".to_owned()).await
    }

    #[tokio::test]
    async fn px22_another_origin_is_shown_no_client_certificate() {
        let authority = Authority::new("A root");
        let client = authority.issue("client");
        let with_certificate = |url: String| {
            let (chain, key) = (client.chain_pem.as_str(), client.key_pem.as_str());
            let connecting = connect(url).tls_client_certificate(chain, key);
            let connecting = connecting.tls_roots(authority.pem.as_bytes());
            connecting.redirects(2)
        };
        // It is that of the origin to which the program connects, whatever redirects there are within it.
        let server = for_clients_of(&authority).await;
        let url = format!("wss://localhost:{}/", server.address.port());
        say_hello(with_certificate(url.clone())).await;
        let first = redirecting(302, url.replacen("wss", "https", 1)).await;
        let error = failure(with_certificate(first.url("ws"))).await;
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
        let words = "which does not go along to another origin";
        assert!(error.to_string().contains(words), "{error}");
        // Where none is wanted, none is missed.
        let server = secure(&authority, "/room".to_owned()).await;
        let location = format!("https://localhost:{}/", server.address.port());
        let first = redirecting(302, location).await;
        say_hello(with_certificate(first.url("ws"))).await;
    }

    /// The name that is given to TLS is that of the first server.
    #[tokio::test]
    async fn px22_another_origin_is_checked_by_its_own_name() {
        let authority = Authority::new("A root");
        let server = secure(&authority, "/room".to_owned()).await;
        let port = server.address.port();
        let plain = redirecting(302, format!("https://localhost:{port}/")).await;
        let connecting = connect(plain.url("ws"))
            .host("a.example")
            .server_name("a.example")
            .tls_roots(authority.pem.as_bytes());
        say_hello(connecting.redirects(2)).await;
    }
}
