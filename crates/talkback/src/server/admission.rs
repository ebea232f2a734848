//! How many connections each client may have, and who tells where it is.

use std::net::SocketAddr;
#[cfg(feature = "tracing")]
use std::sync::Once;

use http::HeaderMap;

use crate::channel::sync::{Arc, Mutex};
use crate::server::address::{ClientAddress, client_address};
use crate::server::network::Network;
use crate::server::per_address::{AddressPlace, PerAddress};
use crate::server::refused::Refused;

/// The limit of each address.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    settings: Mutex<Arc<Settings>>,
    counts: Arc<PerAddress>,
    #[cfg(feature = "tracing")]
    exempt: Said,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    max: Option<usize>,
    trusted: Vec<Network>,
}

/// What is said once.
#[cfg(feature = "tracing")]
#[derive(Debug)]
struct Said(Once);

#[cfg(feature = "tracing")]
impl Default for Said {
    fn default() -> Self {
        Self(Once::new())
    }
}

impl Admission {
    pub(crate) fn set_max(&self, max: usize) {
        self.change(|settings| settings.max = Some(max));
    }

    pub(crate) fn set_trusted(&self, trusted: Vec<Network>) {
        self.change(|settings| settings.trusted = trusted);
    }

    /// How many connections an address may have, if that is limited.
    pub(crate) fn max(&self) -> Option<usize> {
        self.settings().max
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.settings()).clone();
        change(&mut settings);
        *self.settings.lock().expect(WHOLE) = Arc::new(settings);
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().expect(WHOLE))
    }

    /// Where a client is; `None` if the program has not told its peer's address.
    pub(crate) fn client(
        &self,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
    ) -> Option<ClientAddress> {
        let settings = self.settings();
        Some(client_address(peer?.ip(), headers, &settings.trusted))
    }

    /// Takes one of the places of a client's address before it has said anything, if those are limited and the address is
    /// known by then: that of a peer which is no proxy.
    ///
    /// # Errors
    /// It has as many as it may.
    pub(crate) fn arrive(&self, peer: SocketAddr) -> Result<Option<AddressPlace>, Refused> {
        let settings = self.settings();
        let Some(max) = settings.max else {
            return Ok(None);
        };
        let client = client_address(peer.ip(), &HeaderMap::new(), &settings.trusted);
        match client.key.filter(|_| client.unknown.is_none()) {
            Some(key) => Ok(Some(self.counts.take(key, max).ok_or(Refused::Address)?)),
            None => Ok(None),
        }
    }

    /// Takes one of the places of a client's address, if those are limited, unless it did when it arrived; `None` if they
    /// are not.
    ///
    /// # Errors
    /// It has as many as it may, or the address is not known.
    pub(crate) fn take(
        &self,
        client: Option<&ClientAddress>,
        arrived: Option<AddressPlace>,
    ) -> Result<Option<AddressPlace>, Refused> {
        let settings = self.settings();
        let Some(max) = settings.max else {
            return Ok(None);
        };
        let client = client.ok_or(Refused::NoPeer)?;
        let Some(key) = client.key else {
            #[cfg(feature = "tracing")]
            if settings.trusted.is_empty() {
                self.exempt.0.call_once(|| {
                    tracing::warn!(
                        target: "talkback",
                        "a client of {} is not counted by its address, as it may be a proxy: if it is, list it by `trusted_proxies`",
                        client.ip
                    );
                });
            }
            return Ok(None);
        };
        let place = arrived.filter(|place| place.is_of(key));
        let place = place.or_else(|| self.counts.take(key, max));
        Ok(Some(place.ok_or(Refused::Address)?))
    }
}

const WHOLE: &str = "nothing panics under this lock";
