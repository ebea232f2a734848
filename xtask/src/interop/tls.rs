//! The same over TLS: each side trusts the other's certificate by its file, and no other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::client::{self, Client};
use super::{Language, Server, against_echo, echo_server};
use crate::report::Tally;
use crate::{Result, cargo, tools};

/// A client's script against `talkback echo` with a certificate of its own making.
pub(super) fn client_of_echo(peer: &str, talkback: &Path, language: Language) -> Result<Tally> {
    let certificate = cargo::scratch("interop")?.join("echo.pem");
    let mut option = OsString::from("--tls-self-signed=");
    option.push(&certificate);
    let echo = echo_server(talkback, Some(option))?;
    let mut client = language("client")?;
    client.arg("--ca").arg(certificate);
    against_echo(peer, echo, client)
}

/// `talkback connect` against a server's script with a certificate that OpenSSL has made.
pub(super) fn server_of_connect(peer: &str, talkback: &Path, language: Language) -> Result<Tally> {
    let certificate = Certificate::make(&cargo::scratch("interop")?)?;
    let mut server = language("server")?;
    server.arg("--cert").arg(&certificate.chain);
    server.arg("--key").arg(&certificate.key);
    let server = Server::start(&mut server)?;
    let client = Client {
        talkback,
        server: &server,
        ca: Some(&certificate.chain),
    };
    client::check(peer, client)
}

/// The files of a certificate for 127.0.0.1 and of its key, both in PEM.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes it, in this folder.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let made = Self {
            chain: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        let mut openssl = tools::openssl()?;
        openssl.args(["req", "-x509", "-nodes", "-days", "2"]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-subj", "/CN=talkback interop", "-config"]);
        openssl.arg(tools::interop_sources().join("openssl.cnf"));
        openssl.arg("-out").arg(&made.chain);
        tools::must_succeed(openssl.arg("-keyout").arg(&made.key))?;
        Ok(made)
    }
}
