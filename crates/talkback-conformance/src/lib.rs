//! The conformance suite of talkback's channel.
//!
//! Each scenario is written once, over the public API of `WebSocketChannel`, and runs against every
//! [`Backend`]: TCP, TLS, in memory, and a browser. The other end is a server that does what the
//! URL tells it ([`Behaviour`]), so that one in another process serves a browser too.
//!
//! A backend's tests are made with [`for_each_scenario!`]; a page that has no test harness calls
//! [`run_all`]. What a platform cannot do is an [`Exception`] with its reason, and nothing else is.

mod backend;
mod behaviour;
#[macro_use]
mod outcome;
mod query;
mod registry;
mod scenarios;
#[cfg(not(target_arch = "wasm32"))]
pub mod server;

pub use backend::{Backend, Capabilities, Exception, Expected, Options, SocketStage};
pub use behaviour::{Behaviour, When};
pub use outcome::{Failure, Outcome};
pub use registry::{SCENARIOS, Scenario, Summary, check_exceptions, run_all, run_named};
