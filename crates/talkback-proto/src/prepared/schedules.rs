//! A prepared message under random schedules: `--cfg shuttle`.

use std::cell::Cell;
use std::sync::PoisonError;

use shuttle::sync::Mutex;
use shuttle::thread;

/// Stands in for that of the standard library, at which the checker would have no other thread run.
pub(super) struct OnceLock<T> {
    making: Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(super) const fn new() -> Self {
        Self {
            making: Mutex::new(()),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(super) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.value.get_or_init(make)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

thread_local! {
    /// How many messages were compressed; all tasks of a schedule run on one thread.
    static COMPRESSED: Cell<usize> = const { Cell::new(0) };
}

/// Counts a message that is compressed, and lets others go on meanwhile.
pub(super) fn compressing() {
    COMPRESSED.set(COMPRESSED.get() + 1);
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use crate::{Connection, DeflateParameters, Limits, Prepared};

    use super::*;

    /// How many schedules there are, unless the environment says otherwise.
    const SCHEDULES: usize = 10_000;

    #[test]
    fn pr11_threads_at_its_first_use_compress_it_once_and_share_the_frame() {
        let number = std::env::var("TALKBACK_SCHEDULES").ok();
        let number = number.map_or(SCHEDULES, |number| number.parse().unwrap());
        let digits = (0..1_000_u32).map(|number| number.wrapping_mul(0x9e37_79b1).to_string());
        let text: String = digits.collect();
        let feed_all = move || {
            COMPRESSED.set(0);
            let prepared = Prepared::new(text.as_str());
            let feed = |prepared: Prepared| {
                let deflate = DeflateParameters::default();
                let connection = Connection::server(Limits::default());
                let mut connection = connection.with_deflate(&deflate);
                connection.send(&prepared).unwrap();
                let output = connection.output();
                let frame = output.chunk();
                assert!(frame[0] & 0x40 != 0, "it is compressed");
                (frame.as_ptr() as usize, frame.len())
            };
            let threads = [(); 3].map(|()| {
                let prepared = prepared.clone();
                thread::spawn(move || feed(prepared))
            });
            let [first, others @ ..] = threads.map(|thread| thread.join().unwrap());
            // Of a frame that is not copied there is one, and it lives as long as the message.
            assert_eq!(others, [first; 2]);
            assert_eq!(COMPRESSED.get(), 1);
        };
        shuttle::check_random(feed_all, number);
    }
}
