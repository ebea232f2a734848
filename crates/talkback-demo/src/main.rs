//! The demo of talkback: send a message, and see what the server sends back.
//!
//! The library has the state and the window; `terminal.rs` shows it in a terminal, or in a pipe.

mod args;
#[cfg(feature = "window")]
mod choice;
mod terminal;

use std::io::{self, Write as _};
use std::process::ExitCode;

use talkback_echo::Echo;

use self::args::{Args, Request, View};
use self::terminal::Failure;

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match args::read(std::env::args_os()) {
        Ok(Request::Run(args)) => args,
        Ok(Request::Print(text)) => {
            // Standard output may be closed; there is nothing left to do then.
            let _ = writeln!(io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            tell(&format!("error: {what}. Try `talkback-demo --help`."));
            return ExitCode::from(USAGE);
        }
    };
    match start(args) {
        Ok(code) => ExitCode::from(code),
        Err(what) => {
            tell(&format!("error: {what}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "window")]
fn start(mut args: Args) -> Result<u8, Failure> {
    match args.view.unwrap_or_else(choice::view) {
        View::Terminal => start_terminal(&args),
        View::Window => match open_window(&args) {
            Ok(()) => Ok(0),
            Err(what) if args.view.is_some() => Err(what),
            Err(what) => {
                tell(&format!("{what}. Here is the terminal instead."));
                args.view = Some(View::Terminal);
                start_terminal(&args)
            }
        },
    }
}

#[cfg(not(feature = "window"))]
fn start(args: Args) -> Result<u8, Failure> {
    if args.view == Some(View::Window) {
        let what = "this build has no window. Build one: cargo demo --window";
        return Err(what.to_owned());
    }
    start_terminal(&args)
}

fn start_terminal(args: &Args) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("could not start: {error}"))?;
    let (url, _server) = server(args.url.as_deref())?;
    let outcome = runtime.block_on(terminal::run(&url, args.answer_timeout));
    // A lookup that hangs must not keep the program.
    runtime.shutdown_background();
    outcome
}

/// Shows the window until it is closed.
#[cfg(feature = "window")]
fn open_window(args: &Args) -> Result<(), Failure> {
    let (url, _server) = server(args.url.as_deref())?;
    let outcome = talkback_demo::window::run(&url, choice::theme(args.theme));
    outcome.map_err(|error| {
        let reason = choice::reason(&error.to_string());
        format!("could not open a window: {reason}")
    })
}

/// The URL of the server that was named, or of an echo server of the demo's own.
fn server(named: Option<&str>) -> Result<(String, Option<Echo>), Failure> {
    if let Some(url) = named {
        return Ok((url.to_owned(), None));
    }
    let echo = talkback_echo::start().map_err(|error| {
        format!("could not start an echo server: {error}. Name another one with --url.")
    })?;
    Ok((echo.url().to_owned(), Some(echo)))
}

/// Prints a line on standard error. If nobody reads it, there is nobody to tell.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
