//! On a page, which has a window and a document.

mod hostile;
mod scenarios;
