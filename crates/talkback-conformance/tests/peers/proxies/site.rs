//! A proxy with a configuration of the page's, and a client in front of it.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use rcgen::generate_simple_self_signed;
use talkback::{Connect, ConnectError, Transport, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::page::block;
use crate::program::{Program, folder, free_port, signal};

/// Where the clients come from: not where the proxy connects from.
pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The page that the proxy itself serves.
pub(super) const PAGE: &str = "a page of the site";

pub(super) type Socket = WebSocket<Transport<TcpStream>>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

/// How its process is to run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Process {
    Alone,
    /// It can be reloaded, and then goes on with the connections that it has.
    Reloaded,
    /// It can be reloaded, and then ends the connections that it has after a second.
    ReloadedAndEnded,
}

/// A text of the page's configuration, and what stands in its place.
pub(super) type Change<'a> = (&'a str, &'a str);

/// A site as the page describes it: `https://chat.example.com`, at a port of its own.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) port: u16,
    kind: Kind,
    server_port: u16,
    folder: PathBuf,
    root: String,
    /// The last one runs; those before it do while they have connections.
    programs: Vec<Program>,
}

impl Site {
    /// Starts a proxy for the server at this port, with the page's configuration after some changes.
    pub(super) fn start(kind: Kind, name: &str, server_port: u16, changes: &[Change<'_>]) -> Self {
        Self::with_process(kind, Process::Alone, name, server_port, changes)
    }

    /// As [`start`](Self::start), and says whether it will be reloaded.
    pub(super) fn with_process(
        kind: Kind,
        process: Process,
        name: &str,
        server_port: u16,
        changes: &[Change<'_>],
    ) -> Self {
        let folder = folder(&format!("{kind:?}-{name}"));
        let port = free_port();
        let identity = generate_simple_self_signed(vec!["chat.example.com".to_owned()]).unwrap();
        let (root, key) = (identity.cert.pem(), identity.signing_key.serialize_pem());
        write(&folder, "chat.pem", &root);
        write(&folder, "chat.key", &key);
        write(&folder, "both.pem", &format!("{root}{key}"));
        write(&folder, "www/index.html", PAGE);
        let mut site = Self {
            port,
            kind,
            server_port,
            folder,
            root,
            programs: Vec::new(),
        };
        site.configure(process, changes);
        let program = Program::serve(&mut kind.command(&site.folder), port);
        site.programs.push(program);
        site
    }

    /// Writes the configuration: the page's block, and around it what the site has in other files; the
    /// changes; and then this test's own in place of the site's.
    fn configure(&self, process: Process, changes: &[Change<'_>]) {
        let block = block(self.kind.language());
        let mut config = self.kind.whole(process, &block, &self.folder, self.port);
        for (old, new) in changes {
            config = replace(&config, old, new);
        }
        let server = format!("127.0.0.1:{}", self.server_port);
        let config = replace(&config, "127.0.0.1:9001", &server);
        let config = self.kind.own(&config, &self.folder, self.port, &server);
        write(&self.folder, "config", &config);
    }

    /// Has the proxy read a changed configuration, as its users do.
    pub(super) fn reload(&mut self, process: Process, changes: &[Change<'_>]) {
        self.configure(process, changes);
        let old = self.programs.last().expect("it runs").id().to_string();
        let mut command = match self.kind {
            Kind::Nginx => signal("HUP", &old),
            Kind::Haproxy => {
                let mut command = self.kind.command(&self.folder);
                let new = Program::start(command.args(["-sf", &old]));
                return self.programs.push(new);
            }
            Kind::Caddy => {
                let mut command = Command::new("caddy");
                command.args(["reload", "--adapter", "caddyfile", "--config", "config"]);
                command.args(["--address", "unix/admin"]);
                command.current_dir(&self.folder);
                command
            }
        };
        let told = Program::start(&mut command).status(Duration::from_secs(30));
        assert!(told.success(), "{command:?}");
    }

    /// Ends its process at once, with SIGKILL.
    pub(super) fn kill(&mut self) {
        self.programs.last_mut().expect("it runs").kill();
    }

    /// Starts it again, as it was.
    pub(super) fn start_again(&mut self) {
        let program = Program::serve(&mut self.kind.command(&self.folder), self.port);
        self.programs.push(program);
    }

    /// What connects to `wss://chat.example.com` and what follows in the URL, once it has a way there.
    pub(super) fn connect(&self, rest: &str) -> Connect {
        let connect = talkback::connect(format!("wss://chat.example.com{rest}"));
        connect.tls_roots(self.root.as_bytes())
    }

    /// Connects to `wss://chat.example.com` and what follows in the URL.
    pub(super) async fn open(
        &self,
        rest: &str,
        options: impl FnOnce(Connect) -> Connect,
    ) -> Result<Socket, ConnectError> {
        self.open_from(CLIENT, rest, options).await
    }

    /// As [`open`](Self::open), from this address of this machine.
    pub(super) async fn open_from(
        &self,
        client: Ipv4Addr,
        rest: &str,
        options: impl FnOnce(Connect) -> Connect,
    ) -> Result<Socket, ConnectError> {
        let connect = options(self.connect(rest));
        connect.over(self.tcp(client).await.unwrap()).await
    }

    /// The status with which it is refused.
    pub(super) async fn refused(
        &self,
        rest: &str,
        options: impl FnOnce(Connect) -> Connect,
    ) -> StatusCode {
        let error = self.open(rest, options).await.expect_err("it is refused");
        let refused = error.refused().unwrap_or_else(|| panic!("{error}"));
        refused.status
    }

    /// Asks for a page, and gives back its status and its content.
    ///
    /// # Errors
    /// The proxy's end of the connection, as it comes while it is reloaded.
    pub(super) async fn get(&self, path: &str) -> io::Result<(u16, String)> {
        let mut stream = self.tls(&[]).await?;
        let head = "Host: chat.example.com\r\nConnection: close";
        let request = format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let end = io::Error::from(io::ErrorKind::UnexpectedEof);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(end)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, body.to_owned()))
    }

    /// A connection to what speaks TLS there, and one of these in it.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub(super) async fn tls(&self, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.root.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| (*name).into()).collect();
        let name = ServerName::try_from("chat.example.com").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, self.tcp(CLIENT).await?).await
    }

    async fn tcp(&self, client: Ipv4Addr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((client, 0).into())?;
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        socket.connect(address).await
    }
}

impl Kind {
    /// The page's block, and around it what it needs to be a configuration.
    fn whole(self, process: Process, block: &str, folder: &Path, port: u16) -> String {
        let folder = folder.display();
        match self {
            Self::Nginx => {
                let head = match process {
                    Process::Alone => "master_process off;",
                    Process::Reloaded => "",
                    Process::ReloadedAndEnded => "worker_shutdown_timeout 1s;",
                };
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|what| format!("{what}_temp_path {folder}/{what};"))
                    .join(" ");
                format!(
                    "{head}\nuser root;\nworker_processes 1;\npid {folder}/pid;\nevents {{}}\n\
                     http {{\naccess_log off;\n{temporary}\n{block}}}\n"
                )
            }
            Self::Haproxy => match process {
                Process::ReloadedAndEnded => format!("global\n    hard-stop-after 1s\n\n{block}"),
                _ => block.to_owned(),
            },
            Self::Caddy => {
                // The folder is where it runs; an absolute path may be too long for a socket.
                let admin = match process {
                    Process::Alone => "admin off",
                    _ => "admin unix/admin",
                };
                format!(
                    "{{\n{admin}\nauto_https disable_redirects\nhttps_port {port}\n\
                 default_bind 127.0.0.1\nstorage file_system {folder}/storage\n\
                 servers {{\nprotocols h1 h2\n}}\nlog {{\noutput file {folder}/log\n}}\n}}\n{block}"
                )
            }
        }
    }

    /// A configuration with what is this test's own in place of what is the site's.
    fn own(self, config: &str, folder: &Path, port: u16, server: &str) -> String {
        let at = |path: &str| folder.join(path).display().to_string();
        let listen = |before: &str| format!("{before}127.0.0.1:{port}");
        let own = match self {
            Self::Nginx => vec![
                ("listen 443", listen("listen ")),
                ("/etc/ssl/chat.pem", at("chat.pem")),
                ("/etc/ssl/chat.key", at("chat.key")),
                ("/srv/www", at("www")),
            ],
            Self::Haproxy => vec![
                ("bind :443", listen("bind ")),
                ("/etc/haproxy/chat.pem", at("both.pem")),
                ("127.0.0.1:8000", server.to_owned()),
            ],
            Self::Caddy => {
                let tls = format!("tls {} {}", at("chat.pem"), at("chat.key"));
                vec![
                    (
                        "chat.example.com {\n",
                        format!("chat.example.com {{\n{tls}\n"),
                    ),
                    ("/srv/www", at("www")),
                ]
            }
        };
        own.iter().fold(config.to_owned(), |config, (old, new)| {
            replace(&config, old, new)
        })
    }

    fn language(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddyfile",
        }
    }

    /// What starts it in the foreground, with all that it writes in this folder.
    fn command(self, folder: &Path) -> Command {
        let config = folder.join("config");
        let mut command = Command::new(match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
        });
        match self {
            Self::Nginx => command
                .args(["-g", "daemon off;", "-p"])
                .arg(folder)
                .arg("-e")
                .arg(folder.join("log"))
                .arg("-c")
                .arg(config),
            Self::Haproxy => command.args(["-q", "-db", "-f"]).arg(config),
            Self::Caddy => command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(config)
                .env("HOME", folder)
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder),
        };
        command.current_dir(folder);
        command
    }
}

/// nginx has processes of its own, which go with it if it is asked to end.
impl Drop for Site {
    fn drop(&mut self) {
        let Some(program) = self.programs.last() else {
            return;
        };
        if self.kind == Kind::Nginx && signal("TERM", program.id()).status().is_ok() {
            let begin = Instant::now();
            while self.folder.join("pid").exists() && begin.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Puts one text in place of another, which is there.
fn replace(config: &str, old: &str, new: &str) -> String {
    assert!(config.contains(old), "no {old:?} in:\n{config}");
    config.replace(old, new)
}
