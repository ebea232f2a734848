//! Cookies that a program keeps: what is asked of its store.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
#[cfg(not(browser))]
use http::header::{HeaderMap, SET_COOKIE};
#[cfg(not(browser))]
use talkback_proto::handshake::WsUrl;

/// Where a program keeps cookies (RFC 6265), for [`Connect::cookies`](crate::Connect::cookies).
///
/// Its calls are made on the task that connects, and must not block.
///
/// The URL is `https://…` for a `wss://`, and `http://…` for a `ws://`: stores look at the scheme for the
/// attributes `Secure` and `HttpOnly`, and know those alone. It has path and query, but neither user name nor
/// password; where [`Connect::host`](crate::Connect::host) is given, its host is that. Do not log it: a query
/// may be a secret.
///
/// A store of a single cookie, whatever its attributes:
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use talkback::CookieStore;
/// use talkback::http::HeaderValue;
///
/// #[derive(Default)]
/// struct Session(Mutex<Option<HeaderValue>>);
///
/// impl CookieStore for Session {
///     fn cookies(&self, url: &str) -> Option<HeaderValue> {
///         let session = self.0.lock().unwrap();
///         session.clone().filter(|_| url.starts_with("https://api.example/"))
///     }
///
///     fn set_cookies(&self, url: &str, set: &mut dyn Iterator<Item = &HeaderValue>) {
///         for cookie in set.filter(|_| url.starts_with("https://api.example/")) {
///             let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
///             *self.0.lock().unwrap() = HeaderValue::from_str(pair).ok();
///         }
///     }
/// }
///
/// let channel = talkback::connect("wss://api.example/feed").cookies(Arc::new(Session::default()));
/// ```
pub trait CookieStore: Send + Sync + 'static {
    /// The `Cookie` header of a request for this URL (RFC 6265 §5.4); `None` or an empty value if it has none.
    fn cookies(&self, url: &str) -> Option<HeaderValue>;

    /// Takes the `Set-Cookie` headers of an answer from this URL (RFC 6265 §5.3), of which there is at least
    /// one. What they hold is for the store to check.
    fn set_cookies(&self, url: &str, set: &mut dyn Iterator<Item = &HeaderValue>);
}

/// The same store, shared.
impl<T: CookieStore + ?Sized> CookieStore for Arc<T> {
    fn cookies(&self, url: &str) -> Option<HeaderValue> {
        (**self).cookies(url)
    }

    fn set_cookies(&self, url: &str, set: &mut dyn Iterator<Item = &HeaderValue>) {
        (**self).set_cookies(url, set);
    }
}

/// The store of a client.
#[derive(Clone)]
pub(crate) struct Cookies(
    #[cfg_attr(browser, allow(dead_code, reason = "cookies are the browser's"))]
    Arc<dyn CookieStore>,
);

impl Cookies {
    pub(crate) fn new(store: Arc<impl CookieStore + ?Sized>) -> Self {
        // What is chosen at run time has no size, and so no other way to be one of any.
        Self(Arc::new(store))
    }

    /// The store as it is used for one URL.
    #[cfg(not(browser))]
    pub(crate) fn at(&self, url: &WsUrl) -> CookiesAt {
        let scheme = if url.is_secure() { "https" } else { "http" };
        let (host, target) = (url.host_header(), url.request_target());
        CookiesAt {
            store: Arc::clone(&self.0),
            url: format!("{scheme}://{host}{target}"),
        }
    }
}

/// Shows nothing of the store: what it holds are secrets.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

/// The cookies of one URL.
#[cfg(not(browser))]
pub(crate) struct CookiesAt {
    store: Arc<dyn CookieStore>,
    url: String,
}

#[cfg(not(browser))]
impl CookiesAt {
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let header = self.store.cookies(&self.url);
        header.filter(|header| !header.is_empty())
    }

    /// Gives the store what a server sets with these headers.
    pub(crate) fn take(&self, headers: &HeaderMap) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_some() {
            self.store.set_cookies(&self.url, &mut set);
        }
    }
}
