//! One connection to Redis.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use crate::server::redis::address::{Address, Place};
use crate::server::redis::fault::Fault;

/// How long one of a host's addresses may take, of which the next may be the one that answers.
const ADDRESS_LIMIT: Duration = Duration::from_secs(2);
/// How many calls may wait for the connection's task, each of which is written as it comes.
const CALLS: usize = 1024;

/// A connection, and the task that serves it.
pub(crate) struct Connection {
    pub(crate) calls: MultiplexedConnection,
    task: JoinHandle<()>,
}

impl Connection {
    /// Opens a connection and logs in. What is pushed is told from the connection's own task, and must not wait.
    pub(crate) async fn open(
        address: &Address,
        tls: Option<&Arc<ClientConfig>>,
        pushed: Option<Box<dyn Fn(PushInfo) + Send + Sync>>,
    ) -> Result<Self, Fault> {
        let stream = dial(&address.place, tls).await?;
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(CALLS);
        if let Some(pushed) = pushed {
            config = config.set_push_sender(move |info| {
                pushed(info);
                Ok::<(), ()>(())
            });
        }
        let opened = MultiplexedConnection::new_with_config(&address.login, stream, config);
        let (calls, task) = opened.await?;
        let task = tokio::spawn(task);
        Ok(Self { calls, task })
    }

    /// What says whether it is over.
    pub(crate) fn watch(&self) -> AbortHandle {
        self.task.abort_handle()
    }

    /// Waits until it is over.
    pub(crate) async fn over(&mut self) {
        // A panic of the task ends it as well.
        let _ = (&mut self.task).await;
    }

    /// Lets go of it: what is asked still gets its answer within this time.
    pub(crate) fn linger(mut self, limit: Duration) {
        tokio::spawn(async move {
            let task = &mut self.task;
            let _ = timeout(limit, task).await;
        });
    }
}

/// It is closed, and what is asked gets no answer.
impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn dial(place: &Place, tls: Option<&Arc<ClientConfig>>) -> io::Result<Box<dyn Stream>> {
    let (host, port, name) = match place {
        Place::Tcp { host, port, name } => (host, *port, name),
        Place::Unix(path) => return unix(path).await,
    };
    let stream = tcp(host, port).await?;
    match (name, tls) {
        (Some(name), Some(config)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector.connect(name.clone(), stream).await?;
            Ok(Box::new(stream))
        }
        _ => Ok(Box::new(stream)),
    }
}

/// Asks for the host's addresses, which may be others than before, and takes the first that answers.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the host has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match timeout(ADDRESS_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

#[cfg(unix)]
async fn unix(path: &std::path::Path) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn unix(_: &std::path::Path) -> io::Result<Box<dyn Stream>> {
    Err(io::ErrorKind::Unsupported.into())
}
