//! Which proxy the environment names for a URL.

use std::env;
use std::net::{IpAddr, SocketAddr};

use talkback_proto::handshake::WsUrl;

use super::no_proxy;

/// The variables that name a proxy for `wss://`, the first that is set wins; in lower case before capitals.
const FOR_WSS: &[[&str; 2]] = &[
    ["wss_proxy", "WSS_PROXY"],
    ["https_proxy", "HTTPS_PROXY"],
    ["all_proxy", "ALL_PROXY"],
];

/// Those for `ws://`: the proxy for HTTPS knows how to make tunnels, and comes first (RFC 6455 §4.1).
const FOR_WS: &[[&str; 2]] = &[
    ["ws_proxy", "WS_PROXY"],
    ["https_proxy", "HTTPS_PROXY"],
    ["http_proxy", "HTTP_PROXY"],
    ["all_proxy", "ALL_PROXY"],
];

/// A variable of this process; one that is no text holds characters that no URL has.
pub(super) fn read(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The variable that names a proxy for `url`, and what it says; `None` if the way is direct.
///
/// A host of this machine is reached directly, and no variable is read for it. Where the program gives
/// addresses, those are what is of this machine or not; and as the URL's host, they may be named in `NO_PROXY`.
/// `variable` is the environment, so that tests bring one of their own.
pub(super) fn proxy_for(
    url: &WsUrl,
    addresses: &[SocketAddr],
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let is_here = match addresses {
        [] => is_loopback(url.host()),
        addresses => addresses
            .iter()
            .all(|address| is_loopback_address(address.ip())),
    };
    if is_here {
        return None;
    }
    let names = if url.is_secure() { FOR_WSS } else { FOR_WS };
    let set = |name: &'static str| {
        let value = variable(name)?;
        let is_header = is_perhaps_a_header(name) && variable("REQUEST_METHOD").is_some();
        (!is_header).then_some((name, value))
    };
    let (name, value) = names.iter().flatten().copied().find_map(set)?;
    let value = value.trim();
    // An empty variable says that there is no proxy.
    if value.is_empty() {
        return None;
    }
    let excepted = variable("no_proxy").or_else(|| variable("NO_PROXY"));
    let is_excepted = excepted.is_some_and(|list| {
        let has =
            |address: &SocketAddr| no_proxy::has(&list, &address.ip().to_string(), address.port());
        let has_all = !addresses.is_empty() && addresses.iter().all(has);
        has_all || no_proxy::has(&list, url.host(), url.port())
    });
    (!is_excepted).then(|| (name, value.to_owned()))
}

/// Whether a program behind CGI, where `REQUEST_METHOD` is set, may have this variable from a client: its
/// header `Proxy` becomes `HTTP_PROXY` (CVE-2016-5385). Windows knows no lower case.
fn is_perhaps_a_header(name: &str) -> bool {
    name == "HTTP_PROXY" || cfg!(windows) && name == "http_proxy"
}

/// Whether a host is this machine: a program under development talks to it, whatever proxy there is.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse() {
        return is_loopback_address(address);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the variables name for a URL.
    fn named(url: &str, variables: &[(&str, &str)]) -> Option<(&'static str, String)> {
        let url = WsUrl::parse(url).unwrap();
        let variable = |name: &str| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy_for(&url, &[], variable)
    }

    fn variable_for(url: &str, variables: &[(&str, &str)]) -> Option<&'static str> {
        let (name, value) = named(url, variables)?;
        let set = variables.iter().find(|(it, _)| *it == name).unwrap();
        assert_eq!(value, set.1.trim());
        Some(name)
    }

    const ALL: &[(&str, &str)] = &[
        ("ws_proxy", "a:1"),
        ("wss_proxy", "b:1"),
        ("http_proxy", "c:1"),
        ("https_proxy", "d:1"),
        ("all_proxy", "e:1"),
    ];

    #[test]
    fn px1_this_machine_is_reached_directly() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "localhost",
            "LocalHost.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "a.localhost",
            "b.a.localhost.",
        ] {
            for scheme in ["ws", "wss"] {
                let read = |name: &str| panic!("{name} is read");
                let url = WsUrl::parse(&format!("{scheme}://{host}:9001/")).unwrap();
                assert_eq!(proxy_for(&url, &[], read), None, "{host}");
            }
        }
        for host in ["128.0.0.1", "notlocalhost", "localhost.example", "[::2]"] {
            let url = format!("ws://{host}/");
            assert_eq!(variable_for(&url, ALL), Some("ws_proxy"), "{host}");
        }
    }

    /// Where the program says where to connect, the URL's host is only a name.
    #[test]
    fn px1_px8_an_address_of_the_programs_decides_as_a_host_does() {
        let url = WsUrl::parse("ws://a.example/").unwrap();
        let here = WsUrl::parse("ws://localhost/").unwrap();
        let is_proxied = |url: &WsUrl, addresses: &[&str], no_proxy: &str| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|text| text.parse().unwrap()).collect();
            let variable = |name: &str| match name {
                "https_proxy" => Some("proxy:1".to_owned()),
                "no_proxy" => Some(no_proxy.to_owned()),
                _ => None,
            };
            proxy_for(url, &addresses, variable).is_some()
        };
        let (loopback, other) = ("127.0.0.1:1", "192.0.2.1:1");
        assert!(!is_proxied(&url, &[loopback, "[::1]:1"], ""));
        assert!(is_proxied(&url, &[loopback, other], ""));
        assert!(is_proxied(&here, &[other], ""));
        for (list, is_direct) in [
            ("a.example", true),
            ("192.0.2.0/24", true),
            ("192.0.2.1:1", true),
            ("192.0.2.1:2", false),
            ("b.example", false),
        ] {
            assert_eq!(is_proxied(&url, &[other], list), !is_direct, "{list}");
        }
        assert!(is_proxied(&url, &[other, "192.0.2.2:1"], "192.0.2.1"));
    }

    #[test]
    fn px2_ws_takes_the_proxy_for_https_before_that_for_http() {
        let order = ["ws_proxy", "https_proxy", "http_proxy", "all_proxy"];
        let mut left = ALL.to_vec();
        for name in order {
            assert_eq!(variable_for("ws://a.example/", &left), Some(name));
            left.retain(|(it, _)| *it != name);
        }
        assert_eq!(variable_for("ws://a.example/", &left), None);
    }

    #[test]
    fn px3_wss_never_takes_the_proxy_for_http() {
        let mut left = ALL.to_vec();
        for name in ["wss_proxy", "https_proxy", "all_proxy"] {
            assert_eq!(variable_for("wss://a.example/", &left), Some(name));
            left.retain(|(it, _)| *it != name);
        }
        assert_eq!(variable_for("wss://a.example/", &left), None);
        let both = [("http_proxy", "a:1"), ("ALL_PROXY", "b:1")];
        assert_eq!(variable_for("wss://a.example/", &both), Some("ALL_PROXY"));
    }

    #[test]
    fn px4_lower_case_wins() {
        for (lower, upper) in [
            ("ws_proxy", "WS_PROXY"),
            ("https_proxy", "HTTPS_PROXY"),
            ("http_proxy", "HTTP_PROXY"),
            ("all_proxy", "ALL_PROXY"),
        ] {
            let both = [(upper, "a:1"), (lower, "b:1")];
            assert_eq!(variable_for("ws://a.example/", &both), Some(lower));
            assert_eq!(variable_for("ws://a.example/", &both[..1]), Some(upper));
        }
        let both = [("NO_PROXY", "a.example"), ("no_proxy", "b.example")];
        let with_proxy = [&both[..], &[("wss_proxy", "a:1")]].concat();
        assert!(variable_for("wss://a.example/", &with_proxy).is_some());
        assert!(variable_for("wss://b.example/", &with_proxy).is_none());
    }

    #[test]
    fn px5_a_variable_that_a_client_of_cgi_can_set_is_passed_over() {
        let cgi = ("REQUEST_METHOD", "GET");
        let set = [("HTTP_PROXY", "evil:1"), cgi];
        assert_eq!(variable_for("ws://a.example/", &set), None);
        let set = [("HTTP_PROXY", "evil:1"), ("ALL_PROXY", "a:1"), cgi];
        assert_eq!(variable_for("ws://a.example/", &set), Some("ALL_PROXY"));
        let set = [("HTTP_PROXY", "evil:1"), ("HTTPS_PROXY", "a:1"), cgi];
        assert_eq!(variable_for("ws://a.example/", &set), Some("HTTPS_PROXY"));
        // No header becomes a variable in lower case, but where there is no other.
        let set = [("http_proxy", "a:1"), cgi];
        let lower = (!cfg!(windows)).then_some("http_proxy");
        assert_eq!(variable_for("ws://a.example/", &set), lower);
    }

    #[test]
    fn px6_an_empty_variable_says_that_there_is_none() {
        for empty in ["", " ", "\t"] {
            let set = [
                ("https_proxy", empty),
                ("HTTPS_PROXY", "a:1"),
                ("all_proxy", "b:1"),
            ];
            assert_eq!(variable_for("wss://a.example/", &set), None);
            let set = [
                ("https_proxy", " a:1\n"),
                ("no_proxy", empty),
                ("NO_PROXY", "*"),
            ];
            assert_eq!(variable_for("wss://a.example/", &set), Some("https_proxy"));
        }
    }
}
