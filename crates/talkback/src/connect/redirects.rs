//! The builder's options for redirects and cookies.

use std::sync::Arc;

use crate::connect::Connect;
use crate::connect::cookies::{CookieStore, Cookies};

impl Connect {
    /// Follows redirects, as many as this, at most 10. By default none is followed, and the error names where
    /// it leads.
    ///
    /// These are the answers 301, 302, 303, 307 and 308. A `Location` of `https://` is read as `wss://`, one
    /// of `http://` as `ws://`, and a relative one is completed. One [`timeout`](Self::timeout) counts for
    /// all, each URL is asked for with GET, and for each it is decided anew whether a [`proxy`](Self::proxy)
    /// leads there.
    ///
    /// **To another origin**, which is another scheme, host or port, go neither the user name and the password
    /// of the URL nor any [`header`](Self::header) and [`subprotocol`](Self::subprotocol), but for those named by
    /// [`redirect_header`](Self::redirect_header): a key in any of them may be a secret. From `ws://` to
    /// `wss://` is such a way, too; who can, better gives the address that it ends at. What
    /// [`host`](Self::host) and [`server_name`](Self::server_name) say is not for another origin either, nor is the
    /// [`tls_client_certificate`](Self::tls_client_certificate). [`origin`](Self::origin), the other options of TLS (a
    /// configuration of rustls is one, and whole) and [`cookies`](Self::cookies), which are asked for the new URL,
    /// are. What the program sends once it is open goes to wherever that ends, a login in a first message as well.
    ///
    /// # Errors
    /// A redirect that is not followed is a [`Refused`](crate::Refused) whose
    /// [`unfollowed`](crate::Refused::unfollowed) says why: they are too many; it leads from `wss://` to
    /// `ws://`; to a URL with a user name; to no address of a WebSocket; or to another origin where an
    /// [`address`](Self::address) or a [`unix_socket`](Self::unix_socket) is given. What fails on the way has the URL at which it
    /// failed. More than 10 is [`ConnectError::Option`](crate::ConnectError::Option).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), talkback::ConnectError> {
    /// let socket = talkback::connect("wss://example.com/feed").redirects(3).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redirects(mut self, redirects_max: u8) -> Self {
        self.redirects.redirects_max = redirects_max;
        self
    }

    /// Has [`redirects`](Self::redirects) take this header of the program's along to another origin.
    ///
    /// Whoever can change the server's answers then learns its value. `Sec-WebSocket-Protocol` stands for the
    /// [`subprotocol`](Self::subprotocol)s: without it another origin is offered none, and chooses none.
    pub fn redirect_header(mut self, name: impl AsRef<str>) -> Self {
        if let Some((name, _)) = self.parse_header(name.as_ref(), "") {
            self.redirects.headers.push(name);
        }
        self
    }

    /// Asks this store for the cookies of each request, and gives it those that servers set: with the 101, with
    /// a refusal, and with each [redirect](Self::redirects).
    ///
    /// The program's own `Cookie` [header](Self::header) comes before it, and the store is not asked then, unless a
    /// redirect has left that header behind. It is asked as soon as the URL is known: what another connect sets while
    /// this one waits [`in_turn`](Self::in_turn) comes too late for it.
    pub fn cookies(mut self, store: Arc<impl CookieStore + ?Sized>) -> Self {
        self.cookies = Some(Cookies::new(store));
        self
    }
}
