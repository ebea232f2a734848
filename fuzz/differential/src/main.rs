//! Feeds the same random bytes to talkback-proto and to the decoders of two other crates, and
//! compares what they make of them.
//!
//! A difference that is meant stands in `differences.rs`, with the section of the RFC that says
//! why; any other is a failure, and is printed with the shortest bytes that show it.

mod differences;
mod generate;
mod outcome;
mod peers;
mod shrink;
mod stream;
mod talkback;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::differences::{DIFFERENCES, Verdict, judge};
use crate::generate::Case;
use crate::peers::Peer;

/// After so many streams, a difference that has not shown is none.
const CASES_ENOUGH: u64 = 200_000;

const HELP: &str = "\
Compares talkback-proto's decoder with those of tungstenite and tokio-websockets.

  --seconds N   how long to run (10)
  --seed N      where to begin; each case has the next number (random)
  --cases N     how many cases to run at most
";

struct Options {
    time: Duration,
    seed: u64,
    cases_max: u64,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        time: Duration::from_secs(10),
        seed: fastrand::u64(..u64::MAX / 2),
        cases_max: u64::MAX,
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seconds") => options.time = Duration::from_secs(arguments.value()?.parse()?),
            Long("seed") => options.seed = arguments.value()?.parse()?,
            Long("cases") => options.cases_max = arguments.value()?.parse()?,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    match options() {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("differential: {error}; --help tells what there is");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    println!("seed {}", options.seed);
    let end = Instant::now() + options.time;
    let mut counts = vec![0u64; DIFFERENCES.len()];
    let (mut cases, mut messages, mut failed) = (0u64, 0u64, 0u64);
    while cases < options.cases_max && Instant::now() < end {
        let case = Case::generate(options.seed + cases);
        cases += 1;
        let ours = talkback::receive(&case);
        messages += ours.events.len() as u64;
        failed += u64::from(ours.has_failed());
        for peer in Peer::ALL {
            match judge(&case, &ours, peer) {
                Verdict::Same => {}
                Verdict::Meant(index) => counts[index] += 1,
                Verdict::Different => {
                    report(&case, peer);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    println!("{cases} streams: {messages} messages, pings and pongs; {failed} streams failed");
    for (difference, count) in DIFFERENCES.iter().zip(&counts) {
        println!("{count:>9}  {difference}");
    }
    if cases >= CASES_ENOUGH && counts.contains(&0) {
        println!("a difference never showed: take it out of the table");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prints a difference that is not meant, by the shortest bytes that show one.
fn report(case: &Case, peer: Peer) {
    let shown = shrink::shrink(case, peer);
    println!(
        "a difference that is not meant, --seed {} --cases 1",
        case.seed
    );
    println!("  role {:?}, bytes {:02x?}", shown.role, shown.wire);
    println!("  talkback-proto: {:?}", talkback::receive(&shown));
    println!("  {}: {:?}", peer.name(), peer.receive(&shown));
}
