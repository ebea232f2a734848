//! One opening handshake at a time for an address, for those who ask for it (RFC 6455 §4.1).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// The connect queues: those who open a connection to an address, in order. Gone with the last of them.
static QUEUES: Mutex<BTreeMap<SocketAddr, Weak<Queue<()>>>> = Mutex::new(BTreeMap::new());

/// A place at the head of connect queues, held while a connection is opened; the next one goes on when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _guards: Vec<OwnedMutexGuard<()>>,
}

/// Waits until nobody else opens a connection to any of these addresses.
///
/// # Cancel safety
/// A dropped call has left every queue.
pub(crate) async fn wait(mut addresses: Vec<SocketAddr>) -> Place {
    // In one order for all, so that no two wait for each other.
    addresses.sort_unstable();
    addresses.dedup();
    let mut guards = Vec::with_capacity(addresses.len());
    for address in addresses {
        guards.push(queue(address).lock_owned().await);
    }
    Place { _guards: guards }
}

fn queue(address: SocketAddr) -> Arc<Queue<()>> {
    let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = queues.get(&address).and_then(Weak::upgrade) {
        return queue;
    }
    queues.retain(|_, queue| queue.strong_count() > 0);
    let queue = Arc::default();
    queues.insert(address, Arc::downgrade(&queue));
    queue
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
