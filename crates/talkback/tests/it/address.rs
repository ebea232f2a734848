//! Where a client connects to, and the names that it goes by, apart from its URL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use talkback::{Connect, ConnectError, Unfollowed, connect};

use crate::support::answers::{failure, listen};
use crate::support::echo::say_hello;
use crate::support::proxy::{Proxy, SOCKS, Socks, http_proxy, socks_proxy};
use crate::support::site::{header, redirect, site, target};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// Options of a connect.
type Change = fn(Connect) -> Connect;

async fn echo() -> Proxy<String> {
    site(|_| None).await
}

/// An address where nobody listens.
async fn dead() -> SocketAddr {
    let (listener, address) = listen().await;
    drop(listener);
    address
}

#[tokio::test]
async fn an_address_takes_the_place_of_the_lookup_and_nothing_else() {
    let mut server = echo().await;
    let url = "ws://server.invalid:81/room?x=1";
    say_hello(connect(url).address(server.address)).await;
    let head = server.asked().await;
    assert!(head.starts_with("GET /room?x=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "Host"), Some("server.invalid:81"));
    let socket = connect(url).address(server.address).await.unwrap();
    assert_eq!(socket.peer(), Some(server.address));
}

#[tokio::test]
async fn several_addresses_are_tried_as_those_of_a_name() {
    let server = echo().await;
    let connecting = connect("ws://server.invalid/").address(dead().await);
    say_hello(connecting.address(server.address)).await;
    let (first, second) = (dead().await, dead().await);
    let connecting = connect("ws://server.invalid/").address(first);
    let error = failure(connecting.address(second)).await;
    let begin = "could not connect to ws://server.invalid/: ";
    assert!(error.to_string().starts_with(begin), "{error}");
    assert!(matches!(error, ConnectError::Tcp { .. }), "{error}");
}

#[tokio::test]
async fn a_host_is_named_to_the_server_and_changes_no_way() {
    let mut server = echo().await;
    for (host, told) in [
        ("a.example", "a.example"),
        ("A.Example:80", "a.example"),
        ("a.example:443", "a.example:443"),
        ("[2001:DB8::1]:81", "[2001:db8::1]:81"),
        ("192.0.2.1", "192.0.2.1"),
    ] {
        say_hello(connect(server.url("ws")).host(host)).await;
        assert_eq!(header(&server.asked().await, "Host"), Some(told));
    }
}

fn assert_option(error: &ConnectError, name: &str, words: &str) {
    let said = error.to_string();
    assert!(
        matches!(error, ConnectError::Option { option, .. } if *option == name),
        "{said}"
    );
    let begin = format!("the option `{name}` cannot be used: ");
    assert!(said.starts_with(&begin) && said.contains(words), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_name_or_an_address_that_is_none_is_told_before_a_byte_is_sent() {
    let mut server = echo().await;
    let url = server.url("ws");
    for (host, words) in [
        ("", "give a name or an address"),
        ("hunter2/", "give a name or an address"),
        ("hunter2@a.example", "give a name or an address"),
        ("a.example\r\nX-Key: hunter2", "give a name or an address"),
        ("http://a.example", "its port is not a number"),
        ("a.example:0", "its port is not a number"),
        ("a.example:hunter2", "its port is not a number"),
        ("b\u{fc}cher.example", "begins with xn--"),
    ] {
        assert_option(&failure(connect(&*url).host(host)).await, "host", words);
    }
    let port_0 = connect(&*url).address((Ipv4Addr::LOCALHOST, 0));
    assert_option(&failure(port_0).await, "address", "its port is 0");
    server.assert_unasked();
}

/// Redirects within what the server takes for its origin lead to the same address.
#[tokio::test]
async fn px22_an_address_is_for_one_origin() {
    let to = |location: &'static str| {
        site(move |head| (target(head) == "/").then(|| redirect(302, location)))
    };
    let within: [(&str, Change); 5] = [
        ("/room", |connect| connect),
        ("http://server.invalid/room", |connect| connect),
        ("http://a.example:81/room", |connect| {
            connect.host("a.example:81")
        }),
        ("/room", |connect| connect.host("a.example:81")),
        ("http://server.invalid/room", |connect| {
            connect.host("a.example:81")
        }),
    ];
    for (location, change) in within {
        let mut server = to(location).await;
        let connecting = change(connect("ws://server.invalid/")).header("X-Api-Key", "7");
        say_hello(connecting.address(server.address).redirects(1)).await;
        let (first, second) = (server.asked().await, server.asked().await);
        assert!(second.starts_with("GET /room "), "{second}");
        assert_eq!(header(&first, "Host"), header(&second, "Host"));
        assert_eq!(header(&second, "X-Api-Key"), Some("7"));
    }
    let mut other = echo().await;
    let location: &'static str = other.url("http").leak();
    let server = to(location).await;
    let connecting = connect("ws://server.invalid/").address(server.address);
    let error = failure(connecting.redirects(1)).await;
    let unfollowed = error.refused().and_then(|refused| refused.unfollowed);
    let option = "address";
    assert_eq!(unfollowed, Some(Unfollowed::OtherOrigin { option }));
    let end = format!(
        "it redirects to {}/, where the option `address` does not lead: connect there without it",
        other.url("ws")
    );
    assert!(error.to_string().ends_with(&end), "{error}");
    other.assert_unasked();
}

#[tokio::test]
async fn px9_an_explicit_proxy_is_asked_for_the_address() {
    let server = echo().await;
    let mut proxy = http_proxy(OK, server.address).await;
    let to = |addresses: &[&str]| {
        let connecting = connect("ws://server.invalid/").proxy(&*proxy.url("http"));
        addresses.iter().fold(connecting, |connecting, address| {
            connecting.address(address.parse::<SocketAddr>().unwrap())
        })
    };
    let (v4, v6) = (to(&["192.0.2.1:81"]), to(&["[2001:db8::1]:81"]));
    say_hello(v4).await;
    let head = proxy.asked().await;
    assert!(head.starts_with("CONNECT 192.0.2.1:81 HTTP/1.1\r\n"));
    assert_eq!(header(&head, "Host"), Some("192.0.2.1:81"));
    say_hello(v6).await;
    assert!(proxy.asked().await.starts_with("CONNECT [2001:db8::1]:81 "));
}

#[tokio::test]
async fn px19_several_addresses_are_asked_for_in_turn() {
    // HTTP: the first cannot be reached from there, or is forbidden.
    for (status, asked) in [(502, 2), (403, 1)] {
        let answer = format!("HTTP/1.1 {status} \r\nContent-Length: 0\r\n\r\n");
        let mut proxy = http_proxy(answer, dead().await).await;
        let addresses = ["192.0.2.1:81", "192.0.2.2:82"].map(|it| it.parse().unwrap());
        let [first, second]: [SocketAddr; 2] = addresses;
        let connecting = connect("ws://server.invalid/")
            .address(first)
            .address(second);
        let error = failure(connecting.proxy(&*proxy.url("http"))).await;
        assert!(matches!(error, ConnectError::Proxy { .. }), "{error}");
        for address in &addresses[..asked] {
            let line = format!("CONNECT {address} ");
            assert!(proxy.asked().await.starts_with(&line));
        }
        proxy.assert_unasked();
    }
    // SOCKS: the second one is reached, whoever would have looked the name up.
    let server = echo().await;
    for scheme in ["socks5", "socks5h"] {
        let reply = [4, 0];
        let mut proxy = socks_proxy(Socks { reply, ..SOCKS }, server.address).await;
        let connecting = connect("ws://server.invalid/")
            .address(([192, 0, 2, 1], 258))
            .address(([192, 0, 2, 2], 259));
        say_hello(connecting.proxy(&*proxy.url(scheme))).await;
        assert_eq!(proxy.asked().await.target, [1, 192, 0, 2, 1, 1, 2]);
        assert_eq!(proxy.asked().await.target, [1, 192, 0, 2, 2, 1, 3]);
    }
}

/// Other systems than Linux have one address for the loopback.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_local_address_is_the_one_that_others_see() {
    let local: IpAddr = "127.0.0.2".parse().unwrap();
    let (listener, address) = listen().await;
    for proxy in [None, Some(format!("http://{address}"))] {
        let connecting = connect(format!("ws://{address}/")).local_address(local);
        let connecting = connecting.proxy(proxy.as_deref());
        let accepting = async {
            let (stream, peer) = listener.accept().await.unwrap();
            drop(stream);
            peer
        };
        let (_, peer) = tokio::join!(failure(connecting), accepting);
        assert_eq!(peer.ip(), local);
    }
    let server = echo().await;
    let socket = connect(server.url("ws"))
        .local_address(local)
        .await
        .unwrap();
    let own = socket.transport().unwrap().local_addr().unwrap();
    assert_eq!(own.ip(), local);
}

#[tokio::test]
async fn a_local_address_that_cannot_be_used_is_told() {
    let server = echo().await;
    let proxy = http_proxy(OK, server.address).await;
    let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
    let of_ipv6: IpAddr = "::1".parse().unwrap();
    for (local, says) in [
        (elsewhere, "the local address 192.0.2.1 cannot be used: "),
        (
            of_ipv6,
            "the local address ::1 cannot be used: the host has no address of IPv6. ",
        ),
    ] {
        for proxy in [None, Some(proxy.url("http"))] {
            let connecting = connect(server.url("ws")).local_address(local);
            let error = failure(connecting.proxy(proxy.as_deref())).await;
            let said = error.to_string();
            assert!(matches!(error, ConnectError::Tcp { .. }), "{said}");
            let begin = format!("could not connect to {}/: {says}", server.url("ws"));
            assert!(said.starts_with(&begin), "{said}");
            let end = "Give `local_address` an address that this machine has, of the family (IPv4 or IPv6) \
                       of one that the host has";
            assert!(said.ends_with(end), "{said}");
        }
    }
}

#[cfg(not(unix))]
#[tokio::test]
async fn a_unix_socket_is_an_error_where_there_are_none() {
    let error = failure(connect("ws://localhost/").unix_socket("app.sock")).await;
    assert_eq!(
        error.to_string(),
        "the option `unix_socket` cannot be used: there is none on this system: connect by TCP"
    );
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;
    use crate::support::certificates::{Authority, say_hello, serve};

    #[tokio::test]
    async fn c5_tls_checks_the_urls_host_wherever_it_connects_to() {
        let authority = Authority::new("A root");
        let address = serve(authority.issue("server.example").server()).await;
        let to = |host: &str| {
            let connecting = connect(format!("wss://{host}/")).address(address);
            connecting.tls_roots(authority.pem.as_bytes())
        };
        say_hello(to("server.example")).await;
        let error = failure(to("other.example")).await;
        assert!(error.to_string().contains("is for another host"), "{error}");
    }

    #[tokio::test]
    async fn c5_a_name_that_is_given_is_what_tls_checks() {
        let authority = Authority::new("A root");
        let address = serve(authority.issue("server.example").server()).await;
        let to = |name: &str| {
            let connecting = connect(format!("wss://{address}/")).server_name(name);
            connecting.tls_roots(authority.pem.as_bytes())
        };
        say_hello(to("server.example")).await;
        say_hello(to("other.example").server_name("server.example")).await;
        let error = failure(to("other.example")).await;
        assert!(error.to_string().contains("is for another host"), "{error}");
        // `host` is no name of TLS.
        let error = failure(to("other.example").host("server.example")).await;
        assert!(error.to_string().contains("is for another host"), "{error}");
        for name in ["", "hunter2 x", "server.example:443", "[::1]", "a..b"] {
            assert_option(&failure(to(name)).await, "server_name", "without a port");
        }
    }

    /// By an address, too, which is not sent.
    #[tokio::test]
    async fn c5_an_address_may_be_the_name() {
        let authority = Authority::new("A root");
        let address = serve(authority.issue("192.0.2.1").server()).await;
        let connecting = connect("wss://server.invalid/").address(address);
        let connecting = connecting.server_name("192.0.2.1");
        say_hello(connecting.tls_roots(authority.pem.as_bytes())).await;
    }

    #[tokio::test]
    async fn c5_the_name_that_is_given_is_sent() {
        use tokio::io::AsyncReadExt as _;

        let (listener, address) = listen().await;
        let connecting = connect(format!("wss://{address}/")).server_name("server.example");
        let accepting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut header = [0; 5];
            stream.read_exact(&mut header).await.unwrap();
            let mut hello = vec![0; u16::from_be_bytes([header[3], header[4]]).into()];
            stream.read_exact(&mut hello).await.unwrap();
            hello
        };
        let connecting = failure(connecting.danger_accept_any_certificate());
        let (_, hello) = tokio::join!(connecting, accepting);
        assert!(hello.windows(14).any(|window| window == b"server.example"));
    }

    #[cfg(feature = "rustls-0-23")]
    #[tokio::test]
    async fn c5_a_name_goes_with_a_configuration_of_the_programs_own() {
        let authority = Authority::new("A root");
        let address = serve(authority.issue("server.example").server()).await;
        let connecting = connect(format!("wss://{address}/")).server_name("server.example");
        say_hello(connecting.rustls_0_23(std::sync::Arc::new(authority.client()))).await;
    }
}
