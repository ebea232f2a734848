//! V12: no public type and no panic shows a secret, wherever it stands in what the program, or the peer,
//! gave.

mod reconnecting;
mod serving;
mod typed;

use std::time::Duration;

use http::header::{HeaderName, HeaderValue, SET_COOKIE};
use http::{Request, Response};
use talkback::test_util::ScriptedServer;
use talkback::{
    Approval, Connect, ConnectError, CookieStore, Error, HeadLimits, MessageKind, Progress,
    QueueLimits, Role, Transport, WebSocket, WebSocketChannel, accept, connect, pair,
};
use talkback_testing::secrets::{SECRET, Shown};
use talkback_testing::shown_variant;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use crate::support::answers::{answer, failure, listen};
use crate::support::certificates::{Identity, serve};

const API: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/talkback.txt");

/// Numbers, flags, addresses and names of their own: no text can get in.
const PLAIN: [&str; 17] = [
    "Backoff",
    "ChannelState",
    "ConnectionHandle",
    "Connections",
    "DrainReport",
    "Fate",
    "HttpConnection",
    "Json",
    "Network",
    "Place",
    "QueueLimits",
    "Refused",
    "SendErrorKind",
    "SnapshotState",
    "Stage",
    "TrySendErrorKind",
    "Verdict",
];

/// Those of a browser, of a build without TLS, and of another system.
#[cfg(unix)]
const ELSEWHERE: [&str; 4] = ["Browser", "BrowserRefused", "NotInBrowser", "NoTls"];
#[cfg(not(unix))]
const ELSEWHERE: [&str; 5] = [
    "Browser",
    "BrowserRefused",
    "NotInBrowser",
    "NoTls",
    "UnixSocket",
];

#[tokio::test]
async fn v12_l3_no_public_type_shows_a_secret() {
    let mut shown = Shown::default();
    builders(&mut shown);
    scripted(&mut shown).await;
    reconnecting::reconnecting(&mut shown).await;
    reconnecting::given_up(&mut shown).await;
    connect_errors(&mut shown).await;
    proxy_errors(&mut shown).await;
    other_ways(&mut shown).await;
    tls_errors(&mut shown).await;
    serving::accepting(&mut shown).await;
    serving::accept_errors(&mut shown).await;
    sockets(&mut shown).await;
    streams(&mut shown).await;
    channels(&mut shown).await;
    failed_sends(&mut shown).await;
    failed_channels(&mut shown).await;
    serving::upgrades(&mut shown).await;
    serving::served(&mut shown).await;
    serving::servers(&mut shown).await;
    closing_reasons(&mut shown).await;
    typed::typed(&mut shown).await;
    let enums = [
        ("AcceptError", &[][..]),
        ("ConnectError", &ELSEWHERE),
        ("Error", &[]),
        ("RecvError", &[]),
        ("IdentityError", &[]),
        ("ServeError", &[]),
    ];
    shown.finish(&std::fs::read_to_string(API).unwrap(), &PLAIN, &enums);
}

fn value() -> HeaderValue {
    HeaderValue::from_static(SECRET)
}

/// A client with a secret in every place that has room for one.
fn with_secrets(scheme: &str, authority: &str) -> Connect {
    connect(format!(
        "{scheme}://user:{SECRET}@{authority}/chat?token={SECRET}"
    ))
    .subprotocol("bearer")
    .subprotocol(SECRET)
    .header("Authorization", format!("Bearer {SECRET}"))
    .header("Cookie", format!("id={SECRET}"))
    .header("X-Api-Key", SECRET)
}

fn builders(shown: &mut Shown) {
    let request = Request::builder()
        .uri(format!("/?{SECRET}"))
        .header("X-Api-Key", SECRET);
    let response = Response::builder().header(SET_COOKIE, SECRET);
    for progress in [
        Progress::Resolved(&[]),
        Progress::Connected {
            peer: None,
            local: None,
        },
        Progress::Secured {
            version: "TLSv1_3",
            cipher: "",
            certificates: &[SECRET.as_bytes()],
        },
        Progress::Requested(&request.body(()).unwrap()),
        Progress::Answered(&response.body(()).unwrap()),
        Progress::Received(SECRET.as_bytes()),
        Progress::Sent(SECRET.as_bytes()),
    ] {
        shown.debug(&progress);
    }
    let connecting = with_secrets("ws", "a.example")
        .on_progress(|_| {})
        .tls_roots(SECRET)
        .tls_client_certificate(SECRET, SECRET)
        .proxy(&*format!("http://user:{SECRET}@proxy.example"))
        .proxy_tls_roots(SECRET)
        .cookies(std::sync::Arc::new(Secretive))
        .redirect_header("X-Api-Key")
        .redirects(1);
    shown.debug(&connecting);
    let (stream, _) = duplex(1);
    shown.debug(&accept(stream).subprotocols([SECRET]));
    let approval = Approval::default()
        .subprotocol(SECRET)
        .header(SET_COOKIE, value())
        .header(HeaderName::from_static("x-api-key"), value());
    shown.debug(&approval);
}

async fn scripted(shown: &mut Shown) {
    let mut server = ScriptedServer::new();
    let connecting = with_secrets("ws", "a.example").connector(server.connector());
    let mut channel = connecting
        .clone()
        .resolver(|_, _| std::future::pending())
        .channel();
    shown.debug(&connecting);
    shown.debug(&server);
    let made = server.next_try().await;
    shown.debug(&made);
    shown.debug(made.destination());
    let stream = made.connect();
    shown.debug(&stream);
    let mut peer = accept(stream).await.unwrap();
    peer.send(SECRET).await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some(SECRET.into()));
    shown.debug(&peer);
}

fn shown_connect_error(shown: &mut Shown, error: ConnectError) {
    shown_variant!(shown, error => ConnectError:
        Url, TlsOption, Tls, Header, Option, Resolve, Tcp, UnixSocket, Proxy, Lost, Handshake, Timeout);
    if let Some(refused) = error.refused() {
        shown.error(refused);
    }
    if let ConnectError::Proxy { error, .. } = &error {
        shown.error(error);
        if let Some(refused) = error.refused() {
            shown.error(refused);
        }
    }
    shown.unwrap(Err::<(), Error>(error.clone().into()));
    shown.unwrap(Err::<(), ConnectError>(error));
}

async fn connect_errors(shown: &mut Shown) {
    let (listener, address) = listen().await;
    let address = address.to_string();
    let small = HeadLimits::default().size_max(9);
    for response in [
        "",
        "hunter2\r\n\r\n",
        "HTTP/1.1 101 \r\nX: hunter2\r\n\r\n",
        "HTTP/1.1 101 \r\nUpgrade: hunter2\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ws://user:hunter2@a/?hunter2\r\nX-Api-Key: hunter2\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nSet-Cookie: hunter2\r\nContent-Length: 7\r\n\r\nhunter2",
    ] {
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, response).await
        };
        let (error, _) = tokio::join!(failure(with_secrets("ws", &address)), server);
        shown_connect_error(shown, error);
    }
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, "HTTP/1.1 101 hunter2\r\n\r\n").await
    };
    let connecting = with_secrets("ws", &address).head_limits(small);
    let (error, _) = tokio::join!(failure(connecting), server);
    shown_connect_error(shown, error);
    for connecting in [
        with_secrets("https", &address),
        with_secrets("ws", "127.0.0.1:hunter2"),
        with_secrets("ws", "nonexistent.invalid").proxy(None),
        with_secrets("ws", &address).header("X-Api-Key", "hunter2\n"),
        with_secrets("ws", &address).set_header("X-Api-Key", "hunter2\n"),
        with_secrets("ws", &address).origin("http://hunter2\n"),
        // Who gives a whole line, or name and value in the wrong order, gives the secret as the name.
        with_secrets("ws", &address).header("Authorization: Bearer hunter2", ""),
        with_secrets("ws", &address).header("Bearer hunter2", "Authorization"),
        with_secrets("ws", &address).subprotocol("Bearer hunter2"),
        with_secrets("ws", &address).subprotocol(SECRET),
        with_secrets("ws", &address).header("Upgrade", SECRET),
        with_secrets("ws", &address).timeout(Duration::ZERO),
    ] {
        shown_connect_error(shown, failure(connecting).await);
    }
    drop(listener);
    shown_connect_error(shown, failure(with_secrets("ws", &address)).await);
}

/// A store of cookies that are secrets.
struct Secretive;

impl CookieStore for Secretive {
    fn cookies(&self, _: &str) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("id=hunter2"))
    }

    fn set_cookies(&self, _: &str, _: &mut dyn Iterator<Item = &HeaderValue>) {}
}

/// Redirects that are not followed, or to where it fails; and ways that cannot be used.
async fn other_ways(shown: &mut Shown) {
    let (listener, address) = listen().await;
    let address = address.to_string();
    for (location, requests) in [
        ("ws://user:hunter2@a/?hunter2", 1),
        ("hunter2:hunter2", 1),
        ("/hunter2?hunter2", 2),
        ("http://127.0.0.1:1/hunter2?hunter2", 1),
    ] {
        let response = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\nhunter2");
        let server = async {
            for _ in 0..requests {
                let (stream, _) = listener.accept().await.unwrap();
                answer(stream, &response).await;
            }
        };
        let connecting = with_secrets("ws", &address).redirects(1);
        let (error, ()) = tokio::join!(failure(connecting), server);
        shown_connect_error(shown, error);
    }
    for connecting in [
        with_secrets("ws", "a.example").host("hunter2/"),
        with_secrets("ws", "a.example").host("user:hunter2@b.example"),
        with_secrets("wss", "a.example").server_name("hunter2 x"),
        with_secrets("ws", "a.example").redirect_header("Bearer hunter2"),
    ] {
        shown_connect_error(shown, failure(connecting).await);
    }
    #[cfg(unix)]
    shown_connect_error(
        shown,
        failure(with_secrets("ws", "a.example").unix_socket("/nonexistent")).await,
    );
}

/// A proxy whose URL has a secret, and which says it again.
async fn proxy_errors(shown: &mut Shown) {
    let (listener, address) = listen().await;
    for (scheme, said) in [
        ("http", "hunter2\r\n\r\n"),
        (
            "http",
            "HTTP/1.1 407 \r\nProxy-Authenticate: Basic realm=\"hunter2\"\r\n\r\nhunter2",
        ),
        (
            "http",
            "HTTP/1.1 403 hunter2\r\nX-Api-Key: hunter2\r\n\r\nhunter2",
        ),
        ("https", "hunter2"),
        ("socks5h", "hunter2"),
    ] {
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        };
        let proxy = format!("{scheme}://user:{SECRET}@{address}");
        let root = Identity::self_signed("localhost").chain_pem;
        let connecting = with_secrets("ws", "a.example").proxy(&*proxy);
        let (error, ()) = tokio::join!(failure(connecting.proxy_tls_roots(root)), server);
        shown_connect_error(shown, error);
    }
    drop(listener);
    for proxy in [
        format!("http://user:{SECRET}@{address}"),
        format!("http://user:{SECRET}@nonexistent.invalid"),
        format!("ftp://user:{SECRET}@{address}"),
        format!("{SECRET}://{address}"),
        format!("http://user:{SECRET}@"),
        format!("http://user:{SECRET}\u{e9}@{address}/{SECRET}"),
        format!("http://{address}{SECRET}"),
        format!("socks5h://{SECRET}@{address}"),
    ] {
        let connecting = with_secrets("ws", "a.example").proxy(&*proxy);
        shown_connect_error(shown, failure(connecting).await);
    }
}

async fn tls_errors(shown: &mut Shown) {
    let options =
        |change: fn(Connect) -> Connect| failure(change(with_secrets("wss", "a.example")));
    for connecting in [
        options(|connect| connect.tls_roots(SECRET)),
        options(|connect| connect.tls_roots("-----BEGIN hunter2")),
        options(|connect| connect.tls_roots(pem("CERTIFICATE", SECRET))),
        options(|connect| connect.tls_roots(pem("CERTIFICATE", "aHVudGVyMg=="))),
        options(|connect| connect.tls_client_certificate(SECRET, SECRET)),
        options(|connect| connect.tls_client_certificate(chain(), SECRET)),
        options(|connect| connect.tls_client_certificate(chain(), "-----BEGIN hunter2")),
        options(|connect| connect.tls_client_certificate(chain(), "-----END hunter2")),
        // As it comes out of a variable that has lost its line breaks.
        options(|connect| {
            let key = pem("PRIVATE KEY", SECRET).replace('\n', "");
            connect.tls_client_certificate(chain(), key)
        }),
        options(|connect| {
            let key = pem("PRIVATE KEY", SECRET).replace("-----END", "END");
            connect.tls_client_certificate(chain(), key)
        }),
        options(|connect| connect.tls_client_certificate(chain(), pem("PRIVATE KEY", "hunter2%"))),
        options(|connect| {
            connect.tls_client_certificate(chain(), pem("PRIVATE KEY", "aHVudGVyMg=="))
        }),
        options(|connect| {
            connect.tls_client_certificate(
                chain(),
                pem("hunter2", "aHVudGVyMg==").replace("-----END", ""),
            )
        }),
    ] {
        shown_connect_error(shown, connecting.await);
    }
    let identity = Identity::self_signed("localhost");
    let address = serve(identity.server()).await;
    let authority = format!("localhost:{}", address.port());
    shown_connect_error(shown, failure(with_secrets("wss", &authority)).await);
}

/// PEM with this label and this for its base64.
fn pem(label: &str, content: &str) -> String {
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
}

fn chain() -> String {
    Identity::self_signed("localhost").chain_pem
}

type Ends = (WebSocket<Transport<DuplexStream>>, WebSocket<DuplexStream>);

/// Both ends of a connection whose opening handshake was full of secrets.
async fn ends() -> Ends {
    let (near, far) = duplex(64 * 1024);
    let accepting = accept(far).subprotocols([SECRET]).check(async |_| {
        let approval = Approval::default().header(SET_COOKIE, value());
        Ok(approval.header(HeaderName::from_static("x-api-key"), value()))
    });
    let connecting = with_secrets("ws", "a.example").over(near);
    let (client, server) = tokio::join!(connecting, accepting);
    let (client, server) = (client.unwrap(), server.unwrap());
    assert_eq!(client.subprotocol(), Some(SECRET));
    assert_eq!(server.subprotocol(), Some(SECRET));
    (client, server)
}

async fn sockets(shown: &mut Shown) {
    let (mut client, mut server) = ends().await;
    // What is queued, and what lies in the transport.
    client.feed(SECRET).await.unwrap();
    client.send(SECRET.as_bytes()).await.unwrap();
    client.ping(SECRET).await.unwrap();
    server.send(SECRET).await.unwrap();
    server.feed(SECRET).await.unwrap();
    shown.debug(&client);
    shown.debug(&server);
    shown.debug(client.transport().unwrap());
    shown.debug(&server.recv().await);
    shown.debug(&server);
    // The heads are of `http`'s own types, which show what is not marked as a secret: the request line,
    // and headers whose names tell nobody.
    let mut request = server.request().headers().clone();
    assert_eq!(request.remove("x-api-key").unwrap(), SECRET);
    shown.text("the request", &format!("{request:?}"));
    let mut response = client.response().headers().clone();
    assert_eq!(response.remove("x-api-key").unwrap(), SECRET);
    shown.text("the response", &format!("{response:?}"));
}

async fn streams(shown: &mut Shown) {
    let (mut client, mut server) = ends().await;
    let mut writer = client.send_stream(MessageKind::Text).unwrap();
    writer.write(SECRET).await.unwrap();
    writer.flush().await.unwrap();
    shown.debug(&writer);
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    shown.debug(&reader);
    assert_eq!(reader.read().await.unwrap().unwrap(), SECRET);
    shown.debug(&reader);
    shown.unwrap(writer.ping(SECRET.repeat(20)).await);
    // Half of a character, with the secret before it.
    let mut broken = SECRET.as_bytes().to_vec();
    broken.push(0xff);
    shown.unwrap(writer.write(broken).await);
}

async fn channels(shown: &mut Shown) {
    let (client, mut server) = ends().await;
    let channel = WebSocketChannel::from(client);
    let snapshots = channel.snapshots();
    channel.send(SECRET).await.unwrap();
    server.send(SECRET).await.unwrap();
    shown.debug(&channel);
    shown.debug(&channel.ready());
    shown.debug(&channel.closed());
    shown.debug(&snapshots);
    let (sender, mut receiver) = channel.split();
    let message = receiver.recv().await.unwrap().unwrap();
    shown.debug(&message);
    shown.debug(&snapshots.latest());
    assert_eq!(snapshots.latest().text(), SECRET);
    shown.debug(&sender);
    shown.debug(&receiver);
}

fn shown_error(shown: &mut Shown, error: impl Into<Error>) {
    let error = error.into();
    shown_variant!(shown, error => Error: Connect, Closed, Send, TrySend, CloseFrame);
    shown.error(&std::io::Error::from(error.clone()));
    shown.unwrap(Err::<(), Error>(error));
}

/// A payload in every form that is sent.
const JSON: &str = r#"{"password":"hunter2"}"#;

async fn failed_sends(shown: &mut Shown) {
    let (client, server) = duplex(64 * 1024);
    let mut client = WebSocket::from_upgraded(client, Role::Client);
    // It goes away before a byte was read.
    drop(server);
    shown.unwrap(client.send(JSON).await);
    shown.unwrap(client.send(JSON.as_bytes()).await);
    shown.unwrap(client.feed(JSON).await);
    shown.unwrap(client.flush().await);
    shown.unwrap(client.ping(SECRET).await);
    shown.unwrap(client.ping(SECRET.repeat(20)).await);
    shown.unwrap(client.send_stream(MessageKind::Text).map(drop));
    shown.unwrap(client.close_with(1005, SECRET).await);
    shown_error(shown, client.send(JSON).await.unwrap_err());
    shown_error(
        shown,
        client.close_with(1000, "hunter2\n").await.unwrap_err(),
    );
    shown_error(shown, client.recv().await.unwrap_err());
    shown.debug(&client);
}

async fn failed_channels(shown: &mut Shown) {
    let (client, _server) = duplex(1);
    let client = WebSocket::from_upgraded(client, Role::Client);
    let small = QueueLimits::default().messages_max(1);
    let full = WebSocketChannel::with_queues(client, small, small);
    let tried = (0..9).find_map(|_| full.try_send(JSON).err());
    shown_error(shown, tried.unwrap());

    let (channel, other) = pair();
    other.close().await.unwrap();
    channel.closed().await.unwrap();
    shown.unwrap(channel.send(JSON).await);
    shown.unwrap(channel.send(JSON.as_bytes()).await);
    shown.unwrap(channel.feed(JSON).await);
    shown.unwrap(channel.try_send(JSON));
    shown.unwrap(channel.ping(SECRET).await);
    shown.unwrap(channel.ping(SECRET.repeat(20)).await);
    shown.unwrap(channel.close_with(1000, &SECRET.repeat(20)));
    let sender = channel.sender();
    let sent = std::thread::spawn(move || sender.blocking_send(JSON));
    shown.unwrap(sent.join().unwrap());

    let unopened = with_secrets("ws", "127.0.0.1:hunter2").channel();
    shown_error(shown, unopened.ready().await.unwrap_err());
    shown_error(shown, unopened.send(JSON).await.unwrap_err());
    let snapshot = unopened.snapshots().latest();
    shown.debug(&snapshot);
    shown.debug(&unopened);
}

async fn closing_reasons(shown: &mut Shown) {
    let (client, mut server) = ends().await;
    let channel = WebSocketChannel::from(client);
    server.close_with(1008, SECRET).await.unwrap();
    let info = channel.closed().await.unwrap();
    shown.debug(&info);
    shown.debug(&channel);
    shown.debug(&server);
    shown.debug(&channel.snapshots());
    // What the peer says in closing is what a person needs to read: the sentences of errors have it.
    shown.content(&info);
    shown.content(&channel.send("").await.unwrap_err());
    let error = Error::Closed(info);
    shown.content(&error);
    shown_variant!(shown, error => Error: Closed);
    // What this end says is for the peer alone.
    let (near, far) = duplex(64 * 1024);
    let end = WebSocket::from_upgraded;
    let (mut near, mut far) = (end(near, Role::Client), end(far, Role::Server));
    let (closed, _) = tokio::join!(near.close_with(4000, SECRET), far.recv());
    shown.debug(&near);
    shown.display(&closed.unwrap().cause);
}
