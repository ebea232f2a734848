//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use lexopt::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::rows::{ROWS, Row, Shape};

/// When the measured part is over.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// So many messages have come; not one more is sent.
    Messages(u64),
    Time(Duration),
}

pub(crate) struct Options {
    pub(crate) row: &'static Row,
    pub(crate) address: SocketAddr,
    /// Whose figures are told; without it, only the wall clock's are.
    pub(crate) pid: Option<u32>,
    pub(crate) until: Until,
    /// Messages that come before the measured part.
    pub(crate) warmup: u64,
    pub(crate) connections: usize,
    /// The extension that is offered.
    pub(crate) offer: Option<String>,
    /// How many messages are due each second, where the row is one of latency.
    pub(crate) rate: f64,
    core: Option<usize>,
}

impl Options {
    /// What the command line asks for; none if it asks for the list of rows.
    pub(crate) fn from_arguments() -> Result<Option<Self>> {
        let mut parser = lexopt::Parser::from_env();
        let (mut row, mut address, mut warmup, mut connections) = (None, None, None, None);
        let (mut pid, mut core, mut offer, mut rate) = (None, None, None, 20_000.0);
        let mut until = Until::Time(Duration::from_secs(2));
        while let Some(argument) = parser.next()? {
            match argument {
                Value(name) if name == "list" => return Ok(None),
                Value(name) if row.is_none() => row = Some(find(&name.string()?)?),
                Long("url") => address = Some(address_of(&parser.value()?.string()?)?),
                Long("pid") => pid = Some(parser.value()?.parse()?),
                Long("seconds") => {
                    until = Until::Time(Duration::from_secs_f64(parser.value()?.parse()?));
                }
                Long("messages") => until = Until::Messages(parser.value()?.parse()?),
                Long("warmup") => warmup = Some(parser.value()?.parse()?),
                Long("connections") => connections = Some(parser.value()?.parse()?),
                Long("offer") => offer = Some(parser.value()?.string()?),
                Long("rate") => rate = parser.value()?.parse()?,
                Long("core") => core = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        let row = row.ok_or_else(|| anyhow!("which row? `load list` tells what there is"))?;
        let connections = connections.unwrap_or(row.connections);
        let rounds = match row.shape {
            Shape::Broadcast | Shape::BroadcastCompressed => 4,
            // They are counted as they come, from one round on.
            Shape::Many => 0,
            _ => 20,
        };
        Ok(Some(Self {
            row,
            address: address.ok_or_else(|| anyhow!("--url ws://127.0.0.1:PORT/ is missing"))?,
            pid,
            until,
            warmup: warmup.unwrap_or(rounds * connections as u64 * row.frames as u64),
            connections,
            offer,
            rate,
            core,
        }))
    }

    /// Keeps to a core, if one is named, and asks for as many descriptors as there may be.
    pub(crate) fn prepare_process(&self) -> Result<()> {
        if let Some(core) = self.core {
            let mut set = CpuSet::new();
            set.set(core);
            sched_setaffinity(None, &set).with_context(|| format!("core {core}"))?;
        }
        let limit = getrlimit(Resource::Nofile);
        let current = limit.maximum;
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).context("RLIMIT_NOFILE")
    }
}

fn find(name: &str) -> Result<&'static Row> {
    let row = ROWS.iter().find(|row| row.name == name);
    row.ok_or_else(|| anyhow!("no row is named {name}; `load list` tells what there is"))
}

fn address_of(url: &str) -> Result<SocketAddr> {
    let Some(rest) = url.strip_prefix("ws://") else {
        bail!("{url} is not ws://");
    };
    let host = rest.split('/').next().unwrap_or(rest);
    SocketAddr::from_str(host).with_context(|| format!("{url} names no address and port"))
}
