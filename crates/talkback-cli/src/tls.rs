//! The options of TLS, of the server and of the client.

mod key;

use std::net::SocketAddr;

use talkback::server::IdentityError;
use talkback::{Connect, ConnectError};
use talkback_echo::Identity;

use crate::args::{ClientTlsArgs, ServerTlsArgs};
use crate::exit::{self, Failure};
use crate::files;

/// Who the server is by TLS; `None` if it speaks plain WebSocket. A certificate of its own making is
/// for this machine's loopback and for these addresses.
pub(crate) fn identity(
    args: &ServerTlsArgs,
    addresses: &[SocketAddr],
) -> Result<Option<Identity>, Failure> {
    if args.tls_self_signed.is_some() {
        let made = Identity::self_signed(names(addresses));
        return made.map(Some).map_err(|error| {
            let message = format!("--tls-self-signed: {error}");
            Failure::new(exit::OTHER, message)
        });
    }
    // Either requires the other.
    let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    let chain_pem = files::read("--tls-cert", cert)?;
    let key_pem = files::read("--tls-key", key)?;
    Identity::from_pem(&chain_pem, &key_pem)
        .map(Some)
        .map_err(|error| {
            let (option, path) = match &error {
                IdentityError::Certificate(_) => ("--tls-cert", cert),
                _ => ("--tls-key", key),
            };
            Failure::new(exit::USAGE, files::complaint(option, path, error))
        })
}

/// What a self-signed certificate is for.
fn names(addresses: &[SocketAddr]) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    for address in addresses {
        let name = address.ip().to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Writes the server's certificate, for clients to trust, if that is asked for.
pub(crate) fn write_certificate(args: &ServerTlsArgs, identity: &Identity) -> Result<(), Failure> {
    match &args.tls_self_signed {
        Some(Some(path)) => files::write("--tls-self-signed", path, identity.certificate_pem()),
        Some(None) | None => Ok(()),
    }
}

/// Gives the client's options to the connection.
pub(crate) fn configure(mut connecting: Connect, args: &ClientTlsArgs) -> Result<Connect, Failure> {
    if let Some(path) = &args.ca {
        connecting = connecting.tls_roots(files::read("--ca", path)?);
    }
    // Either requires the other.
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        let chain_pem = files::read("--cert", cert)?;
        let key_pem = key::read(key, args.key_passphrase.as_deref())?;
        connecting = connecting.tls_client_certificate(chain_pem, key_pem);
    }
    if args.insecure {
        connecting = connecting.danger_accept_any_certificate();
    }
    Ok(connecting)
}

/// What an error says, with this command's options in place of the library's methods.
pub(crate) fn with_options(error: &ConnectError, text: String) -> String {
    match error {
        ConnectError::TlsOption { what, .. } => match option_of(what) {
            Some(option) => format!("{option}: {text}"),
            None => named_options(&text),
        },
        _ => named_options(&text),
    }
}

/// The option that gave what the library cannot use.
fn option_of(what: &str) -> Option<&'static str> {
    match what {
        "the roots" => Some("--ca"),
        "the client certificate" => Some("--cert"),
        "the client certificate's key" => Some("--key"),
        _ => None,
    }
}

fn named_options(text: &str) -> String {
    let names = [
        ("`tls_roots`", "`--ca FILE`"),
        ("`tls_client_certificate`", "`--cert FILE` and `--key FILE`"),
        ("`danger_accept_any_certificate`", "`--insecure`"),
        ("option `origin`", "option `--origin`"),
        ("option `subprotocol`", "option `--subprotocol`"),
        ("option `compression`", "option `--no-compression`"),
        ("or raise `timeout`", "or raise `--timeout`"),
        (
            "it redirects: connect to",
            "it redirects: follow it with `--location`, or connect to",
        ),
        // There is none for these.
        (", or raise HeadLimits::size_max with `head_limits`", ""),
        (", or raise HeadLimits::headers_max with `head_limits`", ""),
        ("option `address`", "option `--address`"),
        ("option `host`", "option `--host`"),
        ("option `proxy`", "option `--proxy`"),
        ("option `redirects` allows", "option `--location` allows"),
        ("option `server_name`", "option `--server-name`"),
        ("option `unix_socket`", "option `--unix-socket`"),
        ("address with `address`", "address with `--address`"),
        ("name with `host`", "name with `--host`"),
        ("leave `address` out", "leave `--address` out"),
        ("leave `proxy` out", "leave `--proxy` out"),
        ("given with `proxy`", "given with `--proxy`"),
        (
            "which the option `proxy` or",
            "which the option `--proxy` or",
        ),
        (
            "give its root with `proxy_tls_roots`",
            "have this system trust its root",
        ),
    ];
    let named = |text: String, (method, option)| text.replace(method, option);
    names.into_iter().fold(text.to_owned(), named)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_certificate_is_for_the_loopback_and_every_address_once() {
        let addresses =
            ["127.0.0.1:80", "192.0.2.7:80", "[2001:db8::7]:80"].map(|text| text.parse().unwrap());
        assert_eq!(
            names(&addresses),
            ["localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"]
        );
    }

    #[test]
    fn advice_names_options_of_the_command_and_leaves_out_what_there_is_not() {
        use talkback::http::HeaderName;
        use talkback::{HandshakeError, HeadError, Stage};

        let url = || "ws://a/".to_owned();
        let failed = |error| ConnectError::Handshake { url: url(), error };
        let reserved = |name| {
            failed(HandshakeError::ReservedHeader {
                name: HeaderName::from_static(name),
            })
        };
        let late = ConnectError::Timeout {
            url: url(),
            after: std::time::Duration::from_secs(1),
            stage: Stage::Tcp,
        };
        for (error, end) in [
            (
                reserved("host"),
                "give the address with `--address`, or another name with `--host`",
            ),
            (reserved("origin"), "with the option `--origin`"),
            (
                reserved("sec-websocket-protocol"),
                "with the option `--subprotocol`",
            ),
            (
                failed(HeadError::TooLarge { size_max: 1 }.into()),
                "have it send less (cookies, mostly)",
            ),
            (
                failed(HeadError::TooManyHeaders { headers_max: 1 }.into()),
                "have it send fewer",
            ),
            (late, "or raise `--timeout`"),
        ] {
            let text = with_options(&error, error.to_string());
            assert!(text.ends_with(end), "{text}");
        }
    }

    #[test]
    fn advice_on_tls_names_options_of_the_command() {
        let error = ConnectError::Tls {
            url: "wss://a/".to_owned(),
            error: Arc::new(io::Error::other("alert")),
            advice: "give `tls_roots` or `tls_client_certificate`; there is `danger_accept_any_certificate`",
        };
        let text = with_options(&error, error.to_string());
        assert!(
            text.ends_with(
                "give `--ca FILE` or `--cert FILE` and `--key FILE`; there is `--insecure`"
            ),
            "{text}"
        );
    }
}
