//! The addresses where a channel's last tries have failed behind TCP.

use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many of them are known at most.
const FAILED_MAX: usize = 16;

/// Where a channel's tries led since it was open: a server that takes the connection and then fails, as one
/// that is being restarted, comes after the others at the next try.
#[derive(Debug, Default)]
pub(crate) struct FailedAddresses(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Where tries have failed, the last one last.
    failed: Vec<SocketAddr>,
    /// Where the try under way has led.
    reached: Option<SocketAddr>,
}

impl FailedAddresses {
    /// Puts those where tries have failed behind the others, the last one last.
    pub(crate) fn put_last(&self, addresses: &mut [SocketAddr]) {
        let known = self.lock();
        let failed = |address: &SocketAddr| known.failed.iter().position(|one| one == address);
        addresses.sort_by_key(failed);
    }

    /// The try under way has led here; `None` while it leads nowhere yet, and where there is no address.
    pub(crate) fn reached(&self, address: Option<SocketAddr>) {
        self.lock().reached = address;
    }

    /// The try has failed, wherever it had led.
    pub(crate) fn fail(&self) {
        let mut known = self.lock();
        let Some(address) = known.reached.take() else {
            return;
        };
        known.failed.retain(|one| *one != address);
        known.failed.push(address);
        if known.failed.len() > FAILED_MAX {
            known.failed.remove(0);
        }
    }

    /// The channel is open.
    pub(crate) fn clear(&self) {
        mem::take(&mut *self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> SocketAddr {
        format!("127.0.0.1:{}", 1000 + number).parse().unwrap()
    }

    fn fail(failed: &FailedAddresses, number: usize) {
        failed.reached(Some(address(number)));
        failed.fail();
    }

    fn order(failed: &FailedAddresses) -> [SocketAddr; 3] {
        let mut addresses = [0, 1, 2].map(address);
        failed.put_last(&mut addresses);
        addresses
    }

    #[test]
    fn re54_each_address_has_its_turn_before_one_has_a_second() {
        let failed = FailedAddresses::default();
        assert_eq!(order(&failed), [0, 1, 2].map(address));
        fail(&failed, 0);
        assert_eq!(order(&failed), [1, 2, 0].map(address));
        fail(&failed, 1);
        assert_eq!(order(&failed), [2, 0, 1].map(address));
        fail(&failed, 2);
        fail(&failed, 0);
        assert_eq!(order(&failed), [1, 2, 0].map(address));
        failed.clear();
        assert_eq!(order(&failed), [0, 1, 2].map(address));
    }

    #[test]
    fn re54_a_try_that_led_nowhere_and_one_that_opened_count_for_nothing() {
        let failed = FailedAddresses::default();
        failed.fail();
        failed.reached(Some(address(0)));
        failed.clear();
        failed.fail();
        assert_eq!(order(&failed), [0, 1, 2].map(address));
        fail(&failed, 0);
        // The next one led nowhere.
        failed.reached(None);
        failed.fail();
        assert_eq!(order(&failed), [1, 2, 0].map(address));
    }

    #[test]
    fn re54_what_is_known_is_bounded() {
        let failed = FailedAddresses::default();
        for number in 0..=FAILED_MAX {
            fail(&failed, number);
        }
        assert_eq!(failed.lock().failed.len(), FAILED_MAX);
    }
}
