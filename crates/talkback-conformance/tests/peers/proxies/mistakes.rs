//! What each mistake looks like from the client: the rows of the page's table.

use std::sync::LazyLock;
use std::time::Duration;

use talkback::Connect;

use super::backend::Backend;
use super::page::{mends, symptom};
use super::site::{Change, Kind, Site};

/// A line of the configuration that is wrong, or a request that does not fit.
#[derive(Clone, Copy)]
struct Mistake<'a> {
    kind: Kind,
    name: &'a str,
    changes: &'a [Change<'a>],
    /// What follows the host in the URL.
    rest: &'a str,
    options: fn(Connect) -> Connect,
    /// What the client reads, and the page quotes.
    reads: &'a [&'a str],
    /// Where the page has it.
    mended_by: &'a str,
}

const NGINX: Mistake<'_> = Mistake {
    kind: Kind::Nginx,
    name: "",
    changes: &[],
    rest: "/ws/",
    options: |connect| connect,
    reads: &[],
    mended_by: "",
};

const HAPROXY: Mistake<'_> = Mistake {
    kind: Kind::Haproxy,
    ..NGINX
};

const CADDY: Mistake<'_> = Mistake {
    kind: Kind::Caddy,
    ..NGINX
};

static LONG_PATH: LazyLock<String> = LazyLock::new(|| format!("/ws/{}", "x".repeat(9_000)));

fn from_a_page(connect: Connect) -> Connect {
    connect.origin("https://chat.example.com")
}

/// A request's head of more than this many bytes, and of few hundred more.
fn with_cookie(connect: Connect, size: usize) -> Connect {
    connect.header("Cookie", "x".repeat(size))
}

impl Mistake<'_> {
    async fn is_seen(self) {
        let backend = Backend::start().await;
        let site = Site::start(self.kind, self.name, backend.port, self.changes);
        let error = site
            .open(self.rest, self.options)
            .await
            .expect_err("it is wrong");
        let body = error.refused().map(|refused| refused.body.clone());
        let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        self.is_quoted(&format!("{error}\n{body}"));
    }

    fn is_quoted(&self, seen: &str) {
        let symptom = symptom(self.mended_by);
        assert!(!self.reads.is_empty());
        for text in self.reads {
            assert!(seen.contains(text), "no {text:?} in {seen}");
            assert!(symptom.contains(text), "no {text:?} in {symptom}");
        }
    }

    async fn is_none(self) {
        let backend = Backend::start().await;
        let site = Site::start(self.kind, self.name, backend.port, self.changes);
        let opened = site.open(self.rest, self.options).await;
        assert!(opened.is_ok(), "{opened:?}");
    }
}

macro_rules! mistakes {
    ($($name:ident = $base:ident { $($field:ident: $value:expr),* $(,)? })*) => {$(
        #[tokio::test]
        async fn $name() {
            let mistake = Mistake { name: stringify!($name), $($field: $value,)* ..$base };
            mistake.is_seen().await;
        }
    )*
        /// The rows that these find, and those that others do.
        #[test]
        fn each_row_is_tested() {
            let mut rows = vec!["`wss://`", "`keepalive`", "`worker_connections`", "`maxconn`"];
            $({
                let mistake = Mistake { $($field: $value,)* ..$base };
                rows.push(mistake.mended_by);
            })*
            for row in mends() {
                assert!(rows.iter().any(|text| row.contains(text)), "{row}");
            }
        }
    };
}

mistakes! {
    nginx_speaks_http_1_0 = NGINX {
        changes: &[("        proxy_http_version 1.1;\n", "")],
        reads: &["505 HTTP Version Not Supported"],
        mended_by: "`proxy_http_version 1.1`",
    }
    nginx_takes_upgrade_away = NGINX {
        changes: &[("        proxy_set_header Upgrade $http_upgrade;\n", "")],
        reads: &["426 Upgrade Required"],
        mended_by: "`proxy_set_header Upgrade $http_upgrade`",
    }
    nginx_inherits_no_headers_where_there_are_some = NGINX {
        changes: &[
            ("        proxy_set_header Upgrade $http_upgrade;\n", ""),
            ("        proxy_set_header Connection \"upgrade\";\n", ""),
            ("    location /ws/", "    proxy_set_header Upgrade $http_upgrade;\n    \
                proxy_set_header Connection \"upgrade\";\n    location /ws/"),
        ],
        reads: &["426 Upgrade Required"],
        mended_by: "`proxy_set_header Upgrade $http_upgrade`",
    }
    nginx_sends_a_connection_of_its_own = NGINX {
        changes: &[("        proxy_set_header Connection \"upgrade\";\n", "")],
        reads: &["400 Bad Request", "Connection"],
        mended_by: "`proxy_set_header Connection \"upgrade\"`",
    }
    nginx_sends_a_host_of_its_own = NGINX {
        changes: &[("        proxy_set_header Host $http_host;\n", "")],
        options: from_a_page,
        reads: &["403 Forbidden"],
        mended_by: "`proxy_set_header Host $http_host`",
    }
    nginx_loses_the_port = NGINX {
        changes: &[("$http_host", "$host")],
        rest: ":8443/ws/",
        options: |connect| connect.origin("https://chat.example.com:8443"),
        reads: &["403 Forbidden"],
        mended_by: "`$http_host` in place of `$host`",
    }
    nginx_cuts_the_path = NGINX {
        changes: &[("9001;", "9001/;")],
        reads: &["404 Not Found"],
        mended_by: "without a slash at its end",
    }
    nginx_looks_for_a_file = NGINX {
        changes: &[("location /ws/", "location /chat/")],
        reads: &["404 Not Found"],
        mended_by: "a `location`, a `handle` for this path",
    }
    nginx_redirects_to_the_slash = NGINX {
        rest: "/ws",
        reads: &["301 Moved Permanently"],
        mended_by: "the URL as the `location` has it",
    }
    nginx_finds_a_header_too_large = NGINX {
        options: |connect| with_cookie(connect, 10_000),
        reads: &["400 Bad Request", "Request Header Or Cookie Too Large"],
        mended_by: "`large_client_header_buffers 4 16k`",
    }
    nginx_finds_a_path_too_long = NGINX {
        rest: &LONG_PATH,
        reads: &["414"],
        mended_by: "`large_client_header_buffers 4 16k`",
    }
    nginx_finds_the_101_too_large = NGINX {
        rest: "/ws/large",
        reads: &["502 Bad Gateway"],
        mended_by: "`proxy_buffer_size 16k`",
    }
    nginx_speaks_tls_to_the_server = NGINX {
        changes: &[("proxy_pass http:", "proxy_pass https:")],
        reads: &["502 Bad Gateway"],
        mended_by: "no `ssl` beside `server`",
    }
    nginx_waits_no_longer = NGINX {
        changes: &[("proxy_read_timeout 60s", "proxy_read_timeout 1s")],
        rest: "/ws/slow",
        reads: &["504 Gateway Timeout"],
        mended_by: "`timeout server`",
    }
    nginx_speaks_no_tls = NGINX {
        changes: &[("listen 443 ssl", "listen 443")],
        reads: &["TLS failed"],
        mended_by: "`ssl` beside `listen 443`",
    }
    haproxy_has_no_backend_for_the_path = HAPROXY {
        changes: &[("    default_backend pages\n", "")],
        rest: "/elsewhere",
        reads: &["503 Service Unavailable"],
        mended_by: "`use_backend`, `default_backend`",
    }
    haproxy_finds_the_request_too_large = HAPROXY {
        options: |connect| with_cookie(connect, 15_500),
        reads: &["400 Bad Request", "Your browser sent an invalid request"],
        mended_by: "`tune.bufsize 32768`",
    }
    haproxy_speaks_tls_to_the_server = HAPROXY {
        changes: &[("server chat 127.0.0.1:9001", "server chat 127.0.0.1:9001 ssl verify none")],
        reads: &["503 Service Unavailable"],
        mended_by: "no `ssl` beside `server`",
    }
    haproxy_waits_no_longer = HAPROXY {
        changes: &[("timeout server 30s", "timeout server 1s")],
        rest: "/ws/slow",
        reads: &["504 Gateway Timeout"],
        mended_by: "`timeout server`",
    }
    haproxy_sends_a_line_of_its_own = HAPROXY {
        changes: &[("server chat 127.0.0.1:9001", "server chat 127.0.0.1:9001 send-proxy")],
        reads: &["400 Bad Request"],
        mended_by: "`send-proxy`",
    }
    haproxy_speaks_no_tls = HAPROXY {
        changes: &[(" ssl crt /etc/haproxy/chat.pem", " # /etc/haproxy/chat.pem")],
        reads: &["TLS failed"],
        mended_by: "`ssl` beside `listen 443`",
    }
    caddy_sends_a_host_of_its_own = CADDY {
        changes: &[("127.0.0.1:9001", "127.0.0.1:9001 {\nheader_up Host {upstream_hostport}\n}")],
        options: from_a_page,
        reads: &["403 Forbidden"],
        mended_by: "`proxy_set_header Host $http_host`",
    }
    caddy_cuts_the_path = CADDY {
        changes: &[("handle /ws/*", "handle_path /ws/*")],
        reads: &["404 Not Found"],
        mended_by: "`handle` in place of `handle_path`",
    }
    caddy_looks_for_a_file = CADDY {
        rest: "/ws",
        reads: &["404 Not Found"],
        mended_by: "a `location`, a `handle` for this path",
    }
    caddy_passes_a_head_that_is_too_large_for_the_server = CADDY {
        options: |connect| with_cookie(connect, 17_000),
        reads: &["431 Request Header Fields Too Large"],
        mended_by: "`head_limits`",
    }
    caddy_speaks_tls_to_the_server = CADDY {
        changes: &[("reverse_proxy 127.0.0.1:9001", "reverse_proxy https://127.0.0.1:9001")],
        reads: &["502 Bad Gateway"],
        mended_by: "no `ssl` beside `server`",
    }
}

/// The last column is right, too, where works.rs does not show it.
#[tokio::test]
async fn larger_buffers_mend_it() {
    let line = "        proxy_http_version 1.1;\n";
    let mended = Mistake {
        name: "larger-header",
        changes: &[(
            "    server_name",
            "    large_client_header_buffers 4 16k;\n    server_name",
        )],
        options: |connect| with_cookie(connect, 10_000),
        ..NGINX
    };
    mended.is_none().await;
    let larger = format!("{line}        proxy_buffer_size 16k;\n        proxy_buffers 8 16k;\n");
    let mended = Mistake {
        name: "larger-101",
        changes: &[(line, &larger)],
        rest: "/ws/large",
        ..NGINX
    };
    mended.is_none().await;
    let mended = Mistake {
        name: "larger-bufsize",
        changes: &[("defaults\n", "global\n    tune.bufsize 32768\n\ndefaults\n")],
        options: |connect| with_cookie(connect, 15_500),
        ..HAPROXY
    };
    mended.is_none().await;
}

#[tokio::test]
async fn a_url_without_tls() {
    for (base, text) in [
        (NGINX, "The plain HTTP request was sent to HTTPS port"),
        (CADDY, "Client sent an HTTP request to an HTTPS server"),
        (HAPROXY, "lost during the opening handshake"),
    ] {
        let mistake = Mistake {
            reads: &[text],
            mended_by: "`wss://`",
            ..base
        };
        let backend = Backend::start().await;
        let site = Site::start(mistake.kind, "no-tls", backend.port, &[]);
        let url = format!("ws://127.0.0.1:{}/ws/", site.port);
        let error = talkback::connect(url).await.unwrap_err();
        let body = error.refused().map(|refused| refused.body.clone());
        let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        mistake.is_quoted(&format!("{error}\n{body}"));
    }
}

/// A proxy that has room for two WebSockets.
async fn third_of_two(mistake: Mistake<'_>) {
    let backend = Backend::start().await;
    let site = Site::start(mistake.kind, "full", backend.port, mistake.changes);
    let first = site.open("/ws/", |connect| connect).await.unwrap();
    let second = site.open("/ws/", |connect| connect).await.unwrap();
    let third = site.open("/ws/", mistake.options).await;
    mistake.is_quoted(&third.expect_err("it is full").to_string());
    drop((first, second));
}

#[tokio::test]
async fn nginx_is_full() {
    let mistake = Mistake {
        // One more listens, and each WebSocket takes two: what is left is too few for the third.
        changes: &[("events {}", "events { worker_connections 6; }")],
        reads: &["500 Internal Server Error"],
        mended_by: "`worker_connections`",
        ..NGINX
    };
    third_of_two(mistake).await;
}

#[tokio::test]
async fn haproxy_is_full() {
    let mistake = Mistake {
        changes: &[("frontend https\n", "frontend https\n    maxconn 2\n")],
        options: |connect| connect.timeout(Duration::from_secs(1)),
        reads: &["time ran out while waiting for the TLS handshake"],
        mended_by: "`maxconn`",
        ..HAPROXY
    };
    third_of_two(mistake).await;
}
