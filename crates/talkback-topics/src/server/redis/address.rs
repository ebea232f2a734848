//! Where Redis is, out of a URL.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};
use rustls_pki_types::ServerName;

/// Where Redis is, and who one is there.
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) login: RedisConnectionInfo,
}

pub(crate) enum Place {
    Tcp {
        host: String,
        port: u16,
        /// What its certificate has to have, if it is to have one.
        name: Option<ServerName<'static>>,
    },
    Unix(PathBuf),
}

/// What a URL looks like; what was given is not told, as it may have a password.
const FORMS: &str =
    "give one such as redis://host:6379/0, rediss://user:password@host or unix:///run/redis.sock";

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without the URL.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        // No switch turns off what a certificate is held to, and nothing else is said behind a `#`.
        if url.contains('#') {
            return Err("it has a `#`: write %23 if it is of a password".to_owned());
        }
        // TLS is ours, and so the other crate knows of none.
        let (scheme, rest) = url
            .split_once(':')
            .ok_or_else(|| format!("it has no scheme: {FORMS}"))?;
        let (scheme, has_tls) = match scheme.to_ascii_lowercase().as_str() {
            "rediss" | "valkeys" => ("redis", true),
            "redis" | "valkey" => ("redis", false),
            "unix" | "redis+unix" | "valkey+unix" => ("unix", false),
            _ => return Err(format!("its scheme is not known: {FORMS}")),
        };
        let info = format!("{scheme}:{rest}").into_connection_info();
        let info = info.map_err(|error| {
            let said = error.to_string();
            // What follows is the kind of the error.
            let said = said.split(" - ").next().unwrap_or_default();
            format!("{said}: {FORMS}")
        })?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp {
                host: host.clone(),
                port: *port,
                name: has_tls.then(|| server_name(host)).transpose()?,
            },
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err(format!("its kind is not known: {FORMS}")),
        };
        let login = info.redis_settings().clone();
        let version = env!("CARGO_PKG_VERSION");
        Ok(Self {
            place,
            login: login
                .set_protocol(ProtocolVersion::RESP3)
                .set_lib_name("talkback-topics", version),
        })
    }

    pub(crate) fn has_tls(&self) -> bool {
        matches!(self.place, Place::Tcp { name: Some(_), .. })
    }

    /// What must be in no text.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.login.password().filter(|it| !it.is_empty())
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| "its host is neither a name nor an address".to_owned())
}

/// Shows no user and no password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let address = Address::parse("redis://127.0.0.1").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:6379");
        assert!(!address.has_tls());
        let address = Address::parse("rediss://me:p%40ss@a.example:7000/3").unwrap();
        assert_eq!(address.to_string(), "a.example:7000");
        assert!(address.has_tls());
        assert_eq!(address.login.username(), Some("me"));
        assert_eq!(address.login.password(), Some("p@ss"));
        assert_eq!(address.login.db(), 3);
        let address = Address::parse("unix:///run/redis.sock?db=2&pass=secret").unwrap();
        assert_eq!(address.to_string(), "/run/redis.sock");
        assert_eq!((address.login.db(), address.secret()), (2, Some("secret")));
    }

    #[test]
    fn ba23_a_wrong_url_is_told_without_its_password() {
        let wrong = [
            "",
            "secret",
            "http://me:secret@a.example",
            "redis://me:secret@",
            "redis://me:secret@a.example:port",
            "redis://me:secret@a.example/db",
            "redis://me:secret@a.example/1/2",
            "rediss://me:secret@a.example#insecure",
            "redis://me:se#cret@a.example",
            "redis://me:%ff@a.example/secret",
            "unix:secret",
            "unix://a.example/secret?db=secret",
        ];
        for url in wrong {
            let error = Address::parse(url).err().unwrap_or_else(|| panic!("{url}"));
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
