//! How many connections each address has.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use crate::channel::sync::{Arc, Mutex, MutexGuard};
use crate::server::address::AddressKey;

/// So many locks, so that clients seldom wait for each other's.
const SHARDS: usize = 16;

/// How many connections each address has, as far as it has any.
#[derive(Debug, Default)]
pub(crate) struct PerAddress {
    shards: [Mutex<HashMap<AddressKey, usize>>; SHARDS],
    /// With keys of its own, so that no client chooses where it counts.
    hasher: RandomState,
}

impl PerAddress {
    /// One more connection of an address, unless it has as many as it may.
    pub(crate) fn take(self: &Arc<Self>, key: AddressKey, max: usize) -> Option<AddressPlace> {
        let mut counts = self.lock(key);
        let count = counts.get(&key).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(key, count + 1);
        Some(AddressPlace {
            counts: Arc::clone(self),
            key,
        })
    }

    fn lock(&self, key: AddressKey) -> MutexGuard<'_, HashMap<AddressKey, usize>> {
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[(hash % SHARDS as u64) as usize];
        shard.lock().expect("nothing panics under this lock")
    }
}

/// A connection among those of its address, until it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    counts: Arc<PerAddress>,
    key: AddressKey,
}

impl AddressPlace {
    pub(crate) fn is_of(&self, key: AddressKey) -> bool {
        self.key == key
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.lock(self.key);
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.key)),
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::net::IpAddr;
    use std::thread;

    use http::HeaderMap;

    use super::*;
    use crate::server::address::client_address;

    fn key(peer: &str) -> AddressKey {
        let peer: IpAddr = peer.parse().unwrap();
        let address = client_address(peer, &HeaderMap::new(), &[]);
        address.key.expect("it is not local")
    }

    /// How many addresses have connections.
    fn known(counts: &PerAddress) -> usize {
        counts
            .shards
            .iter()
            .map(|it| it.lock().unwrap().len())
            .sum()
    }

    #[test]
    fn li3_an_address_has_so_many_places_and_each_is_given_back() {
        let counts = Arc::new(PerAddress::default());
        let take = |peer| counts.take(key(peer), 2);
        let (first, second) = (take("1.2.3.4").unwrap(), take("::ffff:1.2.3.4").unwrap());
        assert!(take("1.2.3.4").is_none());
        let others = (take("1.2.3.5").unwrap(), take("2001:db8::1").unwrap());
        assert!(take("2001:db8::2").is_some());
        drop(first);
        let third = take("1.2.3.4").unwrap();
        assert!(take("1.2.3.4").is_none());
        assert!(counts.take(key("8.8.8.8"), 0).is_none());
        drop((second, third, others));
        assert_eq!(known(&counts), 0);
    }

    #[test]
    fn li3_threads_take_no_place_too_many_and_leave_none_behind() {
        let counts = Arc::new(PerAddress::default());
        let (max, threads) = (3, 8);
        let addresses: Vec<AddressKey> = (0..50).map(|it| key(&format!("1.2.3.{it}"))).collect();
        let taken: Vec<Vec<_>> = thread::scope(|scope| {
            let take = || addresses.iter().map(|it| counts.take(*it, max)).collect();
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        for index in 0..addresses.len() {
            let taken = taken.iter().filter(|it| it[index].is_some());
            assert_eq!(taken.count(), max);
        }
        thread::scope(|scope| {
            for places in taken {
                scope.spawn(move || drop(places));
            }
        });
        assert_eq!(known(&counts), 0);
    }
}
