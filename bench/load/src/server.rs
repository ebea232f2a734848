//! What the server has spent, as the kernel tells it.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// What a server had spent at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) at: Instant,
    pub(crate) cpu_ns: u64,
    pub(crate) minor_faults: u64,
    pub(crate) rss_bytes: u64,
    /// What this program itself has spent: near the wall clock, it was the generator that was slow.
    pub(crate) own_cpu_ns: u64,
}

/// What was spent on so many messages.
pub(crate) struct Spending {
    pub(crate) messages: u64,
    pub(crate) before: Spent,
    pub(crate) now: Spent,
}

impl Spent {
    pub(crate) fn of(pid: Option<u32>) -> Result<Self> {
        let mut spent = Self {
            at: Instant::now(),
            cpu_ns: 0,
            minor_faults: 0,
            rss_bytes: 0,
            own_cpu_ns: cpu_ns("self")?,
        };
        if let Some(pid) = pid {
            spent.cpu_ns = cpu_ns(&pid.to_string())?;
            let stat = read(&format!("/proc/{pid}/stat"))?;
            // The name may hold spaces; behind its bracket, minor faults are the eighth.
            let behind = stat.rsplit(')').next().unwrap_or("");
            spent.minor_faults = number(behind.split_whitespace().nth(7))?;
            spent.rss_bytes = rss_bytes(pid)?;
        }
        Ok(spent)
    }
}

pub(crate) fn cpu_ns(pid: &str) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the server is not there")? {
        // A thread that has just ended is not there.
        if let Ok(told) = fs::read_to_string(task?.path().join("schedstat")) {
            sum += number(told.split_whitespace().next())?;
        }
    }
    Ok(sum)
}

pub(crate) fn rss_bytes(pid: u32) -> Result<u64> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    Ok(1024 * number(line.and_then(|line| line.split_whitespace().nth(1)))?)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

fn number(word: Option<&str>) -> Result<u64> {
    word.context("/proc lacks a number")?
        .parse()
        .context("/proc has another form")
}
