//! The options of the servers: how many clients they take, and how they let go of them.

use std::time::Duration;

use talkback::server::{Connections, Drain, Network, ServeError};

use crate::exit::{self, Failure, tell};
use crate::values;

/// Over which time connections are closed, unless it is given or there is less.
const SPREAD: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct ClientsArgs {
    /// How many clients may be connected at a time: who is one too many is refused with 503. By default nine tenths of the
    /// limit of open files (`ulimit -n`), where there is one
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true, help_heading = "Many clients")]
    max_connections: Option<u32>,
    /// How many of them may come from one address, which of IPv6 is a /64: who is one too many is refused with 429.
    /// Private addresses do not count as long as there is no --trusted-proxy
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true, help_heading = "Many clients")]
    max_per_address: Option<u32>,
    /// A proxy, or a network of such, that is believed which address a client has, by X-Forwarded-For or
    /// Forwarded; repeat it for several
    #[arg(long = "trusted-proxy", value_name = "CIDR", value_parser = values::network, help_heading = "Many clients")]
    trusted_proxies: Vec<Network>,
    /// Close the connections evenly over so long when the server stops, so that their clients do not all come back at
    /// once; up to 16 are closed at once. By default 10, and at most half of --drain-deadline
    #[arg(long, value_name = "SECONDS", value_parser = values::span, allow_negative_numbers = true, help_heading = "Many clients")]
    drain_spread: Option<Duration>,
    /// Cut what is left then, so long after the signal
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = values::span, allow_negative_numbers = true, help_heading = "Many clients")]
    pub(crate) drain_deadline: Duration,
}

/// How long a server waits for a message.
#[derive(Debug, clap::Args)]
pub(crate) struct IdleArgs {
    /// Close a connection with 3008 on which no message has come for so long; never by default
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, allow_negative_numbers = true, help_heading = "Many clients")]
    pub(crate) idle_timeout: Option<Duration>,
}

impl ClientsArgs {
    /// Those that a server is to have.
    pub(crate) fn connections(&self) -> Connections {
        for network in self.trusted_proxies.iter().map(Network::to_string) {
            if network.ends_with("/0") {
                tell(format_args!(
                    "warning: --trusted-proxy {network} is every address: any client is believed which address it has"
                ));
            }
        }
        let mut connections = Connections::new().trusted_proxies(self.trusted_proxies.clone());
        if let Some(max) = self.max_connections.map(size).or_else(descriptors) {
            connections = connections.max(max);
        }
        match self.max_per_address {
            Some(max) => connections.max_per_address(size(max)),
            None => connections,
        }
    }

    /// How they are let go; it fails if some would be cut before their turn to be closed.
    pub(crate) fn drain(&self) -> Result<Drain, Failure> {
        let deadline = self.drain_deadline;
        let spread = self.drain_spread.unwrap_or(SPREAD.min(deadline / 2));
        if spread > deadline {
            let (spread, deadline) = (spread.as_secs_f64(), deadline.as_secs_f64());
            let message = format!(
                "--drain-spread, {spread} s, is longer than --drain-deadline, {deadline} s, at which all that are not closed yet are cut: raise the second, or lower the first"
            );
            return Err(Failure::new(exit::USAGE, message));
        }
        Ok(Drain::default().spread(spread).deadline(deadline))
    }
}

/// What a server cannot serve by, with this command's options in place of the library's.
pub(crate) fn failed(error: &ServeError) -> Failure {
    let text = error.to_string();
    let text = text.replace("`max_per_address`", "--max-per-address");
    Failure::new(exit::USAGE, text.replace("`max`", "--max-connections"))
}

fn size(number: u32) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// For how many connections this process has descriptors, if that is limited: one of ten is for other things.
#[cfg(unix)]
fn descriptors() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current?;
    usize::try_from(limit - limit.div_ceil(10)).ok()
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}
