//! The thread's idle contexts, so that a connection without context takeover owns none.

use std::cell::RefCell;

use zlib_rs::Inflate;

use crate::deflate::context::Context;
use crate::deflate::settings::Settings;

/// How many idle contexts of either kind a thread keeps: 48 KiB for each that decompresses, for each
/// that compresses 32 KiB, or up to 490 KiB of zlib. Of these a thread uses one at a time.
const INFLATERS_MAX: usize = 8;
const DEFLATERS_MAX: usize = 2;

/// The size in bytes of the buffer that payload passes through.
pub(super) const SCRATCH_SIZE: usize = 16 * 1024;

#[derive(Default)]
struct Pool {
    inflaters: Vec<Inflate>,
    deflaters: Vec<(Settings, Context)>,
    scratch: Vec<u8>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A context that knows nothing yet.
pub(super) fn take_inflater() -> Inflate {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().inflaters.pop());
    // The window costs 32 KiB whatever the peer keeps to: so 15 bits fit every peer.
    let new = || Inflate::new(false, 15);
    pooled.ok().flatten().unwrap_or_else(new)
}

pub(super) fn give_back_inflater(mut inflater: Inflate) {
    inflater.reset(false);
    // On a thread that ends there is no pool any more.
    let _ = POOL.try_with(|pool| {
        let inflaters = &mut pool.borrow_mut().inflaters;
        if inflaters.len() < INFLATERS_MAX {
            inflaters.push(inflater);
        }
    });
}

/// A context with these settings that knows nothing yet.
pub(super) fn take_deflater(settings: Settings) -> Context {
    let pooled = POOL.try_with(|pool| {
        let deflaters = &mut pool.borrow_mut().deflaters;
        let place = deflaters.iter().position(|(with, _)| *with == settings)?;
        Some(deflaters.remove(place).1)
    });
    let new = || Context::new(settings);
    pooled.ok().flatten().unwrap_or_else(new)
}

/// Keeps the context for the next message; of too many, that which waits longest goes.
pub(super) fn give_back_deflater(settings: Settings, mut deflater: Context) {
    deflater.reset();
    let _ = POOL.try_with(|pool| {
        let deflaters = &mut pool.borrow_mut().deflaters;
        if deflaters.len() == DEFLATERS_MAX {
            deflaters.remove(0);
        }
        deflaters.push((settings, deflater));
    });
}

/// Lends the thread's buffer of at least [`SCRATCH_SIZE`] bytes, whose content means nothing.
///
/// `work` may leave another one in its place.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let lent = POOL.try_with(|pool| std::mem::take(&mut pool.borrow_mut().scratch));
    let mut scratch = lent.unwrap_or_default();
    if scratch.len() < SCRATCH_SIZE {
        scratch.resize(SCRATCH_SIZE, 0);
    }
    let output = work(&mut scratch);
    if scratch.len() == SCRATCH_SIZE {
        let _ = POOL.try_with(|pool| pool.borrow_mut().scratch = scratch);
    }
    output
}
