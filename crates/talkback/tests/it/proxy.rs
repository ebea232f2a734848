//! Through a proxy of HTTP: which one, CONNECT, and each answer that a proxy may give.

use std::net::SocketAddr;
use std::time::Duration;

use talkback::{Connect, ConnectError, HeadLimits, ProxyError, Refused, Stage, connect};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::answers::{answer, failure, listen, read_request};
use crate::support::echo::{echo_address, say_hello};
use crate::support::proxy::{Proxy, http_proxy};

const OK: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// What the proxy did wrong.
pub(crate) fn proxy_error(error: &ConnectError) -> ProxyError {
    match error {
        ConnectError::Proxy { error, .. } => error.clone(),
        error => panic!("{error}"),
    }
}

fn refused(error: &ConnectError) -> Refused {
    // It is not the server's answer.
    assert!(error.refused().is_none());
    let refused = proxy_error(error).refused().cloned();
    refused.unwrap_or_else(|| panic!("{error}"))
}

/// A test of this binary again, in a process with these variables; what it prints as its outcome.
pub(crate) async fn outcome_of(test: &str, variables: &[(&str, String)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http", "https", "ws", "wss", "all", "no"] {
        command.env_remove(format!("{name}_proxy"));
        command.env_remove(format!("{}_PROXY", name.to_uppercase()));
    }
    command.env_remove("REQUEST_METHOD");
    command.args(["--exact", "--nocapture", test]);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let child = command.stdin(std::process::Stdio::null()).output().await;
    let output = String::from_utf8(child.unwrap().stdout).unwrap();
    let mut lines = output.lines();
    let outcome = lines.find_map(|line| line.strip_prefix("outcome: "));
    outcome.unwrap_or_else(|| panic!("{output}")).to_owned()
}

/// In the child, connects to the URL that it is given, with these options.
pub(crate) async fn is_child(change: impl FnOnce(Connect) -> Connect) -> bool {
    let Ok(url) = std::env::var("TALKBACK_TEST_PROXIED") else {
        return false;
    };
    match change(connect(url)).await {
        Ok(mut socket) => {
            socket.send("Hello!").await.unwrap();
            let message = socket.recv().await.unwrap().unwrap();
            println!("\noutcome: {message}");
        }
        Err(error) => println!("\noutcome: {error}"),
    }
    true
}

#[tokio::test]
async fn px1_to_px8_the_variables_of_the_process_are_asked() {
    if is_child(|connect| connect).await {
        return;
    }
    let address = echo_address().await;
    let mut proxy = http_proxy(OK, address).await;
    let ask = async |url: &str, variables: &[(&str, &str)]| {
        let mut variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.replace("PROXY", &proxy.address.to_string())))
            .collect();
        variables.push(("TALKBACK_TEST_PROXIED", url.to_owned()));
        let test = "proxy::px1_to_px8_the_variables_of_the_process_are_asked";
        outcome_of(test, &variables).await
    };
    // The proxy alone knows where it is.
    let url = "ws://server.invalid/";
    assert_eq!(ask(url, &[("HTTPS_PROXY", "http://PROXY")]).await, "Hello!");
    assert_eq!(ask(url, &[("all_proxy", "PROXY")]).await, "Hello!");
    let dead = ("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1");
    let direct = format!("ws://{address}/");
    assert_eq!(ask(&direct, &[dead]).await, "Hello!");
    let said = ask(url, &[dead]).await;
    // Large or small, Windows has one variable of a name, and the small name is asked for first.
    let name = if cfg!(windows) {
        "https_proxy"
    } else {
        "HTTPS_PROXY"
    };
    let begin = format!(
        "could not open ws://server.invalid/: the proxy http://127.0.0.1:1 (from {name}) cannot be reached: "
    );
    assert!(said.starts_with(&begin), "{said}");
    assert!(
        said.ends_with(
            ". Check its host and port, and that it runs, or name the server in NO_PROXY"
        )
    );
    let said = ask(url, &[dead, ("NO_PROXY", "*.test, server.invalid:80")]).await;
    assert!(said.starts_with("could not find the address of"), "{said}");
    if !cfg!(windows) {
        let said = ask(url, &[("https_proxy", ""), ("HTTPS_PROXY", "PROXY")]).await;
        assert!(said.starts_with("could not find the address of"), "{said}");
    }
    for (value, fault) in [
        (
            "ftp://hunter2",
            "its scheme is none of http, https, socks5 and socks5h",
        ),
        ("socks4://hunter2", "SOCKS4 is not spoken here"),
        (":::hunter2", "it names no host of a proxy"),
    ] {
        let said = ask(url, &[("all_proxy", value)]).await;
        let begin = format!(
            "could not open ws://server.invalid/: the proxy (from all_proxy) cannot be used: {fault}"
        );
        assert!(said.starts_with(&begin), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for _ in 0..2 {
        proxy.asked().await;
    }
    proxy.assert_unasked();
}

#[tokio::test]
async fn px7_a_url_of_the_program_that_is_none_is_told() {
    for url in [
        "ftp://hunter2",
        "socks4://hunter2",
        ":::",
        "http://a/hunter2",
        "",
    ] {
        let error = failure(connect("ws://127.0.0.1:1/").proxy(url)).await;
        let said = error.to_string();
        let begin =
            "could not open ws://127.0.0.1:1/: the proxy given with `proxy` cannot be used: ";
        assert!(said.starts_with(begin), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn px9_c17_connect_names_host_and_port() {
    let mut proxy = http_proxy("HTTP/1.1 404 Not Found\r\n\r\n", echo_address().await).await;
    for (url, target) in [
        ("ws://Server.example", "server.example:80"),
        ("wss://server.example/path?hunter2", "server.example:443"),
        ("ws://server.example:9001/", "server.example:9001"),
        ("ws://user:hunter2@192.0.2.1/", "192.0.2.1:80"),
        ("ws://[::1]/", "[::1]:80"),
        ("wss://[2001:db8::1]:9001/", "[2001:db8::1]:9001"),
    ] {
        failure(
            connect(url)
                .header("Cookie", "hunter2")
                .proxy(&*proxy.url("http")),
        )
        .await;
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        assert_eq!(proxy.asked().await, head);
    }
}

#[tokio::test]
async fn px9_the_password_ends_at_the_proxy() {
    let (listener, address) = listen().await;
    let mut proxy = http_proxy(OK, address).await;
    for (user, header) in [
        ("user:pass", Some("dXNlcjpwYXNz")),
        ("us%40er:p%3A%2Fss", Some("dXNAZXI6cDovc3M=")),
        ("user", Some("dXNlcjo=")),
        ("user:", Some("dXNlcjo=")),
        ("", None),
    ] {
        let at = if user.is_empty() { "" } else { "@" };
        let url = format!("http://{user}{at}{}", proxy.address);
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, "HTTP/1.1 404 Not Found\r\n\r\n").await
        };
        let connecting = failure(connect("ws://server.example/").proxy(&*url));
        let (error, request) = tokio::join!(connecting, serving);
        assert_eq!(error.refused().unwrap().status, 404);
        assert!(!request.contains("roxy"), "{request}");
        let asked = proxy.asked().await;
        let told = asked
            .lines()
            .find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
        assert_eq!(told, header, "{asked}");
    }
}

#[tokio::test]
async fn px10_c17_any_2xx_is_a_tunnel() {
    let address = echo_address().await;
    for answer in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 299 \r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let is_interim = answer.starts_with("HTTP/1.1 100");
        let proxy = match is_interim {
            false => http_proxy(answer, address).await,
            true => http_proxy_after_interim(address).await,
        };
        say_hello(connect("ws://server.example/").proxy(&*proxy.url("http"))).await;
    }
}

/// One whose final answer comes behind an interim one.
async fn http_proxy_after_interim(server: SocketAddr) -> Proxy<String> {
    Proxy::start(move |mut stream, told| async move {
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        crate::support::proxy::connect(stream, OK.to_owned(), server, told).await;
    })
    .await
}

#[tokio::test]
async fn px10_c17_any_other_status_fails() {
    let address = echo_address().await;
    for (status, advice, is_retryable) in [
        ("101 Switching Protocols", "ask its operator", false),
        ("301 Moved Permanently", "check that it is a proxy", false),
        ("400 Bad Request", "it makes no tunnel", false),
        (
            "401 Unauthorized",
            "it wants credentials: put user name and password into its URL",
            false,
        ),
        (
            "403 Forbidden",
            "ask its operator to allow CONNECT to this host and port",
            false,
        ),
        ("405 Method Not Allowed", "it makes no tunnel", false),
        (
            "407 Proxy Authentication Required",
            "put user name and password into its URL",
            false,
        ),
        ("429 Too Many Requests", "try again later", true),
        ("500 Internal Server Error", "try again later", true),
        (
            "502 Bad Gateway",
            "it did not get through to the server",
            true,
        ),
        ("503 Service Unavailable", "try again later", true),
        ("504 Gateway Timeout", "try again later", true),
        (
            "505 HTTP Version Not Supported",
            "check that it is a proxy",
            false,
        ),
    ] {
        let answer =
            format!("HTTP/1.1 {status}\r\nX-Why: a\r\nContent-Length: 4\r\n\r\nbody of it");
        let proxy = http_proxy(answer, address).await;
        let error = failure(connect("ws://server.example/").proxy(&*proxy.url("http"))).await;
        let refused = refused(&error);
        assert_eq!(refused.status.to_string(), status);
        assert_eq!(refused.headers["x-why"], "a");
        if refused.status != 101 {
            assert_eq!(refused.body, "body");
        }
        let said = error.to_string();
        let begin = format!(
            "could not open ws://server.example/: the proxy {} does not lead there: it answered {status} \
             to CONNECT; ",
            proxy.url("http")
        );
        assert!(said.starts_with(&begin), "{said}");
        assert!(said.contains(advice), "{said}");
        assert_eq!(error.is_retryable(), is_retryable, "{said}");
        assert_eq!(said.contains("try again"), is_retryable, "{said}");
    }
}

/// A proxy that writes its answer in two pieces, and ends the connection where it is told to.
async fn cut_proxy(answer: &'static str, cut: usize, is_ended: bool) -> Proxy<String> {
    Proxy::start(move |mut stream, told| async move {
        stream.set_nodelay(true).unwrap();
        let _ = told.send(read_request(&mut stream).await);
        let (first, rest) = answer.split_at(cut);
        stream.write_all(first.as_bytes()).await.unwrap();
        if !is_ended {
            // So that the client has read the first.
            tokio::time::sleep(Duration::from_millis(2)).await;
            stream.write_all(rest.as_bytes()).await.unwrap();
            let _ = stream.readable().await;
        }
        stream.shutdown().await.unwrap();
    })
    .await
}

/// Behind the proxy's head the server's answer, which nobody has asked for yet.
const EARLY: &str =
    "HTTP/1.1 200 OK\r\nVia: a\r\n\r\nHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn px11_an_answer_cut_at_any_byte_passes_and_what_is_behind_it_is_kept() {
    for cut in 0..=EARLY.len() {
        let proxy = cut_proxy(EARLY, cut, false).await;
        let error = failure(connect("ws://server.example/").proxy(&*proxy.url("http"))).await;
        assert_eq!(
            error.refused().map(|it| it.status.as_u16()),
            Some(418),
            "{cut}: {error}"
        );
    }
}

#[tokio::test]
async fn px11_an_end_at_any_byte_is_told_of_the_proxy() {
    for cut in 0..OK.len() {
        let proxy = cut_proxy(OK, cut, true).await;
        let error = failure(connect("ws://server.example/").proxy(&*proxy.url("http"))).await;
        let said = error.to_string();
        assert!(
            said.contains("ended the connection before there was a tunnel"),
            "{said}"
        );
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn px12_a_head_of_20_mb_is_refused_at_the_limit() {
    let proxy = Proxy::start(|mut stream, told| async move {
        let _ = told.send(());
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        for _ in 0..20 * 1024 {
            if stream.write_all(&[b'x'; 1024]).await.is_err() {
                return;
            }
        }
        panic!("all of it was taken");
    })
    .await;
    let options: [fn(Connect) -> Connect; 2] = [
        |connect| connect,
        |connect| connect.head_limits(HeadLimits::default().size_max(1000)),
    ];
    for (change, limit) in options.into_iter().zip([16 * 1024, 1000]) {
        let connecting = change(connect("ws://server.example/")).proxy(&*proxy.url("http"));
        let error = failure(connecting).await;
        let said = error.to_string();
        assert!(
            said.contains(&format!("larger than {limit} bytes")),
            "{said}"
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn px12_what_is_not_http_is_told_of_the_proxy() {
    for (answer, words) in [
        (
            "\x15\x03\x03\0\x02\x02\x28",
            "speaks TLS: use https:// in its URL",
        ),
        ("\x05\0", "does not answer as a proxy of HTTP does"),
        ("200 OK\r\n\r\n", "does not answer as a proxy of HTTP does"),
    ] {
        let proxy = cut_proxy(answer, 0, false).await;
        let error = failure(connect("ws://server.example/").proxy(&*proxy.url("http"))).await;
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn px13_a_proxy_that_says_nothing_has_the_one_timeout() {
    // It answers nothing, half a head, and nothing but its head.
    for said in ["", "HTTP/1.1 200 O"] {
        let proxy = Proxy::start(move |mut stream, told| async move {
            let _ = told.send(());
            stream.write_all(said.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let after = Duration::from_millis(60);
        let connecting = connect("ws://server.example/").timeout(after);
        let error = failure(connecting.proxy(&*proxy.url("http"))).await;
        assert!(
            matches!(error, ConnectError::Timeout { stage: Stage::Proxy, after: it, .. } if it == after),
            "{error}"
        );
        let text = "could not open ws://server.example/ within 60ms: time ran out while waiting for the proxy. \
                    Check the proxy, which the option `proxy` or a variable such as HTTPS_PROXY names, and \
                    firewalls between, or raise `timeout`";
        assert_eq!(error.to_string(), text);
        assert!(error.is_retryable());
    }
}

/// Behind the tunnel the stages are the server's, in the time that is left.
#[tokio::test]
async fn px13_a_server_behind_it_has_the_same_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = http_proxy(OK, silent.local_addr().unwrap()).await;
    let connecting = connect("ws://server.example/").timeout(Duration::from_millis(100));
    let error = failure(connecting.proxy(&*proxy.url("http"))).await;
    let ConnectError::Timeout { stage, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(stage, Stage::Handshake);
}

/// A refusal is told even if its body never ends.
#[tokio::test]
async fn px13_a_body_that_never_ends_does_not_hide_the_refusal() {
    let proxy = Proxy::start(|mut stream, told| async move {
        let _ = told.send(read_request(&mut stream).await);
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nbegin";
        stream.write_all(answer).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let connecting = connect("ws://server.example/").timeout(Duration::from_secs(1));
    let error = failure(connecting.proxy(&*proxy.url("http"))).await;
    assert_eq!(refused(&error).body, "begin");
}

#[tokio::test]
async fn px14_407_names_the_schemes_and_no_secret() {
    let address = echo_address().await;
    for (challenge, user, advice) in [
        (
            "Proxy-Authenticate: Basic realm=\"hunter2\"\r\n",
            "",
            "it wants credentials (Basic): put user name and password into its URL: http://user:password@proxy.example:3128",
        ),
        (
            "Proxy-Authenticate: Basic realm=\"hunter2\"\r\n",
            "user:hunter2@",
            "it wants other credentials than those that were sent (Basic): check user name and password in its URL",
        ),
        (
            "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM, Digest realm=\"x\", nonce=\"hunter2\"\r\n",
            "user:hunter2@",
            "it wants credentials (Negotiate, NTLM, Digest): have it take Basic, as this client answers no other challenge",
        ),
        (
            "",
            "",
            "it wants credentials: put user name and password into its URL: http://user:password@proxy.example:3128",
        ),
    ] {
        let answer = format!(
            "HTTP/1.1 407 Proxy Authentication Required\r\n{challenge}Content-Length: 7\r\n\r\nhunter2"
        );
        let mut proxy = http_proxy(answer, address).await;
        let url = format!("http://{user}{}", proxy.address);
        let connecting = connect("ws://server.example/").proxy(&*url);
        assert!(!format!("{connecting:?}{connecting:#?}").contains("hunter2"));
        let error = failure(connecting).await;
        let said = error.to_string();
        assert!(said.ends_with(&format!("to CONNECT; {advice}")), "{said}");
        for shown in [format!("{error:?}{said}"), format!("{:?}", refused(&error))] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert!(!error.is_retryable());
        // It is asked once.
        proxy.asked().await;
        proxy.assert_unasked();
    }
}

#[tokio::test]
async fn px20_an_explicit_proxy_is_used_for_this_machine_and_none_for_none() {
    let address = echo_address().await;
    let mut proxy = http_proxy(OK, address).await;
    let url = format!("ws://{address}/");
    say_hello(connect(&*url).proxy(&*proxy.url("http"))).await;
    let target = format!("CONNECT {address} HTTP/1.1");
    assert!(proxy.asked().await.starts_with(&target));
    say_hello(connect(&*url).proxy(&*proxy.url("http")).proxy(None)).await;
    proxy.assert_unasked();
}

/// A proxy that is not there is told as the proxy, and not as the server.
#[tokio::test]
async fn px20_a_proxy_that_cannot_be_reached_is_named() {
    let (listener, address) = listen().await;
    drop(listener);
    let url = format!("http://user:hunter2@{address}");
    let error = failure(connect("ws://server.example/").proxy(&*url)).await;
    let said = error.to_string();
    let begin = format!(
        "could not open ws://server.example/: the proxy http://{address} cannot be reached: "
    );
    assert!(said.starts_with(&begin), "{said}");
    assert!(error.is_retryable());
    let error = failure(connect("ws://server.example/").proxy("nonexistent.invalid:3128")).await;
    let said = error.to_string();
    let begin = "could not open ws://server.example/: the proxy http://nonexistent.invalid:3128 has no address: ";
    assert!(said.starts_with(begin), "{said}");
}

/// A channel goes the same way.
#[tokio::test]
async fn px2_a_channel_goes_through_it_too() {
    let mut proxy = http_proxy(OK, echo_address().await).await;
    let mut channel = connect("ws://server.example/")
        .proxy(&*proxy.url("http"))
        .channel();
    channel.send("Hello!").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("Hello!".into()));
    assert!(
        proxy
            .asked()
            .await
            .starts_with("CONNECT server.example:80 ")
    );
}
