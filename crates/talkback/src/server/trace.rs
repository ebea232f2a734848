//! What a server tells `tracing`, where the program has that feature: no header and no path, and of a client its
//! address alone.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::AcceptError;

/// A filter's word for all of it.
#[cfg(feature = "tracing")]
const TARGET: &str = "talkback";

/// A client was not accepted. The next one is after a pause, if there is a shortage.
#[cfg(feature = "tracing")]
pub(super) fn not_accepted(error: &io::Error, pause: Duration) {
    if pause.is_zero() {
        tracing::debug!(target: TARGET, %error, "a client was gone before it was accepted");
    } else {
        tracing::warn!(target: TARGET, %error, ?pause, "could not accept a connection: trying again");
    }
}

/// A client has not become a WebSocket.
#[cfg(feature = "tracing")]
pub(super) fn not_opened(peer: SocketAddr, error: &AcceptError) {
    match error {
        AcceptError::Refused(refusal) => {
            let status = refusal.status().as_u16();
            tracing::debug!(target: TARGET, %peer, status, "refused");
        }
        AcceptError::Answered(status) => {
            let status = status.as_u16();
            tracing::debug!(target: TARGET, %peer, status, "answered");
        }
        error => tracing::debug!(target: TARGET, %peer, %error, "not opened"),
    }
}

#[cfg(not(feature = "tracing"))]
pub(super) fn not_accepted(_: &io::Error, _: Duration) {}

#[cfg(not(feature = "tracing"))]
pub(super) fn not_opened(_: SocketAddr, _: &AcceptError) {}
