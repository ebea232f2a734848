//! Cookies: when a store is asked, what it is given, and by which URL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use talkback::http::HeaderValue;
use talkback::{CookieStore, connect};

use crate::support::answers::failure;
use crate::support::echo::say_hello;
use crate::support::proxy::{Proxy, http_proxy};
use crate::support::site::{empty, header, redirect, site, switching, target};

/// A store that looks at the scheme as others do: `Secure` wants https, `HttpOnly` any of HTTP.
#[derive(Default)]
struct Jar {
    /// By name: the value, and the attributes.
    cookies: Mutex<BTreeMap<String, (String, String)>>,
    /// The URLs that it was asked for.
    asked: Mutex<Vec<String>>,
    /// The URLs whose cookies it was given.
    given: Mutex<Vec<String>>,
}

impl CookieStore for Jar {
    fn cookies(&self, url: &str) -> Option<HeaderValue> {
        self.asked.lock().unwrap().push(url.to_owned());
        let cookies = self.cookies.lock().unwrap();
        let is_sent = |attributes: &str| {
            (!attributes.contains("Secure") || url.starts_with("https:"))
                && (!attributes.contains("HttpOnly") || url.starts_with("http"))
        };
        let sent = cookies
            .iter()
            .filter(|(_, (_, attributes))| is_sent(attributes));
        let pairs: Vec<String> = sent
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        Some(HeaderValue::try_from(pairs.join("; ")).unwrap())
    }

    fn set_cookies(&self, url: &str, set: &mut dyn Iterator<Item = &HeaderValue>) {
        self.given.lock().unwrap().push(url.to_owned());
        for cookie in set {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let cookie = (value.to_owned(), attributes.to_owned());
            self.cookies.lock().unwrap().insert(name.to_owned(), cookie);
        }
    }
}

impl Jar {
    fn names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The answer of 101 with these headers.
fn switching_with(head: &str, headers: &str) -> String {
    let switching = switching(head);
    format!("{}{headers}\r\n", switching.strip_suffix("\r\n").unwrap())
}

/// A server that sets a cookie with each of its answers: a redirect at `/`, a 401 at `/login`, else a 101.
async fn setting() -> Proxy<String> {
    site(|head| {
        Some(match target(head) {
            "/" => empty(302, "Location: /room?key=7\r\nSet-Cookie: redirect=1\r\n"),
            "/login" => empty(
                401,
                "Set-Cookie: refused=1; HttpOnly\r\nSet-Cookie: twice=1\r\n",
            ),
            _ => switching_with(head, "Set-Cookie: switched=1\r\n"),
        })
    })
    .await
}

#[tokio::test]
async fn px23_cookies_come_from_a_101_a_401_and_a_redirect() {
    let mut server = setting().await;
    let (url, jar) = (server.url("ws"), Arc::new(Jar::default()));
    let at = |path: &str| connect(format!("{url}{path}")).cookies(Arc::clone(&jar));
    let error = failure(at("/login")).await;
    assert_eq!(error.refused().unwrap().status, 401);
    assert_eq!(jar.names(), ["refused", "twice"]);
    assert_eq!(header(&server.asked().await, "Cookie"), None);
    at("/").redirects(1).await.unwrap();
    assert_eq!(jar.names(), ["redirect", "refused", "switched", "twice"]);
    let sent = server.asked().await;
    assert_eq!(header(&sent, "Cookie"), Some("refused=1; twice=1"));
    let sent = server.asked().await;
    assert_eq!(
        header(&sent, "Cookie"),
        Some("redirect=1; refused=1; twice=1")
    );
    let http = server.url("http");
    assert_eq!(
        jar.take_asked(),
        [
            format!("{http}/login"),
            format!("{http}/"),
            format!("{http}/room?key=7")
        ]
    );
    // And from a redirect that is not followed.
    jar.cookies.lock().unwrap().clear();
    failure(at("/")).await;
    assert_eq!(jar.names(), ["redirect"]);
}

/// One that is chosen at run time, too.
#[tokio::test]
async fn px23_a_store_of_any_kind_is_taken() {
    let mut server = setting().await;
    let jar = Arc::new(Jar::default());
    let store: Arc<dyn CookieStore> = jar.clone();
    let connecting = connect(format!("{}/room", server.url("ws"))).cookies(store);
    connecting.clone().await.unwrap();
    assert_eq!(header(&server.asked().await, "Cookie"), None);
    connecting.await.unwrap();
    assert_eq!(header(&server.asked().await, "Cookie"), Some("switched=1"));
    assert_eq!(jar.names(), ["switched"]);
}

#[tokio::test]
async fn px23_the_programs_own_header_wins() {
    let mut server = setting().await;
    let jar = Arc::new(Jar::default());
    let connecting = connect(format!("{}/room", server.url("ws")));
    let connecting = connecting.cookies(Arc::clone(&jar)).header("cookie", "a=1");
    connecting.await.unwrap();
    assert_eq!(header(&server.asked().await, "Cookie"), Some("a=1"));
    assert!(jar.take_asked().is_empty());
    assert_eq!(jar.names(), ["switched"]);
}

/// The program's own stays behind, and the store is asked for the new URL.
#[tokio::test]
async fn px23_another_origin_gets_its_own_cookies() {
    let mut other = site(|_| None).await;
    let location = format!("{}/x?y", other.url("http"));
    let mut server = site(move |_| Some(redirect(302, &location))).await;
    let jar = Arc::new(Jar::default());
    let value = ("2".to_owned(), String::new());
    jar.cookies.lock().unwrap().insert("b".to_owned(), value);
    let connecting = connect(server.url("ws")).header("Cookie", "a=1");
    say_hello(connecting.redirects(1).cookies(Arc::clone(&jar))).await;
    assert_eq!(header(&server.asked().await, "Cookie"), Some("a=1"));
    assert_eq!(header(&other.asked().await, "Cookie"), Some("b=2"));
    assert_eq!(jar.take_asked(), [format!("{}/x?y", other.url("http"))]);
    assert!(jar.given.lock().unwrap().is_empty(), "nothing was set");
}

#[tokio::test]
async fn px23_a_url_has_no_user_and_the_host_that_the_server_knows() {
    let server = setting().await;
    let jar = Arc::new(Jar::default());
    let url = format!("ws://user:hunter2@{}/room", server.address);
    let connecting = connect(url).host("a.example:81");
    connecting.cookies(Arc::clone(&jar)).await.unwrap();
    assert_eq!(jar.take_asked(), ["http://a.example:81/room"]);
    assert_eq!(*jar.given.lock().unwrap(), ["http://a.example:81/room"]);
}

#[tokio::test]
async fn px23_a_proxy_sets_no_cookie() {
    let server = site(|_| None).await;
    let jar = Arc::new(Jar::default());
    for answer in [
        "HTTP/1.1 200 OK\r\nSet-Cookie: proxy=1\r\n\r\n",
        "HTTP/1.1 403 \r\nSet-Cookie: proxy=1\r\nContent-Length: 0\r\n\r\n",
    ] {
        let proxy = http_proxy(answer, server.address).await;
        let connecting = connect("ws://server.invalid/").proxy(&*proxy.url("http"));
        let _ = connecting.cookies(Arc::clone(&jar)).await;
    }
    assert!(jar.names().is_empty());
}

/// An answer that is no WebSocket's is not believed in its cookies either.
#[tokio::test]
async fn px23_a_101_that_is_wrong_sets_no_cookie() {
    let server =
        site(|_| Some("HTTP/1.1 101 \r\nUpgrade: websocket\r\nSet-Cookie: a=1\r\n\r\n".to_owned()))
            .await;
    let jar = Arc::new(Jar::default());
    failure(connect(server.url("ws")).cookies(Arc::clone(&jar))).await;
    assert!(jar.names().is_empty());
}

#[tokio::test]
async fn px23_v12_no_cookie_of_the_store_is_shown() {
    let jar = Arc::new(Jar::default());
    let value = ("hunter2".to_owned(), String::new());
    jar.cookies.lock().unwrap().insert("id".to_owned(), value);
    let answer = "HTTP/1.1 403 \r\nContent-Type: text/plain\r\nSet-Cookie: a=hunter2\r\n\
                  Content-Length: 12\r\n\r\nsaid hunter2";
    let server = site(move |_| Some(answer.to_owned())).await;
    let connecting = connect(server.url("ws")).cookies(Arc::clone(&jar));
    for shown in [format!("{connecting:?}"), format!("{connecting:#?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let error = failure(connecting).await;
    assert!(error.to_string().ends_with("its answer: said …"), "{error}");
    assert!(!format!("{:?}", error.refused()).contains("hunter2"));
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn px23_secure_and_http_only_cookies_go_over_wss() {
    use crate::support::certificates::Authority;
    use crate::support::site::serve;

    let authority = Authority::new("A root");
    let config = Arc::new(authority.issue("localhost").server());
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let mut server = Proxy::start(move |stream, told| {
        let acceptor = acceptor.clone();
        async move {
            let answer = |head: &str| {
                let cookies = "Set-Cookie: a=1; Secure; HttpOnly\r\nSet-Cookie: b=2; Secure\r\n";
                (target(head) == "/login").then(|| empty(401, cookies))
            };
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, answer, told).await;
            }
        }
    })
    .await;
    let jar = Arc::new(Jar::default());
    let url = format!("wss://localhost:{}", server.address.port());
    let at = |path: &str| {
        let connecting = connect(format!("{url}{path}")).cookies(Arc::clone(&jar));
        connecting.tls_roots(authority.pem.as_bytes())
    };
    failure(at("/login")).await;
    server.asked().await;
    say_hello(at("/room")).await;
    assert_eq!(header(&server.asked().await, "Cookie"), Some("a=1; b=2"));
    // Not without TLS.
    let mut plain = site(|_| None).await;
    say_hello(connect(plain.url("ws")).cookies(Arc::clone(&jar))).await;
    assert_eq!(header(&plain.asked().await, "Cookie"), None);
}
