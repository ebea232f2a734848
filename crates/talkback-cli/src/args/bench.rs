//! The options of `talkback bench`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::args::way::WayArgs;
use crate::values;

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) way: WayArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// What is sent, over how many connections, and for how long.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The load")]
pub(crate) struct LoadArgs {
    /// How many connections
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) connections: u32,
    /// How long messages are sent
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) duration: Duration,
    /// So many messages a second, over all connections together. Without it each connection sends the next
    /// message once the last one is answered
    #[arg(short, long, value_name = "N", value_parser = values::rate)]
    pub(crate) rate: Option<f64>,
    /// How many messages of a connection may wait for their answers
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pipeline: u16,
    /// Open the connections evenly over so long, each of which sends at once; what is measured begins after it
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) ramp: Option<Duration>,
    /// The size of a message: bytes, or a number with KB, MB, KiB or MiB
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = values::size)]
    pub(crate) size: u64,
    /// Send binary messages in place of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Send this in place of a text of --size; repeat it for several, which go in turn
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true, conflicts_with_all = ["size"])]
    pub(crate) send: Vec<String>,
    /// The answer that is right, in place of the message itself; repeat it for one to each --send
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) expect: Vec<String>,
    /// Every message that comes is a right answer
    #[arg(long, conflicts_with = "expect")]
    pub(crate) expect_any: bool,
    /// Once nothing more is sent, wait so long for answers that are missing
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = values::seconds)]
    pub(crate) wait: Duration,
    /// How many threads send: half of the processor's cores, unless this says otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Connect from this address of this machine; repeat it for several, which connections take in turn
    #[arg(long = "local-address", value_name = "IP")]
    pub(crate) local_addresses: Vec<IpAddr>,
}

/// What is told of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is told")]
pub(crate) struct ReportArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report as a page with plots to this file, which needs no other
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The title of the report
    #[arg(long, value_name = "TEXT", default_value = "talkback bench")]
    pub(crate) title: String,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

pub(crate) const BENCH_HELP: &str = "\
Every answer is compared with the message, or with --expect. With --rate a message's latency counts from
when it was due, also if the server held up those before it (no coordinated omission); without it, from when
it was sent. --address, given more than once, is taken in turn by connections.

A connection takes a descriptor (`ulimit -n`), and one of about 28,000 ports for each pair of addresses: for
more give several of --address or --local-address. Ctrl-C ends it early, with the report so
far; a second one waits for no answer.

Exit codes:
    0  every message was answered, and rightly
    1  most errors were wrong answers, or nothing but answers is missing
  2-9  most errors were of this kind, as in `talkback connect --help`; 9 is any close by the server
  130  Ctrl-C; 143 for SIGTERM";
