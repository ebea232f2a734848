//! One opening handshake at a time for an address, for those who ask for it (RFC 6455 §4.1).

use std::collections::HashSet;
use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The connect queue: those who open connections, and those who wait for them, in order.
static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    places: Vec::new(),
    id_next: 0,
    process: 0,
});

struct Queue {
    places: Vec<Queued>,
    id_next: u64,
    /// Whose places these are.
    process: u32,
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
    poll_fn(|cx| place.poll(cx)).await;
    place
}

impl Place {
    fn take(addresses: Vec<SocketAddr>) -> Self {
        let mut queue = queue();
        queue.leave_to_parent();
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

    /// Ready once it is this one's turn.
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut queue = queue();
        let index = queue.index(self.id);
        let (before, rest) = queue.places.split_at_mut(index);
        let own = &mut rest[0];
        let is_shared = |other: &Queued| other.addresses.iter().any(|a| own.addresses.contains(a));
        if !before.iter().any(is_shared) {
            return Poll::Ready(());
        }
        let before = own.waker.replace(cx.waker().clone());
        // A waker is foreign code, also where it is dropped.
        drop(queue);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = queue();
        let index = queue.index(self.id);
        let own = queue.places.remove(index);
        let wakers = queue.take_wakers();
        drop(queue);
        drop(own);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Queue {
    fn index(&self, id: u64) -> usize {
        let index = self.places.binary_search_by_key(&id, |queued| queued.id);
        index.expect("it is there until it is dropped")
    }

    /// After a fork nobody waits for those who connect in the parent, and never end here.
    fn leave_to_parent(&mut self) {
        let process = process::id();
        if mem::replace(&mut self.process, process) != process {
            self.places
                .iter_mut()
                .for_each(|place| place.addresses.clear());
        }
    }

    /// The wakers of those whose turn it is: all of them would be too many, where many wait.
    fn take_wakers(&mut self) -> Vec<Waker> {
        let mut taken = HashSet::<SocketAddr>::new();
        let mut wakers = Vec::new();
        for queued in &mut self.places {
            if queued.addresses.iter().all(|a| !taken.contains(a)) {
                wakers.extend(queued.waker.take());
            }
            taken.extend(&queued.addresses);
        }
        wakers
    }
}

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

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

    /// Counts how often it is woken, and looks at the queue when it is dropped, as a task may do that
    /// holds a place.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Drop for Woken {
        fn drop(&mut self) {
            drop(queue());
        }
    }

    #[test]
    fn c02_only_whose_turn_it_is_is_woken() {
        let wait = || Box::pin(wait(addresses(&["192.0.2.5:80"])));
        let mut first = wait();
        let mut waiting = [wait(), wait(), wait()];
        let woken = [(); 3].map(|()| Arc::<Woken>::default());
        let place = (&mut first).now_or_never().unwrap();
        for (waiting, woken) in waiting.iter_mut().zip(&woken) {
            let (one, other) = (
                Waker::from(Arc::new(Woken::default())),
                Waker::from(woken.clone()),
            );
            for waker in [one, other] {
                let mut cx = Context::from_waker(&waker);
                assert!(waiting.as_mut().poll(&mut cx).is_pending());
            }
        }
        drop(place);
        let woken = woken
            .each_ref()
            .map(|woken| woken.0.load(Ordering::Relaxed));
        assert_eq!(woken, [1, 0, 0]);
        drop(waiting);
    }
}
