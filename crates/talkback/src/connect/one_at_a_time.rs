//! One opening handshake at a time for an address, for those who ask for it (RFC 6455 §4.1).

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The connect queue: those who open connections, and those who wait for them, in order.
static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    places: Vec::new(),
    id_next: 0,
});

struct Queue {
    places: Vec<Queued>,
    id_next: u64,
}

struct Queued {
    id: u64,
    addresses: Vec<SocketAddr>,
    /// Of one who waits.
    waker: Option<Waker>,
}

/// A place in the connect queue, held while a connection is opened; the next one goes on when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
}

/// Waits until nobody who came earlier opens a connection to any of these addresses.
///
/// # Cancel safety
/// A dropped call has left the queue.
pub(crate) async fn wait(addresses: Vec<SocketAddr>) -> Place {
    let place = Place::take(addresses);
    poll_fn(|cx| {
        let mut queue = queue();
        let all = &mut queue.places;
        let index = all.iter().position(|queued| queued.id == place.id);
        let (before, rest) = all.split_at_mut(index.expect("it is there until it is dropped"));
        let own = &mut rest[0];
        let is_shared = |other: &Queued| other.addresses.iter().any(|a| own.addresses.contains(a));
        if !before.iter().any(is_shared) {
            return Poll::Ready(());
        }
        own.waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
    place
}

impl Place {
    fn take(addresses: Vec<SocketAddr>) -> Self {
        let mut queue = queue();
        let id = queue.id_next;
        queue.id_next += 1;
        let waker = None;
        queue.places.push(Queued {
            id,
            addresses,
            waker,
        });
        Self { id }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = queue();
        queue.places.retain(|queued| queued.id != self.id);
        let waiting = queue.places.iter_mut();
        let wakers: Vec<_> = waiting.filter_map(|queued| queued.waker.take()).collect();
        // A waker is foreign code.
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn c02_whoever_shares_an_address_waits() {
        let first = wait(addresses(&["192.0.2.1:80", "192.0.2.2:80"])).await;
        let mut second = Box::pin(wait(addresses(&["192.0.2.3:80", "192.0.2.2:80"])));
        assert!((&mut second).now_or_never().is_none());
        // Another port is another address; and who waits holds what it has.
        assert!(wait(addresses(&["192.0.2.2:81"])).now_or_never().is_some());
        drop(first);
        let second = second.await;
        assert!(wait(addresses(&["192.0.2.3:80"])).now_or_never().is_none());
        drop(second);
        assert!(wait(addresses(&["192.0.2.3:80"])).now_or_never().is_some());
    }

    #[tokio::test]
    async fn c02_who_gives_up_leaves_the_queue() {
        let first = wait(addresses(&["192.0.2.4:80"])).await;
        let mut second = Box::pin(wait(addresses(&["192.0.2.4:80"])));
        let mut third = Box::pin(wait(addresses(&["192.0.2.4:80"])));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop((first, second));
        third.await;
    }
}
