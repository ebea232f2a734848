//! Which way is taken where several are named: by the program, by the environment, by a redirect.

use talkback::{ConnectError, connect};
use tokio::net::TcpStream;

use crate::proxy::{is_child, outcome_of};
use crate::support::answers::failure;
use crate::support::echo::say_hello;
use crate::support::proxy::{Proxy, http_proxy};
use crate::support::site::{header, redirect, site, target};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// The proxy alone knows where it is.
const URL: &str = "ws://server.invalid/";

/// Nobody listens there.
const DEAD: &str = "http://user:hunter2@127.0.0.1:1";

/// What comes of a connect, in a process with these variables, where PROXY is the address.
async fn outcome(
    test: &str,
    proxy: &Proxy<String>,
    url: &str,
    variables: &[(&str, &str)],
) -> String {
    let address = proxy.address.to_string();
    let mut variables: Vec<(&str, String)> = variables
        .iter()
        .map(|(name, value)| (*name, value.replace("PROXY", &address)))
        .collect();
    variables.push(("TALKBACK_TEST_PROXIED", url.to_owned()));
    outcome_of(test, &variables).await
}

#[tokio::test]
async fn px20_a_url_of_the_program_beats_the_environment_and_no_proxy() {
    let option = std::env::var("TALKBACK_TEST_OPTION").unwrap_or_default();
    if is_child(|connect| connect.proxy(&*option)).await {
        return;
    }
    let server = site(|_| None).await;
    let mut proxy = http_proxy(OK, server.address).await;
    let test = "proxy_choice::px20_a_url_of_the_program_beats_the_environment_and_no_proxy";
    let option = ("TALKBACK_TEST_OPTION", "http://PROXY");
    for variables in [
        &[option][..],
        &[option, ("HTTPS_PROXY", DEAD)],
        &[option, ("ws_proxy", DEAD), ("NO_PROXY", "*")],
        &[option, ("NO_PROXY", "server.invalid")],
        &[option, ("https_proxy", "")],
        &[option, ("https_proxy", "ftp://x")],
    ] {
        let said = outcome(test, &proxy, URL, variables).await;
        assert_eq!(said, "Hello!", "{variables:?}");
        assert!(
            proxy
                .asked()
                .await
                .starts_with("CONNECT server.invalid:80 ")
        );
    }
    // This machine, too.
    let url = server.url("ws");
    assert_eq!(outcome(test, &proxy, &url, &[option]).await, "Hello!");
    assert!(proxy.asked().await.starts_with("CONNECT 127.0.0.1:"));
    proxy.assert_unasked();
}

#[tokio::test]
async fn px20_none_of_the_program_beats_the_environment() {
    if is_child(|connect| connect.proxy(None)).await {
        return;
    }
    let server = site(|_| None).await;
    let mut proxy = http_proxy(OK, server.address).await;
    let test = "proxy_choice::px20_none_of_the_program_beats_the_environment";
    for name in ["HTTPS_PROXY", "https_proxy", "ws_proxy", "all_proxy"] {
        for value in ["http://PROXY", DEAD, "ftp://x"] {
            let said = outcome(test, &proxy, URL, &[(name, value)]).await;
            let direct = "could not find the address of \"server.invalid\": ";
            assert!(said.starts_with(direct), "{name}: {said}");
        }
    }
    proxy.assert_unasked();
}

/// The first server is of this machine, and reached directly; the second is what the proxy leads to.
#[tokio::test]
async fn px22_the_environment_decides_on_each_hop_anew() {
    if is_child(|connect| connect.redirects(2)).await {
        return;
    }
    let there = site(|_| None).await;
    let mut proxy = http_proxy(OK, there.address).await;
    let test = "proxy_choice::px22_the_environment_decides_on_each_hop_anew";
    let to = "http://server.invalid/room";
    let here = site(move |head| (target(head) == "/").then(|| redirect(302, to))).await;
    let url = here.url("ws");
    let set = ("https_proxy", "http://PROXY");
    assert_eq!(outcome(test, &proxy, &url, &[set]).await, "Hello!");
    assert!(
        proxy
            .asked()
            .await
            .starts_with("CONNECT server.invalid:80 ")
    );
    let excepted = [set, ("no_proxy", "server.invalid")];
    let said = outcome(test, &proxy, &url, &excepted).await;
    assert!(said.starts_with("could not find the address of"), "{said}");
    proxy.assert_unasked();
    // And from where the proxy leads to, back to this machine.
    let location: &'static str = there.url("http").leak();
    let first = site(move |head| (target(head) == "/").then(|| redirect(302, location))).await;
    let mut proxy = http_proxy(OK, first.address).await;
    assert_eq!(outcome(test, &proxy, URL, &[set]).await, "Hello!");
    assert!(
        proxy
            .asked()
            .await
            .starts_with("CONNECT server.invalid:80 ")
    );
    proxy.assert_unasked();
}

/// A proxy would lead the address to another machine than this one.
#[tokio::test]
async fn px1_an_address_of_this_machine_is_reached_directly() {
    let address = std::env::var("TALKBACK_TEST_OPTION").unwrap_or_default();
    let change = |connect: talkback::Connect| {
        connect.address(address.parse::<std::net::SocketAddr>().unwrap())
    };
    if is_child(change).await {
        return;
    }
    let server = site(|_| None).await;
    let mut proxy = http_proxy(OK, server.address).await;
    let test = "proxy_choice::px1_an_address_of_this_machine_is_reached_directly";
    let (set, here) = (("https_proxy", "http://PROXY"), server.address.to_string());
    let to = |address: &'static str| ("TALKBACK_TEST_OPTION", address);
    let here: &'static str = here.leak();
    assert_eq!(outcome(test, &proxy, URL, &[set, to(here)]).await, "Hello!");
    proxy.assert_unasked();
    let there = [set, to("192.0.2.1:81")];
    assert_eq!(outcome(test, &proxy, URL, &there).await, "Hello!");
    assert!(proxy.asked().await.starts_with("CONNECT 192.0.2.1:81 "));
}

#[cfg(unix)]
#[tokio::test]
async fn px1_no_proxy_of_the_environment_leads_to_a_unix_socket() {
    let path = std::env::var("TALKBACK_TEST_OPTION").unwrap_or_default();
    if is_child(|connect| connect.unix_socket(path)).await {
        return;
    }
    let (path, _asked) = crate::unix_socket::server(None);
    let mut proxy = http_proxy(OK, ([127, 0, 0, 1], 1).into()).await;
    let test = "proxy_choice::px1_no_proxy_of_the_environment_leads_to_a_unix_socket";
    let path: &'static str = path.0.to_str().unwrap().to_owned().leak();
    for value in ["http://PROXY", "ftp://x"] {
        let variables = [("https_proxy", value), ("TALKBACK_TEST_OPTION", path)];
        assert_eq!(outcome(test, &proxy, URL, &variables).await, "Hello!");
    }
    proxy.assert_unasked();
}

#[tokio::test]
async fn px1_no_proxy_of_the_environment_is_asked_beside_a_connector() {
    let address = std::env::var("TALKBACK_TEST_OPTION").unwrap_or_default();
    let connector = move |_| TcpStream::connect(address.clone());
    if is_child(|connect| connect.connector(connector)).await {
        return;
    }
    let server = site(|_| None).await;
    let mut proxy = http_proxy(OK, server.address).await;
    let test = "proxy_choice::px1_no_proxy_of_the_environment_is_asked_beside_a_connector";
    let address: &'static str = server.address.to_string().leak();
    for value in ["http://PROXY", "ftp://x"] {
        let variables = [("https_proxy", value), ("TALKBACK_TEST_OPTION", address)];
        assert_eq!(outcome(test, &proxy, URL, &variables).await, "Hello!");
    }
    proxy.assert_unasked();
}

/// It would be read by the server, which is not to know it.
#[tokio::test]
async fn px9_a_header_for_the_proxy_does_not_go_to_the_server() {
    let mut server = site(|_| None).await;
    let mut proxy = http_proxy(OK, server.address).await;
    let connecting = connect(server.url("ws")).header("proxy-authorization", "Basic hunter2");
    let error = failure(connecting.clone().proxy(&*proxy.url("http"))).await;
    assert!(matches!(error, ConnectError::Header { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(
        error.to_string(),
        "the header \"Proxy-Authorization\" cannot be sent: it would go through the proxy, to the server: \
         put user name and password into the proxy's URL"
    );
    proxy.assert_unasked();
    server.assert_unasked();
    // A proxy before the server may want it.
    say_hello(connecting.proxy(None)).await;
    let head = server.asked().await;
    assert_eq!(header(&head, "Proxy-Authorization"), Some("Basic hunter2"));
}
