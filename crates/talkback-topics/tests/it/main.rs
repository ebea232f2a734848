//! Topics in virtual time, over transports that a test scripts.
//!
//! Under `--cfg shuttle` it is topics under random schedules, and nothing else.

#[cfg(not(shuttle))]
mod by_hand;
#[cfg(not(shuttle))]
mod cancel;
#[cfg(all(feature = "client", not(shuttle)))]
mod client;
#[cfg(not(shuttle))]
mod delivery;
#[cfg(not(shuttle))]
mod forgetting;
#[cfg(not(shuttle))]
mod forms;
#[cfg(all(feature = "client", not(shuttle)))]
mod hostile;
#[cfg(not(shuttle))]
mod ids;
#[cfg(not(shuttle))]
mod memory;
#[cfg(all(feature = "metrics", not(shuttle)))]
mod metrics;
#[cfg(not(shuttle))]
mod plane;
#[cfg(not(shuttle))]
mod recovery;
#[cfg(shuttle)]
mod schedules;
#[cfg(shuttle)]
mod schedules_plane;
#[cfg(all(feature = "json", not(shuttle)))]
mod session;
#[cfg(not(shuttle))]
mod slow;
#[cfg(shuttle)]
#[path = "plane/store.rs"]
#[expect(dead_code, reason = "the rest of it is for the tests in virtual time")]
mod store;
#[cfg(not(shuttle))]
mod support;
#[cfg(not(shuttle))]
mod threads;
