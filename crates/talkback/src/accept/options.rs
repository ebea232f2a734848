//! What a server wants of an opening handshake.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
#[cfg(feature = "server")]
use http::HeaderMap;
use http::{Request, Response};
use talkback_proto::handshake::{DeflatePolicy, HeadLimits, OriginPolicy, Refusal};
use talkback_proto::{Keepalive, Limits};

use crate::accept::approval::Approval;
#[cfg(feature = "server")]
use crate::server::connections::Connections;
#[cfg(feature = "server")]
use crate::server::health::Health;
#[cfg(feature = "server")]
use crate::server::per_address::AddressPlace;
#[cfg(feature = "server")]
use crate::server::place::Place;

pub(super) type Approving = Pin<Box<dyn Future<Output = Result<Approval, Refusal>> + Send>>;
pub(super) type Check = dyn FnOnce(Arc<Request<()>>) -> Approving + Send;
pub(super) type Otherwise = dyn FnOnce(&Request<()>) -> Response<Bytes> + Send;

/// What a server wants of an opening handshake.
pub(super) struct Options {
    pub(super) peer: Option<SocketAddr>,
    pub(super) subprotocols: Arc<[String]>,
    pub(super) origin_policy: OriginPolicy,
    pub(super) compression: Option<DeflatePolicy>,
    pub(super) check: Option<Box<Check>>,
    pub(super) otherwise: Option<Box<Otherwise>>,
    pub(super) limits: Limits,
    /// `None` if the program has said nothing.
    pub(super) keepalive: Option<Keepalive>,
    pub(super) head_limits: HeadLimits,
    pub(super) timeout: Duration,
    /// For a place among these.
    #[cfg(feature = "server")]
    pub(super) connections: Option<Connections>,
    /// Its place among those of its address, if it has that before it is known what it wants.
    #[cfg(feature = "server")]
    pub(super) arrived: Option<AddressPlace>,
    /// Once it has one.
    #[cfg(feature = "server")]
    pub(super) place: Option<Place>,
    /// For a server that says how it is.
    #[cfg(feature = "server")]
    pub(super) health: Option<Health>,
    /// Whether ordinary requests are answered by somebody else, who takes the stream.
    #[cfg(feature = "server")]
    pub(super) hands_over: bool,
}

impl Options {
    /// Takes a place, if one is wanted.
    #[cfg(feature = "server")]
    pub(super) fn admit(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(connections) = self.connections.take() {
            let arrived = self.arrived.take();
            self.place = Some(connections.admit_request(self.peer, headers, arrived)?);
        }
        Ok(())
    }

    /// Notes that the client is refused for what it asks, if it was to have a place.
    pub(super) fn fail(&mut self) {
        #[cfg(feature = "server")]
        if let Some(connections) = self.connections.take() {
            connections.failed();
        }
    }

    /// Notes that a client which was to have a place took too long.
    #[cfg(feature = "server")]
    pub(super) fn time_out(&mut self) {
        match &mut self.place {
            Some(place) => place.time_out(),
            None if self.health.as_ref().is_some_and(Health::is_kept) => {}
            None => {
                if let Some(connections) = &self.connections {
                    connections.timed_out();
                }
            }
        }
    }
}
