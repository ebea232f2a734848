//! A server for as long as a check needs it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::process::{Running, wait_until};

const START_LIMIT: Duration = Duration::from_secs(20);
const LOG_LIMIT: Duration = Duration::from_secs(5);

/// A server that has printed its address and listens; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    url: String,
}

impl Server {
    /// Starts a server and waits for the line with its address, `ws://127.0.0.1:PORT/` or `wss://`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        // It may end with its standard input, which ends with this value.
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(command)?;
        let mut url = None;
        wait_until(START_LIMIT, || {
            url = find_url(&running.output());
            url.is_some() || !matches!(running.wait(Duration::ZERO), Ok(None))
        });
        match url {
            Some(url) => Ok(Self { running, url }),
            None => Err(format!("the server does not listen: {}", running.complaints()).into()),
        }
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.running.output()
    }

    /// Its address, which ends in a slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn id(&self) -> u32 {
        self.running.id()
    }

    /// What is missing if it does not print all these lines, in any order.
    pub(crate) fn has_logged(&self, lines: &[&str]) -> Result<()> {
        let missing = |log: &str| lines.iter().find(|line| !log.contains(*line)).copied();
        if wait_until(LOG_LIMIT, || missing(&self.running.output()).is_none()) {
            return Ok(());
        }
        let log = self.running.output();
        let missing = missing(&log).unwrap_or_default();
        Err(format!("{missing:?} is not in the server's log: {log:?}").into())
    }

    /// What is wrong if it does not exit with 0 within `limit`.
    pub(super) fn ends_well(&mut self, limit: Duration) -> Result<()> {
        match self.running.wait(limit)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{status}: {}", self.running.complaints()).into()),
            None => Err("it still runs".into()),
        }
    }
}

/// The address in the whole lines printed so far.
fn find_url(output: &str) -> Option<String> {
    let (lines, _) = output.rsplit_once('\n')?;
    ["ws", "wss"].iter().find_map(|scheme| {
        let beginning = format!("{scheme}://127.0.0.1:");
        let (_, rest) = lines.split_once(&beginning)?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!port.is_empty()).then(|| format!("{beginning}{port}/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_once_its_line_is_whole() {
        assert_eq!(find_url("listening on ws://127.0.0.1:80"), None);
        assert_eq!(find_url("nothing here\n"), None);
        let url = find_url("talkback 0.1\nlistening on ws://127.0.0.1:8080/ (and http)\n");
        assert_eq!(url.as_deref(), Some("ws://127.0.0.1:8080/"));
        let url = find_url("Echoing at wss://127.0.0.1:8080/ (test page)\n");
        assert_eq!(url.as_deref(), Some("wss://127.0.0.1:8080/"));
    }
}
