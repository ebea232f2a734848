//! `resolver`: lookups of the program's own, of servers and of proxies.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use talkback::{Connect, ConnectError, Stage, connect};
use tokio::time::Instant;

use crate::support::answers::{answer, assert_timeout, failure, listen, refused};
use crate::support::echo::{echo_address, say_hello};
use crate::support::proxy::{SOCKS, http_proxy, socks_proxy};

/// What a resolver was asked.
type Asked = Arc<Mutex<Vec<(String, u16)>>>;

/// Has a client look up all hosts by a function, and notes them.
fn with_resolver(
    connecting: Connect,
    find: impl Fn(&str, usize) -> Vec<SocketAddr> + Send + Sync + 'static,
) -> (Connect, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let connecting = connecting.resolver(move |host, port| {
        let mut noted = noted.lock().unwrap();
        let found = find(&host, noted.len());
        noted.push((host, port));
        async move { Ok(found) }
    });
    (connecting, asked)
}

fn take(asked: &Asked) -> Vec<(String, u16)> {
    std::mem::take(&mut asked.lock().unwrap())
}

#[tokio::test]
async fn it_is_asked_for_the_host_of_the_url_once_for_each_try() {
    let address = echo_address().await;
    let (connecting, asked) = with_resolver(connect("ws://Server.invalid:81/"), move |_, _| {
        vec![address]
    });
    for _ in 0..2 {
        say_hello(connecting.clone()).await;
        assert_eq!(take(&asked), [("server.invalid".to_owned(), 81)]);
    }
    let channel = connecting.channel();
    channel.ready().await.unwrap();
    assert_eq!(take(&asked), [("server.invalid".to_owned(), 81)]);
    let (connecting, asked) =
        with_resolver(connect("ws://server.invalid"), move |_, _| vec![address]);
    say_hello(connecting).await;
    assert_eq!(take(&asked), [("server.invalid".to_owned(), 80)]);
}

/// A service that has moved is found at its new address by the next try.
#[tokio::test]
async fn each_try_goes_where_its_own_lookup_leads() {
    let (old, old_address) = listen().await;
    let new = echo_address().await;
    let (connecting, _) = with_resolver(connect("ws://server.invalid/"), move |_, count| {
        vec![if count == 0 { old_address } else { new }]
    });
    let gone = async {
        let (stream, _) = old.accept().await.unwrap();
        answer(stream, "HTTP/1.1 502 Bad Gateway\r\n\r\n").await
    };
    let (error, request) = tokio::join!(failure(connecting.clone()), gone);
    assert_eq!(refused(error).status, 502);
    // The name is that of the URL, wherever it leads.
    assert!(
        request.contains("\r\nHost: server.invalid\r\n"),
        "{request}"
    );
    say_hello(connecting).await;
}

#[tokio::test]
async fn its_addresses_are_raced() {
    let address = echo_address().await;
    // A port of this machine that refuses, first.
    let (closed, refusing) = listen().await;
    drop(closed);
    let (connecting, _) = with_resolver(connect("ws://server.invalid/"), move |_, _| {
        vec![refusing, address]
    });
    let socket = connecting.await.unwrap();
    assert_eq!(socket.peer(), Some(address));
    let (connecting, _) = with_resolver(connect("ws://server.invalid/"), move |_, _| {
        vec![refusing, refusing]
    });
    let error = failure(connecting).await;
    assert!(matches!(error, ConnectError::Tcp { .. }), "{error}");
}

#[tokio::test]
async fn an_address_is_not_looked_up() {
    let address = echo_address().await;
    let (connecting, asked) = with_resolver(connect(format!("ws://{address}/")), |_, _| vec![]);
    say_hello(connecting).await;
    let (connecting, _) = with_resolver(connect("ws://[::1]:1/"), |_, _| vec![]);
    assert!(matches!(
        failure(connecting).await,
        ConnectError::Tcp { .. }
    ));
    assert_eq!(take(&asked), []);
}

#[tokio::test]
async fn its_error_is_that_of_the_lookup_and_keeps_its_source() {
    let connecting = connect("ws://user:hunter2@server.invalid/?hunter2");
    let error = failure(connecting.clone().resolver(|_, _| async {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "this zone is not ours",
        ))
    }))
    .await;
    assert_eq!(
        error.to_string(),
        "could not find the address of \"server.invalid\": this zone is not ours. Check the name and the network"
    );
    assert!(error.is_retryable());
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);

    let (connecting, _) = with_resolver(connecting, |_, _| vec![]);
    let error = failure(connecting).await;
    assert!(matches!(error, ConnectError::Resolve { .. }));
    assert_eq!(
        error.to_string(),
        "could not find the address of \"server.invalid\": the host has no address. Check the name and the network"
    );
}

#[tokio::test(start_paused = true)]
async fn it_has_the_one_timeout() {
    let connecting = connect("ws://server.invalid/").resolver(|_, _| std::future::pending());
    let began = Instant::now();
    assert_timeout(&failure(connecting.clone()).await, Stage::Resolve);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    let connecting = connecting.timeout(Duration::from_secs(3600));
    let trying = tokio::time::timeout(Duration::from_secs(1), connecting.into_future());
    assert!(trying.await.is_err());
}

// ── Proxies ──────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_proxy_of_http_is_looked_up_by_it_and_the_server_by_the_proxy() {
    let mut proxy = http_proxy("HTTP/1.1 200 OK\r\n\r\n", echo_address().await).await;
    let address = proxy.address;
    let connecting = connect("ws://server.invalid:81/").proxy("http://proxy.invalid:3128");
    let (connecting, asked) = with_resolver(connecting, move |_, _| vec![address]);
    say_hello(connecting).await;
    assert_eq!(take(&asked), [("proxy.invalid".to_owned(), 3128)]);
    let request = proxy.asked().await;
    assert!(
        request.starts_with("CONNECT server.invalid:81 "),
        "{request}"
    );
}

#[tokio::test]
async fn px17_the_names_that_are_looked_up_here_are_counted() {
    let mut proxy = socks_proxy(SOCKS, echo_address().await).await;
    let address = proxy.address;
    let find = move |host: &str, _| match host {
        "proxy.invalid" => vec![address],
        _ => vec!["192.0.2.1:9".parse().unwrap()],
    };
    let connecting = connect("ws://server.invalid:258/");
    let socks5h = connecting.clone().proxy("socks5h://proxy.invalid");
    let (socks5h, asked) = with_resolver(socks5h, find);
    say_hello(socks5h).await;
    let looked_up = take(&asked);
    assert_eq!(looked_up, [("proxy.invalid".to_owned(), 1080)]);
    let name = [&[3][..], b"server.invalid", &[1, 2]].concat();
    assert_eq!(proxy.asked().await.target, name);

    let (socks5, asked) = with_resolver(connecting.proxy("socks5://proxy.invalid"), find);
    say_hello(socks5).await;
    let names = [("proxy.invalid", 1080), ("server.invalid", 258)];
    let names = names.map(|(name, port)| (name.to_owned(), port));
    assert_eq!(take(&asked), names);
    // An address has its port.
    assert_eq!(proxy.asked().await.target, [1, 192, 0, 2, 1, 0, 9]);
}

#[tokio::test]
async fn a_proxy_without_an_address_is_told_of_the_proxy() {
    let connecting = connect("ws://server.invalid/").proxy("http://proxy.invalid");
    let (connecting, _) = with_resolver(connecting, |_, _| vec![]);
    let error = failure(connecting).await;
    assert!(matches!(error, ConnectError::Proxy { .. }), "{error}");
    assert!(
        error.to_string().contains("the host has no address"),
        "{error}"
    );
    assert!(error.is_retryable());
}
