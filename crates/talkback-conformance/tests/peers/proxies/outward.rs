//! Out through the proxies of others, with and without a password, to `ws://` and `wss://`; and through one that
//! dies.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use rcgen::generate_simple_self_signed;
use talkback::{
    Backoff, ChannelEvent, CloseCode, Connect, ConnectError, Link, Lost, LostCause,
    WebSocketChannel,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::backend::Backend;
use crate::command::{Server, comes_back, fails};
use crate::program::{Program, folder, free_port};
use crate::programs::{WEBSOCKETS, WS};

const SQUID: &str = "http_access deny all
cache deny all
pid_filename none
access_log none
cache_store_log none
cache_log /dev/null
pinger_enable off
shutdown_lifetime 0 seconds
";

/// Who wants a password takes this user; `sed` says of each line that it is read whether it is right.
const SQUID_LOGIN: &str =
    "auth_param basic program /bin/sed -u -e s/^user.pass$/OK/ -e t -e s/.*/ERR/
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
";

/// A letter of the password is percent-encoded.
const USER: &str = "user:p%61ss@";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Tinyproxy,
    /// It is reached by TLS.
    Squid,
    Microsocks,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Login {
    None,
    Password,
}

/// A server of WebSockets, with and without TLS, and a proxy before it.
struct Place {
    server: Backend,
    secure_port: u16,
    terminating: JoinHandle<()>,
    root: String,
    proxy_port: u16,
    kind: Kind,
    proxy: Program,
    starts_proxy: Command,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.terminating.abort();
    }
}

impl Place {
    /// Its folder has a name, which no other test's has.
    async fn start(name: &str, kind: Kind, login: Login) -> Self {
        let folder = folder(&format!("outward-{name}-{kind:?}-{login:?}"));
        let identity = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (root, key) = (identity.cert.pem(), identity.signing_key.serialize_pem());
        std::fs::write(folder.join("proxy.pem"), format!("{root}{key}")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)
            .unwrap();
        let server = Backend::start().await;
        let (secure_port, terminating) = terminate(config, server.port).await;
        let proxy_port = free_port();
        let mut starts_proxy = kind.command(login, &folder, proxy_port);
        Self {
            server,
            secure_port,
            terminating,
            root,
            proxy_port,
            kind,
            proxy: Program::serve_logged(&mut starts_proxy, proxy_port),
            starts_proxy,
        }
    }

    fn urls(&self) -> [String; 2] {
        let (port, secure_port) = (self.server.port, self.secure_port);
        [
            format!("ws://localhost:{port}/ws/"),
            format!("wss://localhost:{secure_port}/ws/"),
        ]
    }

    /// A connect as this user, such as `user:password@`.
    fn connect(&self, url: &str, scheme: &str, user: &str) -> Connect {
        talkback::connect(url)
            .tls_roots(self.root.as_bytes())
            .proxy_tls_roots(self.root.as_bytes())
            .proxy(&*format!("{scheme}://{user}localhost:{}", self.proxy_port))
    }

    async fn leads_there(&self, user: &str) {
        for scheme in self.kind.schemes() {
            for url in self.urls() {
                let opened = self.connect(&url, scheme, user).await;
                let mut socket = opened.unwrap_or_else(|error| panic!("{error}"));
                let large = "안녕하세요".repeat(20_000);
                for message in ["안녕하세요", &*large] {
                    socket.send(message).await.unwrap();
                    let echoed = socket.recv().await.unwrap().unwrap();
                    assert_eq!(echoed.as_text(), Some(message));
                }
                assert!(socket.close().await.clean);
            }
        }
    }

    async fn error(&self, url: &str, user: &str) -> ConnectError {
        let scheme = self.kind.schemes()[0];
        let opened = self.connect(url, scheme, user).await;
        opened.map(drop).expect_err("it does not lead there")
    }
}

impl Kind {
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Tinyproxy => &["http"],
            Self::Squid => &["https"],
            Self::Microsocks => &["socks5h", "socks5"],
        }
    }

    fn command(self, login: Login, folder: &Path, port: u16) -> Command {
        let config = folder.join("config");
        let mut command = match self {
            Self::Tinyproxy => {
                let user = match login {
                    Login::None => "",
                    Login::Password => "BasicAuth user pass\n",
                };
                let text = format!("Port {port}\nListen 127.0.0.1\nLogLevel Error\n{user}");
                std::fs::write(&config, text).unwrap();
                let mut command = Command::new("tinyproxy");
                command.args(["-d", "-c"]).arg(config);
                command
            }
            Self::Squid => {
                let identity = folder.join("proxy.pem");
                let access = match login {
                    Login::None => "http_access allow localhost\n",
                    Login::Password => SQUID_LOGIN,
                };
                let text = format!(
                    "https_port 127.0.0.1:{port} tls-cert={}\n{access}{SQUID}",
                    identity.display()
                );
                std::fs::write(&config, text).unwrap();
                let mut command = Command::new("squid");
                // Its shared memory has a name of its own, beside that of others.
                let name = format!("talkback{port}");
                command.args(["-N", "-n", &name, "-f"]).arg(config);
                command
            }
            Self::Microsocks => {
                let mut command = Command::new("microsocks");
                command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
                if login == Login::Password {
                    command.args(["-u", "user", "-P", "pass"]);
                }
                command
            }
        };
        command.current_dir(folder).stderr(Stdio::null());
        command
    }
}

/// Ends TLS before a server at this port of 127.0.0.1.
async fn terminate(config: ServerConfig, server_port: u16) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut server = TcpStream::connect(("127.0.0.1", server_port)).await?;
                copy_bidirectional(&mut stream, &mut server).await
            });
        }
    });
    (port, serving)
}

#[tokio::test]
async fn px21_tinyproxy_leads_there() {
    Place::start("leads", Kind::Tinyproxy, Login::None)
        .await
        .leads_there("")
        .await;
}

#[tokio::test]
async fn px21_squid_in_tls_leads_there() {
    let place = Place::start("leads", Kind::Squid, Login::None).await;
    place.leads_there("").await;
    // Nothing listens at this port, which squid says by an answer of 503.
    let error = place.error("ws://127.0.0.1:1/", "").await;
    let said = error.to_string();
    assert!(
        said.contains("it answered 503 Service Unavailable to CONNECT"),
        "{said}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn px21_microsocks_leads_there() {
    let place = Place::start("leads", Kind::Microsocks, Login::None).await;
    place.leads_there("").await;
    let error = place.error("ws://127.0.0.1:1/", "").await;
    let said = error.to_string();
    assert!(
        said.contains("the server refused its connection (SOCKS reply 5)"),
        "{said}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn px21_tinyproxy_wants_a_password() {
    let place = Place::start("leads", Kind::Tinyproxy, Login::Password).await;
    place.leads_there(USER).await;
    wants_a_password(&place, " to CONNECT; it wants ").await;
}

#[tokio::test]
async fn px21_squid_wants_a_password() {
    let place = Place::start("leads", Kind::Squid, Login::Password).await;
    place.leads_there(USER).await;
    wants_a_password(&place, " to CONNECT; it wants ").await;
}

#[tokio::test]
async fn px21_microsocks_wants_a_password() {
    let place = Place::start("leads", Kind::Microsocks, Login::Password).await;
    place.leads_there(USER).await;
    wants_a_password(&place, "does not lead there: it ").await;
}

/// To servers of others.
#[tokio::test]
async fn px21_the_command_goes_there() {
    for kind in [Kind::Tinyproxy, Kind::Microsocks] {
        let place = Place::start("command", kind, Login::Password).await;
        let proxy = |user: &str| {
            let scheme = kind.schemes()[0];
            format!("{scheme}://{user}localhost:{}", place.proxy_port)
        };
        for peer in [&WEBSOCKETS, &WS] {
            let server = Server::start(peer, &[]);
            let url = server.url();
            comes_back(&[&url, "--proxy", &proxy(USER), "-1"], "안녕\n");
            let wrong = proxy("user:hunter2@");
            fails(&[&url, "-x", &wrong], 4, "does not lead there");
        }
    }
}

#[tokio::test]
async fn px24_tinyproxy_dies_and_is_back() {
    dies_and_is_back(Kind::Tinyproxy).await;
}

#[tokio::test]
async fn px24_squid_dies_and_is_back() {
    dies_and_is_back(Kind::Squid).await;
}

#[tokio::test]
async fn px24_microsocks_dies_and_is_back() {
    dies_and_is_back(Kind::Microsocks).await;
}

/// The server runs on: a try that went round the proxy would reach it.
async fn dies_and_is_back(kind: Kind) {
    let mut place = Place::start("dies", kind, Login::None).await;
    for url in place.urls() {
        let backoff = Backoff::default()
            .first(Duration::from_millis(100))
            .longest(Duration::from_millis(100));
        let connect = place.connect(&url, kind.schemes()[0], "");
        let mut channel = connect.reconnect().backoff(backoff).channel();
        assert_eq!(opened(&mut channel).await, 1);
        is_there(&mut channel).await;

        place.proxy.kill();
        let Some(ChannelEvent::Lost(lost)) = channel.recv_event().await.unwrap() else {
            panic!("the end of the proxy is no loss");
        };
        assert_eq!(lost.close_info().unwrap().code, CloseCode::ABNORMAL);
        // They tell of tries that fail, too.
        let mut snapshots = channel.snapshots();
        loop {
            let link = snapshots.next().await.unwrap().link;
            if fails_at_the_proxy(&link) {
                break;
            }
            assert_eq!(link.connection(), 1, "it went round the proxy");
        }
        drop(snapshots);
        place.proxy = Program::serve_logged(&mut place.starts_proxy, place.proxy_port);
        assert_eq!(opened(&mut channel).await, 2);
        is_there(&mut channel).await;
        assert!(channel.close().await.unwrap().clean);
    }
}

/// The number of the connection that is opened next.
async fn opened(channel: &mut WebSocketChannel) -> u64 {
    match channel.recv_event().await.unwrap() {
        Some(ChannelEvent::Opened(opened)) => opened.connection(),
        event => panic!("{event:?}"),
    }
}

async fn is_there(channel: &mut WebSocketChannel) {
    channel.send("안녕하세요").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("안녕하세요".into()));
}

fn fails_at_the_proxy(link: &Link) -> bool {
    let cause = link.lost().map(Lost::cause);
    matches!(cause, Some(LostCause::Connect(ConnectError::Proxy { .. })))
}

/// Without one, and with a wrong one.
async fn wants_a_password(place: &Place, words: &str) {
    for user in ["", "user:hunter2@"] {
        for url in place.urls() {
            let error = place.error(&url, user).await;
            let said = error.to_string();
            assert!(said.contains(words), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
            assert!(!error.is_retryable(), "{said}");
        }
    }
}
