//! The name by which a client calls this machine.

use std::net::IpAddr;

use talkback::Refusal;
use talkback::http::header::HOST;
use talkback::http::uri::Authority;
use talkback::http::{Request, StatusCode};

/// Lets in who names this machine as it may be named; a page whose own name was made to lead here does not.
pub(crate) fn check<B>(request: &Request<B>, hosts: &[String]) -> Result<(), Refusal> {
    // "An origin server MUST ignore the received Host header field (if any) and instead use the host information of the request-target"
    // that has it (RFC 9112 §3.2.2), as the check of its origin does.
    let target = request.uri().authority().map(Authority::as_str);
    let host = request.headers().get(HOST);
    let host = target.or_else(|| host.and_then(|host| host.to_str().ok()));
    let host = host.unwrap_or_default();
    match is_allowed(host, hosts) {
        true => Ok(()),
        false => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!(
                "the Host {host:?} is not this machine as far as the server knows: name it by localhost or an \
                 IP address, or allow the name with `--host`"
            ),
        )),
    }
}

/// Whether a Host header leads here by no page's doing: whoever owns another name can have it lead anywhere.
fn is_allowed(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let ip = name.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    name == "localhost"
        || name.ends_with(".localhost")
        || ip.unwrap_or(name).parse::<IpAddr>().is_ok()
        || hosts.iter().any(|host| host == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_target_that_has_one_goes_before_the_header() {
        for (target, host, is_allowed) in [
            ("/", "localhost", true),
            ("/", "evil.example", false),
            ("http://localhost/", "evil.example", true),
            ("http://evil.example/", "localhost", false),
        ] {
            let request = Request::get(target).header(HOST, host).body(()).unwrap();
            assert_eq!(check(&request, &[]).is_ok(), is_allowed, "{target} {host}");
        }
    }

    #[test]
    fn a_host_is_this_machine_or_a_name_that_was_allowed() {
        let hosts = ["laptop.local".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST.:9001",
            "app.localhost:9001",
            "127.0.0.1:9001",
            "192.0.2.7",
            "[::1]:9001",
            "Laptop.local:9001",
        ] {
            assert!(is_allowed(host, &hosts), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:9001",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "laptop.local.evil.example",
            "evil.example@127.0.0.1@x",
        ] {
            assert!(!is_allowed(host, &hosts), "{host}");
        }
    }
}
