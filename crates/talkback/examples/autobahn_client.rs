//! The client that the Autobahn test suite tests, with default settings:
//! `cargo run --example autobahn_client URL [--ca FILE] [--channel]`.
//!
//! It asks the suite's server (`wstest -m fuzzingserver`) at URL how many cases there are, sends
//! back every message of each, and has the reports written. With `--channel` it goes through
//! `WebSocketChannel`; with `--ca` it trusts this certificate in place of the platform's roots.

use std::error::Error;

use talkback::Connect;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let suite = Suite::from_arguments()?;
    let count = suite.case_count().await?;
    for case in 1..=count {
        // A connection that the suite makes fail is what some cases are about.
        if let Err(error) = suite.run(case).await {
            println!("case {case} of {count}: {error}");
        }
    }
    let path = format!("updateReports?agent={}", suite.agent());
    let mut socket = suite.connect(&path).await?;
    while socket.recv().await?.is_some() {}
    println!("{count} cases have run");
    Ok(())
}

/// The suite's server, and how this client talks to it.
struct Suite {
    /// It ends in a slash.
    url: String,
    ca: Option<Vec<u8>>,
    handle: Handle,
}

/// What sends the messages back.
#[derive(Clone, Copy)]
enum Handle {
    Socket,
    Channel,
}

impl Suite {
    fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let mut suite = Self {
            url: "ws://127.0.0.1:9001/".to_owned(),
            ca: None,
            handle: Handle::Socket,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--channel" => suite.handle = Handle::Channel,
                "--ca" => {
                    let file = arguments.next().ok_or("--ca wants a file")?;
                    suite.ca = Some(std::fs::read(file)?);
                }
                option if option.starts_with('-') => return Err(format!("{option}?").into()),
                url => suite.url = format!("{}/", url.trim_end_matches('/')),
            }
        }
        Ok(suite)
    }

    fn agent(&self) -> &'static str {
        match self.handle {
            Handle::Socket => "talkback",
            Handle::Channel => "talkback-channel",
        }
    }

    fn connect(&self, path: &str) -> Connect {
        let connect = talkback::connect(format!("{}{path}", self.url));
        match &self.ca {
            Some(pem) => connect.tls_roots(pem.clone()),
            None => connect,
        }
    }

    async fn case_count(&self) -> Result<u32, Box<dyn Error>> {
        let mut socket = self.connect("getCaseCount").await?;
        let count = socket.recv().await?.ok_or("the suite told no count")?;
        socket.close().await;
        Ok(count.as_text().ok_or("the count is not text")?.parse()?)
    }

    async fn run(&self, case: u32) -> Result<(), Box<dyn Error>> {
        let path = format!("runCase?case={case}&agent={}", self.agent());
        let connect = self.connect(&path);
        match self.handle {
            Handle::Socket => {
                let mut socket = connect.await?;
                while let Some(message) = socket.recv().await? {
                    // What cannot be sent shows at the next `recv` as the end of the connection.
                    let _ = socket.feed(message).await;
                }
            }
            Handle::Channel => {
                let mut channel = connect.channel();
                while let Some(message) = channel.recv().await? {
                    let _ = channel.send(message).await;
                }
            }
        }
        Ok(())
    }
}
