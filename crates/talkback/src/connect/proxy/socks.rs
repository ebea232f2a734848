//! SOCKS5 (RFC 1928), with a user name and password if there are some (RFC 1929).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::proxy::Why;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
/// "If the selected METHOD is X'FF', none of the methods listed by the client are acceptable" (RFC 1928 §3).
const NO_METHOD: u8 = 0xff;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;
const SUCCEEDED: u8 = 0;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

const BREAKS: Why = Why::Socks("it breaks the rules of SOCKS5: check its scheme and its port");

/// Has the proxy at the other end of `io` connect to the server: to its address, or to its name, which
/// the proxy then looks up. Nothing is read behind the proxy's last answer.
pub(super) async fn lead<T>(
    io: &mut T,
    host: Result<IpAddr, &str>,
    port: u16,
    basic_auth: Option<HeaderValue>,
) -> Result<(), Why>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let login = basic_auth.map(|header| login(&header)).transpose()?;
    // Both ways in are offered: a proxy that wants no password is not told it.
    let greeting: &[u8] = match login {
        Some(_) => &[VERSION, 2, NO_LOGIN, LOGIN],
        None => &[VERSION, 1, NO_LOGIN],
    };
    write(io, greeting).await?;
    match (read(io).await?, &login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, LOGIN], Some(login)) => {
            write(io, login).await?;
            let [_, status] = read(io).await?;
            if status != SUCCEEDED {
                return Err(Why::Socks(
                    "it refuses the user name and password: check them in its URL",
                ));
            }
        }
        // Or a login is wanted, and was not offered.
        ([VERSION, NO_METHOD | LOGIN], _) => {
            return Err(Why::Socks(
                "it takes none of the ways to log in that were offered: put a user name and password into its URL, as this client has no other",
            ));
        }
        _ => return Err(BREAKS),
    }
    write(io, &request(host, port)?).await?;
    read_reply(io).await
}

/// The user name and the password of a `Basic` header of ours, as RFC 1929 §2 has them.
fn login(basic_auth: &HeaderValue) -> Result<Vec<u8>, Why> {
    let encoded = basic_auth.as_bytes().strip_prefix(b"Basic ");
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    let decoded = decoded.unwrap_or_default();
    let mut login = vec![LOGIN_VERSION];
    let mut parts = decoded.splitn(2, |&byte| byte == b':');
    for part in [parts.next(), parts.next()] {
        let part = part.unwrap_or_default();
        let size = u8::try_from(part.len()).ok().filter(|&size| size > 0);
        let size = size.ok_or(Why::Socks(
            "SOCKS takes a user name and a password of 1 to 255 bytes each. Correct them in its URL",
        ))?;
        login.push(size);
        login.extend_from_slice(part);
    }
    Ok(login)
}

/// RFC 1928 §4.
fn request(host: Result<IpAddr, &str>, port: u16) -> Result<Vec<u8>, Why> {
    let mut request = vec![VERSION, CONNECT, RESERVED];
    match host {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(name) => {
            let size = u8::try_from(name.len());
            let size = size.map_err(|_| Why::Socks("SOCKS takes a name of at most 255 bytes"))?;
            request.extend([NAME, size]);
            request.extend(name.bytes());
        }
    }
    request.extend(port.to_be_bytes());
    Ok(request)
}

/// RFC 1928 §6. The address that the proxy connects from is passed over.
async fn read_reply<T: AsyncRead + Unpin>(io: &mut T) -> Result<(), Why> {
    let [VERSION, reply, RESERVED, kind] = read(io).await? else {
        return Err(BREAKS);
    };
    if reply != SUCCEEDED {
        return Err(refusal(reply));
    }
    let size = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<_, 1>(io).await?[0]),
        _ => return Err(BREAKS),
    };
    let mut address_and_port = vec![0; size + 2];
    let read = io.read_exact(&mut address_and_port).await;
    read.map(drop).map_err(lost)
}

fn refusal(reply: u8) -> Why {
    use Why::{Socks, SocksPassing};
    match reply {
        1 => SocksPassing("it failed, and does not say why (SOCKS reply 1): try again later"),
        2 => Socks(
            "it forbids this (SOCKS reply 2): ask its operator to allow the server's host and port",
        ),
        3 => SocksPassing(
            "the server's network cannot be reached from it (SOCKS reply 3): check the host, or try again later",
        ),
        4 => SocksPassing(
            "the server's host cannot be reached from it, or has no address there (SOCKS reply 4): check the host, or try again later",
        ),
        5 => SocksPassing(
            "the server refused its connection (SOCKS reply 5): check the port, and that the server runs, or try again later",
        ),
        6 => SocksPassing(
            "the way from it to the server is too long (SOCKS reply 6): try again later",
        ),
        7 => Socks("it makes no connections (SOCKS reply 7): use another proxy"),
        8 => Socks(
            "it does not take this kind of address (SOCKS reply 8): use socks5h:// for names, or another proxy for IPv6",
        ),
        _ => BREAKS,
    }
}

fn lost(error: io::Error) -> Why {
    Why::Lost(Arc::new(error))
}

async fn write<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> Result<(), Why> {
    io.write_all(bytes).await.map_err(lost)
}

async fn read<T: AsyncRead + Unpin, const SIZE: usize>(io: &mut T) -> Result<[u8; SIZE], Why> {
    let mut bytes = [0; SIZE];
    io.read_exact(&mut bytes).await.map_err(lost)?;
    Ok(bytes)
}
