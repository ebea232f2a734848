//! A light load generator for WebSocket echo servers: one thread, one epoll, frames made before the
//! clock starts, every echo verified. What it prints is one line of JSON: what the server spent.
//!
//! `load list` prints the rows; `load ROW --url ws://127.0.0.1:PORT/ --pid PID` runs one.

mod broadcasts;
mod check;
mod compressed;
mod connection;
mod echoes;
mod frames;
mod handshakes;
mod idle;
mod latency;
mod many;
mod options;
mod report;
mod rows;
mod server;

use std::process::ExitCode;

use anyhow::Result;

use crate::options::Options;
use crate::rows::{ROWS, Shape};

fn main() -> ExitCode {
    match run() {
        Ok(line) => println!("{line}"),
        Err(error) => {
            eprintln!("load: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run() -> Result<String> {
    let Some(options) = Options::from_arguments()? else {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        return Ok(names.join("\n"));
    };
    options.prepare_process()?;
    // Every run sends the same.
    fastrand::seed(7);
    match options.row.shape {
        Shape::Echo(content) => echoes::run(&options, content),
        Shape::Compressed => compressed::run(&options),
        Shape::Broadcast => broadcasts::run(&options),
        Shape::BroadcastCompressed => broadcasts::run_compressed(&options),
        Shape::Many => many::run(&options),
        Shape::Handshake => handshakes::run(&options),
        Shape::Idle => idle::run(&options),
        Shape::Latency => latency::run(&options),
    }
}
