//! On a page, which has a window and a document.

mod hostile;
pub(crate) mod reconnecting;
mod scenarios;
