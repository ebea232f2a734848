//! The server, which does nothing by itself.

use std::fmt;
use std::io;
use std::pin::Pin;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::connect::destination::Destination;
use crate::test_util::stream::ScriptedStream;
use crate::test_util::tries::Try;

/// A try that a client makes over [`ScriptedServer::connector`].
type Connecting = Pin<Box<dyn Future<Output = io::Result<ScriptedStream>> + Send>>;

/// A server in memory, which does what a test says: see the [module](super).
///
/// Clients reach it by its [`connector`](Self::connector), however many they are and whatever host their URLs name; `ws://`, as it speaks no TLS. Each
/// of their tries waits, as a connection of TCP that nobody has taken, until the test takes it by
/// [`next_try`](Self::next_try). A dropped server refuses all.
pub struct ScriptedServer {
    door: UnboundedSender<Try>,
    tries: UnboundedReceiver<Try>,
}

impl ScriptedServer {
    /// A server that nobody has come to yet.
    pub fn new() -> Self {
        let (door, tries) = unbounded_channel();
        Self { door, tries }
    }

    /// What leads a client here: `talkback::connect(url).connector(server.connector())`.
    pub fn connector(
        &self,
    ) -> impl Fn(Destination) -> Connecting + Clone + Send + Sync + 'static + use<> {
        let door = self.door.clone();
        move |destination| -> Connecting {
            let door = door.clone();
            Box::pin(async move {
                let (answer, answered) = oneshot::channel();
                let made = Try::new(destination, answer);
                let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
                door.send(made).map_err(|_| refused())?;
                answered.await.unwrap_or_else(|_| Err(refused()))
            })
        }
    }

    /// Waits for the next try, in the order in which they were made. One whose client has given up meanwhile comes,
    /// too.
    ///
    /// # Cancel safety
    /// A dropped call has taken none.
    pub async fn next_try(&mut self) -> Try {
        let made = self.tries.recv().await;
        made.expect("the server holds a door of its own")
    }
}

impl Default for ScriptedServer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScriptedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedServer")
            .field("tries", &self.tries.len())
            .finish_non_exhaustive()
    }
}
