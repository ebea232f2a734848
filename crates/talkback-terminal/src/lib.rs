//! The terminal's side of the `talkback` command and of talkback's demo.
//!
//! [Lines](input) of standard input come in, typed at a prompt or through a pipe; what a
//! [screen] prints goes out; an [exchange] passes lines for messages. A person reads
//! [messages](show) and [errors](explain) in one line each, and ends a program by
//! [signals].

pub mod exchange;
pub mod explain;
pub mod input;
pub mod output;
mod printer;
mod prompt;
mod queue;
pub mod screen;
pub mod show;
pub mod signals;
