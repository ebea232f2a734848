//! What Prometheus finds at `/metrics` of `talkback echo`.

use std::collections::{BTreeMap, BTreeSet};

use talkback::{CloseCode, WebSocket};

use crate::echo::{body, http};
use crate::support::{Running, echo};

type Socket = WebSocket<talkback::Transport>;

const CODES: [&str; 15] = [
    "1000", "1001", "1002", "1003", "1005", "1006", "1007", "1008", "1009", "1010", "1011", "1012",
    "1013", "1014", "other",
];

/// What there may be: its type, and each label with its values.
type Family = (
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

/// The family of this name, behind the common beginning of all.
fn family(name: &str) -> Option<Family> {
    Some(match name {
        "connections" => ("gauge", &[]),
        "connections_total" => (
            "counter",
            &[("outcome", &["open", "failed", "timeout", "refused"])],
        ),
        "refused_total" => (
            "counter",
            &[("reason", &["full", "address", "no_peer", "draining"])],
        ),
        "client_unknown_total" => ("counter", &[("header", &["missing", "invalid"])]),
        "handshake_seconds" | "connection_seconds" => ("histogram", &[]),
        "closes_total" => (
            "counter",
            &[("by", &["us", "peer", "cut"]), ("code", &CODES)],
        ),
        "draining" => ("gauge", &[]),
        _ => return None,
    })
}

/// The values of all series, by `name{label="value"}` behind the common beginning; the text is held to be well made.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut all, mut helped, mut kind) = (BTreeMap::new(), BTreeSet::new(), "");
    let mut current = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP talkback_server_") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE talkback_server_") {
            (current, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(current), "{line}");
            assert_eq!(family(current).map(|it| it.0), Some(kind), "{line}");
        } else {
            let series = line.strip_prefix("talkback_server_").expect(line);
            let (series, value) = series.rsplit_once(' ').unwrap();
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
                None => (series, ""),
            };
            let (_, known) = family(current).unwrap();
            let suffix = name.strip_prefix(current).expect(line);
            match kind {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
                _ => assert_eq!(suffix, "", "{line}"),
            }
            let labels: Vec<_> = labels.split(',').filter(|it| !it.is_empty()).collect();
            assert_eq!(labels.len(), known.len() + usize::from(suffix == "_bucket"));
            for label in labels {
                let (label, value) = label.split_once('=').unwrap();
                let value = value.trim_matches('"');
                let is_known = known
                    .iter()
                    .any(|(name, values)| *name == label && values.contains(&value));
                let is_bucket = suffix == "_bucket"
                    && label == "le"
                    && (value == "+Inf" || value.parse::<f64>().is_ok());
                assert!(is_known || is_bucket, "{line}");
            }
            let is_new = all.insert(series.to_owned(), value.parse().unwrap());
            assert!(is_new.is_none(), "{line}");
        }
    }
    all
}

fn scrape(url: &str) -> BTreeMap<String, f64> {
    let answer = http(url, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let head = answer.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    read(body(&answer))
}

/// The sum of the series of this name.
fn sum(all: &BTreeMap<String, f64>, name: &str) -> f64 {
    let of_name = all.iter().filter(|(series, _)| {
        let rest = series.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    });
    of_name.map(|(_, value)| value).sum()
}

/// What is counted, once this is so.
fn until(
    server: &Running,
    url: &str,
    what: &str,
    is_so: impl Fn(&BTreeMap<String, f64>) -> bool,
) -> BTreeMap<String, f64> {
    server.until(what, |_| is_so(&scrape(url)));
    scrape(url)
}

async fn open(url: &str) -> Socket {
    let connecting = talkback::connect(format!("{url}secret-path?token=secret-token"));
    let connecting = connecting.subprotocol("secret-subprotocol");
    connecting
        .header("X-Forwarded-For", "192.0.2.77")
        .await
        .unwrap()
}

#[test]
fn mt6_before_anybody_has_come_all_that_may_be_counted_is_there_but_the_closes() {
    let (_server, url) = echo(&[]);
    let all = scrape(&url);
    assert_eq!(all.values().sum::<f64>(), 0.0, "{all:?}");
    let names = [
        "client_unknown_total",
        "connection_seconds_bucket",
        "connections",
        "connections_total",
        "draining",
        "handshake_seconds_bucket",
        "refused_total",
    ];
    for name in names {
        assert!(all.keys().any(|series| series.starts_with(name)), "{name}");
    }
}

#[tokio::test]
async fn mt6_what_is_counted_adds_up_and_shows_nothing_of_a_client() {
    const PLACES: usize = 40;
    let options = ["--max-connections", "40", "--trusted-proxy", "127.0.0.0/8"];
    let (server, url) = echo(&options);
    let mut sockets = Vec::new();
    for _ in 0..PLACES {
        sockets.push(open(&url).await);
    }
    for _ in 0..3 {
        let refused = talkback::connect(format!("{url}secret-path")).await;
        assert!(refused.is_err());
    }
    let all = scrape(&url);
    assert_eq!(all["connections"], PLACES as f64);
    assert_eq!(all["connections_total{outcome=\"open\"}"], PLACES as f64);
    assert_eq!(all["connections_total{outcome=\"refused\"}"], 3.0);
    assert_eq!(all["refused_total{reason=\"full\"}"], 3.0);
    assert_eq!(all["handshake_seconds_count"], PLACES as f64);
    assert_eq!(all["handshake_seconds_bucket{le=\"+Inf\"}"], PLACES as f64);

    // Ten stay; each of the others has a code of its own, with a reason.
    let staying = sockets.split_off(PLACES - 10);
    for (number, mut socket) in sockets.into_iter().enumerate() {
        match number {
            0 => drop(socket),
            1 => drop(socket.close_with(1000, "secret-reason").await),
            _ => {
                let code = CloseCode::new(3000 + number as u16);
                drop(socket.close_with(code, "secret-reason").await);
            }
        }
    }
    let all = until(&server, &url, "the closes are counted", |all| {
        all["connections"] == 10.0
    });
    assert_eq!(sum(&all, "closes_total"), 30.0);
    assert_eq!(all["closes_total{code=\"1000\",by=\"peer\"}"], 1.0);
    assert_eq!(all["closes_total{code=\"other\",by=\"peer\"}"], 28.0);
    assert_eq!(all["connection_seconds_count"], 30.0);
    // Opened is closed and open.
    let opened = all["connections_total{outcome=\"open\"}"];
    assert_eq!(opened, sum(&all, "closes_total") + all["connections"]);
    // Of those that were refused the proxy told nothing.
    assert_eq!(all["client_unknown_total{header=\"missing\"}"], 3.0);
    assert_eq!(sum(&all, "client_unknown_total"), 3.0);
    let text = http(&url, "GET /metrics");
    for secret in ["secret", "127.0.0.1", "192.0.2"] {
        assert!(!body(&text).contains(secret), "{secret}");
    }
    drop(staying);
}

#[tokio::test]
async fn mt6_it_is_asked_by_get_and_head_and_while_others_ask_and_come() {
    let (_server, url) = echo(&[]);
    let before = body(&http(&url, "GET /metrics")).len();
    let head = http(&url, "HEAD /metrics");
    assert!(head.starts_with("HTTP/1.1 200 ") && body(&head).is_empty());
    let size = format!("content-length: {before}\r\n");
    assert!(head.to_ascii_lowercase().contains(&size), "{head}");
    let post = http(&url, "POST /metrics").to_ascii_lowercase();
    assert!(post.starts_with("http/1.1 405 ") && post.contains("allow: get, head\r\n"));
    let scrapes = (0..8).map(|_| {
        let url = url.clone();
        std::thread::spawn(move || (0..50).map(|_| scrape(&url).len()).max())
    });
    let scrapes: Vec<_> = scrapes.collect();
    for _ in 0..50 {
        drop(open(&url).await.close().await);
    }
    for scrapes in scrapes {
        scrapes.join().unwrap();
    }
    // Whoever asks is no connection, and what was asked before leaves no series.
    let all = scrape(&url);
    assert_eq!(sum(&all, "connections_total"), 50.0);
    // Of the closes there are 45.
    assert!(all.len() <= 115, "{}", all.len());
}

#[tokio::test]
async fn li9_a_proxy_that_tells_no_client_shows() {
    let (_server, url) = echo(&["--trusted-proxy", "127.0.0.0/8"]);
    let from = |told: &str| talkback::connect(&*url).header("X-Forwarded-For", told);
    let _told = from("192.0.2.77").await.unwrap();
    let _garbage = from("secret").await.unwrap();
    let _none = talkback::connect(&*url).await.unwrap();
    let all = scrape(&url);
    assert_eq!(all["client_unknown_total{header=\"invalid\"}"], 1.0);
    assert_eq!(all["client_unknown_total{header=\"missing\"}"], 1.0);
}

#[tokio::test]
async fn li8_the_log_has_the_clients_own_address_behind_a_proxy() {
    let (server, url) = echo(&["--trusted-proxy", "127.0.0.0/8"]);
    let _open = open(&url).await;
    server.until("it is logged", |server| {
        server.stderr().contains(" client=192.0.2.77 ")
    });
    let _direct = talkback::connect(&*url).await.unwrap();
    let (server, url) = echo(&[]);
    let _open = open(&url).await;
    server.until("it is logged", |server| server.stderr().contains(" open"));
    assert!(!server.stderr().contains("client="), "{}", server.stderr());
}
