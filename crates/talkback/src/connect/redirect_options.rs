//! What a client wants of redirects, also where the browser follows none.

#[cfg(not(browser))]
use http::header::HeaderMap;
use http::header::HeaderName;

#[cfg(not(browser))]
use crate::error::ConnectError;

/// How many redirects may be followed at most: who needs more is sent round in a circle.
#[cfg(not(browser))]
const REDIRECTS_LIMIT: u8 = 10;

/// What a client wants of redirects; the default follows none.
#[derive(Clone, Debug, Default)]
pub(crate) struct RedirectOptions {
    /// How many are followed.
    pub(crate) redirects_max: u8,
    /// The program's headers that another origin gets as well.
    pub(crate) headers: Vec<HeaderName>,
}

#[cfg(not(browser))]
impl RedirectOptions {
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        if self.redirects_max <= REDIRECTS_LIMIT {
            return Ok(());
        }
        Err(ConnectError::Option {
            option: "redirects",
            error: format!("at most {REDIRECTS_LIMIT} are followed: give a number up to that"),
        })
    }

    /// The program's headers as another origin gets them.
    pub(crate) fn kept(&self, headers: &HeaderMap) -> HeaderMap {
        let kept = headers.iter().filter(|(name, _)| self.is_kept(name));
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Whether another origin gets this header of the program's.
    pub(crate) fn is_kept(&self, name: &HeaderName) -> bool {
        self.headers.contains(name)
    }
}

#[cfg(browser)]
impl RedirectOptions {
    /// The first of the options that was asked for.
    pub(crate) fn asked(&self) -> Option<&'static str> {
        let redirects = (self.redirects_max > 0).then_some("redirects");
        redirects.or((!self.headers.is_empty()).then_some("redirect_header"))
    }
}
