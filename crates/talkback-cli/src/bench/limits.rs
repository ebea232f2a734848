//! What the operating system gives a process: descriptors, ports and time on its processors.

use std::time::Duration;

use crate::args::WayArgs;
use crate::bench::plan::Plan;
use crate::exit::{self, Failure};

/// How many descriptors are for anything but connections: files, and what each thread waits with.
const OTHER_DESCRIPTORS: u64 = 32;
const THREAD_DESCRIPTORS: u64 = 4;

/// Asks for as many descriptors and ports as the connections take.
pub(crate) fn prepare(plan: &Plan, way: &WayArgs) -> Result<(), Failure> {
    let connections = u64::from(plan.connections);
    let threads = THREAD_DESCRIPTORS * u64::from(plan.threads);
    let needed = connections + threads + OTHER_DESCRIPTORS;
    if let Some(limit) = descriptors(needed).filter(|limit| *limit < needed) {
        return Err(Failure::new(
            exit::USAGE,
            format!(
                "--connections {connections} take {needed} descriptors, and this process may have {limit}: \
                 raise that with `ulimit -n {needed}`, or give fewer"
            ),
        ));
    }
    let pairs = plan.addresses.len().max(1) * plan.local_addresses.len().max(1);
    let ports = ports().saturating_mul(pairs as u64);
    if connections > ports && way.unix_socket.is_none() {
        return Err(Failure::new(
            exit::USAGE,
            format!(
                "--connections {connections} take as many ports, and there are {ports}: give several of \
                 --local-address or --address, or fewer connections"
            ),
        ));
    }
    Ok(())
}

/// How many descriptors there may be, raised as far as may be; `None` if nothing says.
#[cfg(unix)]
fn descriptors(needed: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    if current >= needed {
        return Some(current);
    }
    let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let wanted = Rlimit {
        current: Some(raised),
        ..limit
    };
    Some(setrlimit(Resource::Nofile, wanted).map_or(current, |()| raised))
}

#[cfg(not(unix))]
fn descriptors(_needed: u64) -> Option<u64> {
    None
}

/// How many ports the system gives out for connections from one address to another, where it says so: Linux
/// alone does.
fn ports() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = text.ok().and_then(|text| {
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    range.map_or(u64::MAX, |(first, last)| (last + 1).saturating_sub(first))
}

/// The time that this process has had on processors so far, if the system says.
#[cfg(unix)]
pub(crate) fn processor_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()
}

#[cfg(not(unix))]
pub(crate) fn processor_time() -> Option<Duration> {
    None
}
