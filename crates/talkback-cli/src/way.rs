//! From the command line to the connection that it asks for.

use talkback::{Connect, Keepalive};

use crate::args::WayArgs;
use crate::exit::{self, Failure};
use crate::tls;

/// The connection that the options ask for.
pub(crate) fn connection(args: WayArgs) -> Result<Connect, Failure> {
    let mut connecting = talkback::connect(args.url)
        .timeout(args.timeout)
        // A server that freezes is found out while the session waits for it.
        .keepalive(Keepalive::default());
    for header in &args.headers {
        let (name, value) = parse_header(header)?;
        connecting = connecting.header(name, value);
    }
    for name in args.subprotocols {
        connecting = connecting.subprotocol(name);
    }
    if args.no_compression {
        connecting = connecting.compression(None);
    }
    if let Some(origin) = args.origin {
        connecting = connecting.origin(origin);
    }
    match args.proxy.as_deref() {
        None => {}
        Some("none") => connecting = connecting.proxy(None),
        Some(url) => connecting = connecting.proxy(url),
    }
    tls::configure(connecting, &args.tls)
}

/// Reads `Name: value`. A complaint does not repeat the text, which may be a secret.
fn parse_header(text: &str) -> Result<(&str, &str), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        let message = "a header given with -H has no colon: write it as -H 'Name: value'";
        return Err(Failure::new(exit::USAGE, message));
    };
    Ok((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        assert_eq!(parse_header("X-Time: 12:30 ").unwrap(), ("X-Time", "12:30"));
        assert_eq!(parse_header("X-Empty:").unwrap(), ("X-Empty", ""));
    }

    #[test]
    fn v12_a_header_without_a_colon_is_not_repeated() {
        let failure = parse_header("Authorization Bearer hunter2").unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert!(!failure.message.contains("hunter2"));
    }
}
