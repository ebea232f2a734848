//! What went wrong on the way through a proxy.

use std::error::Error;
use std::fmt;
#[cfg(not(browser))]
use std::io;
#[cfg(not(browser))]
use std::sync::Arc;

#[cfg(not(browser))]
use talkback_proto::handshake::HeadError;
use talkback_proto::handshake::Refused;

/// A proxy could not be used, or did not lead to the server.
///
/// It never shows the proxy's user name and password.
#[derive(Clone)]
pub struct ProxyError(Why);

/// Proxies are the browser's: what would come of them is not in a page.
#[cfg(browser)]
#[derive(Clone)]
pub(crate) enum Why {}

#[cfg(not(browser))]
#[derive(Clone)]
pub(crate) enum Why {
    /// What was given as its URL is none.
    Setting(&'static str),
    /// It is reached by TLS, and this build has none.
    #[cfg_attr(feature = "tls", expect(dead_code, reason = "there is TLS"))]
    NoTls,
    /// Its name has no address.
    Resolve(Arc<io::Error>),
    /// No address of it took the connection.
    Tcp(Arc<io::Error>),
    /// TLS with the proxy itself failed; and what to do.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no TLS"))]
    Tls(Arc<io::Error>, &'static str),
    /// The connection was lost before the tunnel was there.
    Lost(Arc<io::Error>),
    /// Its answer is none of HTTP.
    Head(HeadError),
    /// It refused with a status.
    Refused(Box<Refused>),
    /// It refused, or broke the rules of SOCKS, for good.
    Socks(&'static str),
    /// The same, and it may do so no more a little later.
    SocksPassing(&'static str),
}

impl ProxyError {
    #[cfg(not(browser))]
    pub(crate) fn new(why: Why) -> Self {
        Self(why)
    }

    /// The proxy's answer, if it is one of HTTP and refused with a status: 407, 403, 502.
    pub fn refused(&self) -> Option<&Refused> {
        match self.0 {
            #[cfg(not(browser))]
            Why::Refused(ref refused) => Some(refused),
            #[cfg(not(browser))]
            _ => None,
        }
    }

    /// What it is, for the crate's own verdicts.
    pub(crate) fn why(&self) -> &Why {
        &self.0
    }
}

#[cfg(browser)]
impl fmt::Display for ProxyError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

#[cfg(browser)]
impl Error for ProxyError {}

/// What happened, and what to do; it follows the proxy's name.
#[cfg(not(browser))]
impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Setting(fault) => write!(f, "cannot be used: {fault}"),
            Why::NoTls => f.write_str(
                "wants TLS, which this build leaves out: turn on talkback's feature `platform-roots`",
            ),
            Why::Resolve(error) => write!(
                f,
                "has no address: {error}. Check its name and the network{OR_WITHOUT}"
            ),
            Why::Tcp(error) => write!(
                f,
                "cannot be reached: {error}. Check its host and port, and that it runs{OR_WITHOUT}"
            ),
            Why::Tls(error, advice) => write!(f, "failed in TLS: {error}. {advice}"),
            Why::Lost(error) => write!(
                f,
                "ended the connection before there was a tunnel: {error}. Check its scheme and its port, and whether it allows the server's host and port"
            ),
            Why::Head(HeadError::Tls) => {
                f.write_str("speaks TLS: use https:// in its URL")
            }
            Why::Head(error) => write!(
                f,
                "does not answer as a proxy of HTTP does: {error}. Check its scheme and its port"
            ),
            Why::Refused(refused) => write!(f, "does not lead there: {refused}"),
            Why::Socks(said) | Why::SocksPassing(said) => {
                write!(f, "does not lead there: {said}")
            }
        }
    }
}

#[cfg(not(browser))]
const OR_WITHOUT: &str = ", or name the server in NO_PROXY";

/// `Debug` is the sentence, as that of the other errors is.
impl fmt::Debug for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(not(browser))]
impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Why::Resolve(error) | Why::Tcp(error) | Why::Tls(error, _) | Why::Lost(error) => {
                Some(&**error)
            }
            Why::Head(error) => Some(error),
            _ => None,
        }
    }
}
