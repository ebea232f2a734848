//! SOCKS5 (RFC 1928), with a user name and password if there are some (RFC 1929).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};

use crate::error::proxy::Why;

/// Has the proxy at the other end of `stream` connect to the server: to its address, or to its name, which
/// the proxy then looks up.
pub(super) async fn lead(
    stream: &mut TcpStream,
    host: Result<IpAddr, &str>,
    port: u16,
    basic_auth: Option<HeaderValue>,
) -> Result<(), Why> {
    let target = match host {
        Ok(address) => TargetAddr::Ip(SocketAddr::new(address, port)),
        Err(name) => TargetAddr::Domain(Cow::Borrowed(name), port),
    };
    let connected = match basic_auth {
        None => Socks5Stream::connect_with_socket(stream, target).await,
        Some(basic_auth) => {
            let (user, password) = credentials(&basic_auth).ok_or(Why::Socks(CREDENTIALS))?;
            // Both ways in are offered: a proxy that wants no password is not told it.
            Socks5Stream::connect_with_password_and_socket(stream, target, &user, &password).await
        }
    };
    connected.map(drop).map_err(why)
}

const CREDENTIALS: &str = "SOCKS takes a user name and a password of 1 to 255 bytes each, in UTF-8. Correct them in its URL";

/// The user name and the password of a `Basic` header of ours.
fn credentials(basic_auth: &HeaderValue) -> Option<(String, String)> {
    let encoded = basic_auth.as_bytes().strip_prefix(b"Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn why(error: Error) -> Why {
    use Why::{Socks, SocksPassing};
    match error {
        Error::Io(error) => Why::Lost(Arc::new(error)),
        Error::GeneralSocksServerFailure => {
            SocksPassing("it failed, and does not say why (SOCKS reply 1): try again later")
        }
        Error::ConnectionNotAllowedByRuleset => Socks(
            "it forbids this (SOCKS reply 2): ask its operator to allow the server's host and port",
        ),
        Error::NetworkUnreachable => SocksPassing(
            "the server's network cannot be reached from it (SOCKS reply 3): check the host, or try again later",
        ),
        Error::HostUnreachable => SocksPassing(
            "the server's host cannot be reached from it, or has no address there (SOCKS reply 4): check the host, or try again later",
        ),
        Error::ConnectionRefused => SocksPassing(
            "the server refused its connection (SOCKS reply 5): check the port, and that the server runs, or try again later",
        ),
        Error::TtlExpired => SocksPassing(
            "the way from it to the server is too long (SOCKS reply 6): try again later",
        ),
        Error::CommandNotSupported => {
            Socks("it makes no connections (SOCKS reply 7): use another proxy")
        }
        Error::AddressTypeNotSupported => Socks(
            "it does not take this kind of address (SOCKS reply 8): use socks5h:// for names, or another proxy for IPv6",
        ),
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => Socks(
            "it takes none of the ways to log in that were offered: put a user name and password into its URL, as this client has no other",
        ),
        Error::PasswordAuthFailure(_) => {
            Socks("it refuses the user name and password: check them in its URL")
        }
        Error::InvalidAuthValues(_) => Socks(CREDENTIALS),
        _ => Socks("it breaks the rules of SOCKS5: check its scheme and its port"),
    }
}
