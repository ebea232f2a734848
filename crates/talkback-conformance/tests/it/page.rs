//! On a page, which has a window and a document.

pub(crate) mod heartbeat;
mod hostile;
pub(crate) mod reconnecting;
mod scenarios;
mod topics;
