//! A `Server` behind a proxy.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use talkback::Transport;
use talkback::server::{Connections, Drain, DrainReport, Server, ServerConnection};
use tokio::task::JoinHandle;

use crate::program::free_port;

/// A server that echoes, and keeps the numbers that it has seen.
pub(super) struct Hub {
    pub(super) port: u16,
    pub(super) connections: Connections,
    seen: Arc<Mutex<Vec<usize>>>,
    serving: JoinHandle<()>,
}

impl Hub {
    pub(super) async fn start(connections: Connections) -> Self {
        let (port, seen) = (free_port(), Arc::default());
        let serving = serve(port, connections.clone(), Arc::clone(&seen)).await;
        Self {
            port,
            connections,
            seen,
            serving,
        }
    }

    /// Lets go of its connections; what came of it, once it listens no more.
    pub(super) async fn drain(&mut self, drain: Drain) -> DrainReport {
        let report = self.connections.drain(drain).await;
        (&mut self.serving).await.unwrap();
        report
    }

    /// Is there again, at the same port, as a process that was started anew.
    pub(super) async fn start_again(&mut self) {
        self.connections = Connections::new();
        let (connections, seen) = (self.connections.clone(), Arc::clone(&self.seen));
        self.serving = serve(self.port, connections, seen).await;
    }

    /// The numbers that it has seen, in their order.
    pub(super) fn seen(&self) -> Vec<usize> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    port: u16,
    connections: Connections,
    seen: Arc<Mutex<Vec<usize>>>,
) -> JoinHandle<()> {
    let server = Server::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    tokio::spawn(async move {
        let handler = move |connection| echo(connection, Arc::clone(&seen));
        server.serve(&connections, handler).await.unwrap();
    })
}

async fn echo(mut connection: ServerConnection<Transport>, seen: Arc<Mutex<Vec<usize>>>) {
    while let Ok(Some(message)) = connection.recv().await {
        if let Some(Ok(number)) = message.as_text().map(|text| text.trim_end().parse()) {
            seen.lock().unwrap().push(number);
        }
        // What cannot be sent shows at the next `recv`.
        let _ = connection.feed(message).await;
    }
}
