//! Which connections a server has, and how they learn that it stops.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::options::EchoOptions;

/// The connections of one server; once this is dropped, they end as if the server stopped.
#[derive(Debug)]
pub(crate) struct Connections(Arc<Shared>);

/// What a server and its connections share.
#[derive(Debug)]
struct Shared {
    options: Arc<EchoOptions>,
    open: AtomicUsize,
    is_stopping: AtomicBool,
    /// Wakes every connection.
    stop: Notify,
    /// Wakes the server.
    gone: Notify,
}

impl Connections {
    pub(crate) fn new(options: EchoOptions) -> Self {
        Self(Arc::new(Shared {
            options: Arc::new(options),
            open: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
            stop: Notify::new(),
            gone: Notify::new(),
        }))
    }

    pub(crate) fn options(&self) -> &EchoOptions {
        &self.0.options
    }

    /// Counts its connections.
    pub(crate) fn count(&self) -> ConnectionCount {
        ConnectionCount(Arc::clone(&self.0))
    }

    /// One more connection.
    pub(crate) fn add(&self) -> Place {
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(&self.0))
    }

    /// Tells each connection that the server stops: first the flag, then who waits is woken, so that one
    /// who waits first and then looks misses nothing.
    pub(crate) fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
        self.0.stop.notify_waiters();
    }

    /// Waits until there is no connection.
    pub(crate) async fn gone(&self) {
        loop {
            let mut gone = pin!(self.0.gone.notified());
            // From here on nothing is missed.
            gone.as_mut().enable();
            if self.0.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            gone.await;
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One connection's place among those of its server, until it is dropped.
pub(crate) struct Place(Arc<Shared>);

impl Place {
    pub(crate) fn options(&self) -> &Arc<EchoOptions> {
        &self.0.options
    }

    /// Becomes ready when the server stops.
    pub(crate) fn stop(&self) -> Notified<'_> {
        self.0.stop.notified()
    }

    /// What came of a poll, or `None` if nothing did and the server stops.
    ///
    /// A task that has polled [`stop`](Self::stop) once is woken then: this is a look at a flag, and
    /// all that a message costs.
    pub(crate) fn unless_stopping<T>(&self, outcome: Poll<T>) -> Poll<Option<T>> {
        match outcome {
            Poll::Pending if self.0.is_stopping.load(Ordering::SeqCst) => Poll::Ready(None),
            outcome => outcome.map(Some),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.gone.notify_waiters();
        }
    }
}

/// How many connections a server has, also while it runs.
#[derive(Clone, Debug)]
pub struct ConnectionCount(Arc<Shared>);

impl ConnectionCount {
    /// The connections that are open now, those that are no WebSocket yet among them.
    pub fn now(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_before_and_after_the_stop_learns_of_it() {
        let connections = Connections::new(EchoOptions::default());
        let (early, late) = (connections.add(), connections.add());
        let waits = |place: Place| async move {
            let mut stop = pin!(place.stop());
            let _ = poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx))).await;
            poll_fn(|_| place.unless_stopping(Poll::<()>::Pending)).await
        };
        let early = tokio::spawn(waits(early));
        tokio::task::yield_now().await;
        let count = connections.count();
        assert_eq!(count.now(), 2);
        connections.stop();
        assert_eq!(early.await.unwrap(), None);
        assert_eq!(waits(late).await, None);
        connections.gone().await;
        assert_eq!(count.now(), 0);
    }

    #[tokio::test]
    async fn a_server_that_is_dropped_stops() {
        let connections = Connections::new(EchoOptions::default());
        let place = connections.add();
        assert_eq!(place.unless_stopping(Poll::<()>::Pending), Poll::Pending);
        drop(connections);
        assert_eq!(
            place.unless_stopping(Poll::<()>::Pending),
            Poll::Ready(None)
        );
    }
}
