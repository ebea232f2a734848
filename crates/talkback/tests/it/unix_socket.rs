//! unix: a server at a path of this machine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use talkback::{CloseCode, Connect, ConnectError, QueueLimits, Unfollowed, connect};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::support::answers::failure;
use crate::support::echo::say_hello;
use crate::support::site::{header, redirect, serve, target};

/// Options of a connect.
type Change = fn(Connect) -> Connect;

/// A path that goes with the test.
pub(crate) struct Path(pub(crate) PathBuf);

impl Path {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("talkback-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A server at a path, which redirects `/` to this place if there is one.
pub(crate) fn server(location: Option<&'static str>) -> (Path, UnboundedReceiver<String>) {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let (told, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = move |head: &str| {
                let location = location.filter(|_| target(head) == "/")?;
                Some(redirect(302, location))
            };
            tokio::spawn(serve(stream, answer, told.clone()));
        }
    });
    (path, asked)
}

#[tokio::test]
async fn a_server_at_a_path_is_as_good_as_one_at_an_address() {
    let (path, mut asked) = server(None);
    let url = "ws://user:pass@server.invalid:81/room?x=1";
    say_hello(connect(url).unix_socket(&path.0)).await;
    let head = asked.recv().await.unwrap();
    assert!(head.starts_with("GET /room?x=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "Host"), Some("server.invalid:81"));
    assert_eq!(header(&head, "Authorization"), Some("Basic dXNlcjpwYXNz"));
    let socket = connect(url)
        .host("a.example")
        .unix_socket(&path.0)
        .in_turn();
    let socket = socket.await.unwrap();
    assert_eq!(
        header(&asked.recv().await.unwrap(), "Host"),
        Some("a.example")
    );
    assert_eq!(socket.peer(), None);
    let transport = socket.transport().unwrap();
    for address in [transport.peer_addr(), transport.local_addr()] {
        assert_eq!(address.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn a_channel_and_large_messages_go_over_it() {
    let (path, _asked) = server(None);
    let mut channel = connect("ws://localhost/").unix_socket(&path.0).channel();
    for message in ["Hello!".to_owned(), "x".repeat(1_000_000)] {
        channel.send(&*message).await.unwrap();
        let answer = channel.recv().await.unwrap().unwrap();
        assert!(answer.as_text() == Some(&*message), "another came back");
    }
    assert!(channel.close().await.unwrap().clean);
}

/// Whose peer is gone while nobody reads is told so, as over TCP.
#[tokio::test]
async fn an_end_is_seen_behind_what_is_unread() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    // What comes is more than is queued and read ahead, and less than the socket holds.
    let (one, message) = (QueueLimits::default().messages_max(1), "x".repeat(7000));
    let connecting = connect("ws://localhost/").unix_socket(&path.0);
    let mut channel = connecting.recv_queue(one).compression(None).channel();
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = talkback::accept(stream).await.unwrap();
    channel.ready().await.unwrap();
    for _ in 0..20 {
        socket.send(&*message).await.unwrap();
    }
    drop(socket);
    let closed = timeout(Duration::from_secs(60), channel.closed());
    let _ = closed.await.unwrap();
    let info = channel.close_info().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL, "{info}");
    for _ in 0..20 {
        let received = channel.recv().await.unwrap().unwrap();
        assert!(received.as_text() == Some(&*message), "another came");
    }
    assert!(channel.recv().await.is_err());
}

#[tokio::test]
async fn an_error_names_the_path() {
    let none = Path::new();
    let file = Path::new();
    std::fs::write(&file.0, "").unwrap();
    let left = Path::new();
    drop(UnixListener::bind(&left.0).unwrap());
    let long = PathBuf::from(format!("/{}", "x".repeat(200)));
    for (path, advice, is_retryable) in [
        (
            &none.0,
            "Check the path, and that the server is running, which makes the socket",
            true,
        ),
        (&file.0, "Nobody listens there: start the server", true),
        (&left.0, "Nobody listens there: start the server", true),
        (&long, "Give a shorter path", false),
    ] {
        let error = failure(connect("ws://user:hunter2@a/?hunter2").unix_socket(path)).await;
        let said = error.to_string();
        assert!(
            matches!(&error, ConnectError::UnixSocket { path: told, .. } if told == path),
            "{said}"
        );
        let begin = format!("could not connect to the Unix socket {path:?}: ");
        assert!(said.starts_with(&begin) && said.contains(advice), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(error.is_retryable(), is_retryable, "{said}");
    }
}

#[tokio::test]
async fn what_does_not_go_with_it_is_told() {
    let (path, mut asked) = server(None);
    let with: [(Change, &str); 4] = [
        (
            |connect| connect.proxy("http://user:hunter2@127.0.0.1:1"),
            "no proxy leads to it: leave `proxy` out",
        ),
        (
            |connect| connect.address(([127, 0, 0, 1], 1)),
            "it has no address: leave `address` out",
        ),
        (
            |connect| connect.local_address([127, 0, 0, 1]),
            "it has no address: leave `local_address` out",
        ),
        (
            |connect| connect.unix_socket(""),
            "its path is empty: give the server's",
        ),
    ];
    for (change, words) in with {
        let error = failure(change(connect("ws://a/").unix_socket(&path.0))).await;
        assert!(
            matches!(&error, ConnectError::Option { option, .. } if *option == "unix_socket"),
            "{error}"
        );
        let text = format!("the option `unix_socket` cannot be used: {words}");
        assert_eq!(error.to_string(), text);
    }
    assert!(asked.try_recv().is_err());
    // Nobody says the same twice with this one.
    say_hello(connect("ws://a/").unix_socket(&path.0).proxy(None)).await;
}

#[tokio::test]
async fn px22_redirects_are_followed_within_the_origin() {
    for location in ["/room", "http://server.invalid/room"] {
        let (path, mut asked) = server(Some(location));
        let connecting = connect("ws://server.invalid/").unix_socket(&path.0);
        say_hello(connecting.redirects(1)).await;
        assert!(asked.recv().await.unwrap().starts_with("GET / "));
        assert!(asked.recv().await.unwrap().starts_with("GET /room "));
    }
    let (path, _asked) = server(Some("http://127.0.0.1:1/room"));
    let connecting = connect("ws://server.invalid/").unix_socket(&path.0);
    let error = failure(connecting.redirects(1)).await;
    let unfollowed = error.refused().and_then(|refused| refused.unfollowed);
    let option = "unix_socket";
    assert_eq!(unfollowed, Some(Unfollowed::OtherOrigin { option }));
}

/// One that listens, and says nothing.
#[tokio::test]
async fn a_silent_server_has_the_timeout() {
    let path = Path::new();
    let _listener = UnixListener::bind(&path.0).unwrap();
    let connecting = connect("ws://localhost/").unix_socket(&path.0);
    let error = failure(connecting.timeout(Duration::from_millis(60))).await;
    crate::support::answers::assert_timeout(&error, talkback::Stage::Handshake);
    drop(UnixStream::connect(&path.0).await);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_goes_on_top_and_checks_the_urls_host() {
    use std::sync::Arc;

    use crate::support::certificates::{Authority, echo};

    let authority = Authority::new("A root");
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let config = Arc::new(authority.issue("server.example").server());
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await
                && let Ok(socket) = talkback::accept(stream).await
            {
                tokio::spawn(echo(socket));
            }
        }
    });
    let to = |host: &str| {
        let connecting = connect(format!("wss://{host}/")).unix_socket(&path.0);
        connecting.tls_roots(authority.pem.as_bytes())
    };
    say_hello(to("server.example")).await;
    say_hello(to("localhost").server_name("server.example")).await;
    let error = failure(to("localhost")).await;
    assert!(error.to_string().contains("is for another host"), "{error}");
}
