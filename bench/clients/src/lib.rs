//! What the clients have in common: the command line, one thread on one core, and what a run prints.

pub mod tls;

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use lexopt::prelude::*;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpStream;

/// `NAME… --url ws://127.0.0.1:PORT/ [--pid PID] [--core N] [--seconds S]`
pub struct Options {
    /// What stands alone.
    pub names: Vec<String>,
    /// The server's.
    pub url: String,
    /// Whose processor time is told; without it, this program's own.
    pub pid: Option<u32>,
    /// How long is measured.
    pub time: Duration,
}

impl Options {
    /// Those of the command line; the thread keeps to the core from here on.
    ///
    /// # Errors
    /// An option is unknown, or its value is wrong.
    pub fn parse() -> Result<Self> {
        let mut arguments = lexopt::Parser::from_env();
        let mut options = Self {
            names: Vec::new(),
            url: String::new(),
            pid: None,
            time: Duration::from_secs(1),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(name) => options.names.push(name.string()?),
                Long("url") => options.url = arguments.value()?.string()?,
                Long("pid") => options.pid = Some(arguments.value()?.parse()?),
                Long("seconds") => {
                    options.time = Duration::from_secs_f64(arguments.value()?.parse()?);
                }
                Long("core") => {
                    let mut set = CpuSet::new();
                    set.set(arguments.value()?.parse()?);
                    sched_setaffinity(None, &set)?;
                }
                argument => return Err(argument.unexpected().into()),
            }
        }
        Ok(options)
    }

    /// # Errors
    /// The URL names no address, or nobody listens there.
    pub async fn connect(&self) -> Result<TcpStream> {
        let host = self.url.split('/').nth(2).unwrap_or_default();
        let address: SocketAddr = host.parse().context("--url ws://127.0.0.1:PORT/")?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Nanoseconds of processor time, and when.
    ///
    /// # Errors
    /// There is no such process.
    pub fn spent(&self) -> Result<(u64, Instant)> {
        let Some(pid) = self.pid else {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            let time = Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?);
            return Ok((time.as_nanos().try_into()?, Instant::now()));
        };
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let line = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = line.split(' ').next();
            sum += first
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok((sum, Instant::now()))
    }

    /// The line of JSON.
    ///
    /// # Errors
    /// There is no such process, or nothing was echoed.
    pub fn report(&self, before: (u64, Instant), messages: u64) -> Result<()> {
        let now = self.spent()?;
        let (cpu, wall) = (now.0 - before.0, (now.1 - before.1).as_nanos());
        if messages == 0 {
            return Err(anyhow!("nothing was echoed"));
        }
        let each = cpu as f64 / messages as f64;
        println!(
            "{{\"messages\": {messages}, \"wall_ns\": {wall}, \"cpu_ns\": {cpu}, \"cpu_ns_each\": {each:.2}}}"
        );
        Ok(())
    }
}

/// Runs to its end on this thread.
///
/// # Errors
/// The task's own.
pub fn block_on(task: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(task)
}

/// A payload that is not the same everywhere.
#[must_use]
pub fn payload(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}
