//! Load over TLS: connections that send their next message once the last was echoed. What it prints is what the
//! server spent. `load-tls SIZE CONNECTIONS`

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clients::tls::connector;
use clients::{Options, block_on, payload};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Echoes until the server is gone, and counts.
async fn echo(options: &Options, tls: TlsConnector, size: usize, count: &Cell<u64>) -> Result<()> {
    let stream = options.connect().await?;
    let name = ServerName::try_from("localhost")?;
    let stream = tls.connect(name, stream).await?;
    let url = "ws://localhost/";
    let mut socket = talkback::connect(url)
        .compression(None)
        .over(stream)
        .await?;
    let payload = payload(size);
    loop {
        socket.send(&payload).await?;
        let message = socket.recv().await?.context("the server closed")?;
        ensure!(message.as_bytes() == payload, "something else came back");
        count.set(count.get() + 1);
    }
}

async fn measure(options: Rc<Options>, size: usize, connections: usize) -> Result<()> {
    let (count, tls) = (Rc::new(Cell::new(0)), connector()?);
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (options, tls, count) = (Rc::clone(&options), tls.clone(), Rc::clone(&count));
        tasks.push(spawn_local(async move {
            echo(&options, tls, size, &count).await
        }));
    }
    while count.get() < 20 * connections as u64 {
        sleep(Duration::from_millis(1)).await;
        ensure!(!tasks[0].is_finished(), "a connection ended");
    }
    let (before, first) = (options.spent()?, count.get());
    sleep(options.time).await;
    let messages = count.get() - first;
    ensure!(
        tasks.iter().all(|task| !task.is_finished()),
        "a connection ended"
    );
    options.report(before, messages)
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let number = |index: usize| {
        Ok::<usize, anyhow::Error>(
            options
                .names
                .get(index)
                .context("a size and a number")?
                .parse()?,
        )
    };
    let (size, connections) = (number(0)?, number(1)?);
    block_on(LocalSet::new().run_until(measure(Rc::new(options), size, connections)))
}
