//! Counts the heap of one thread, so that a bound on memory is a number and not a hope.
//!
//! A program that links this crate has its allocator.
#![allow(unsafe_code, reason = "only an allocator sees the heap")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes that are allocated now.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The most bytes that were allocated at one moment.
    static PEAK: Cell<isize> = const { Cell::new(0) };
    /// Bytes that were ever allocated.
    static TOTAL: Cell<isize> = const { Cell::new(0) };
    /// How often something was allocated.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// What a piece of code did to the heap of its thread, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    /// How much was allocated at the worst moment, on top of what was before.
    pub peak: isize,
    /// How much is still allocated at the end, on top of what was before.
    pub left: isize,
    /// How much was allocated in all. A reallocation counts with its new size.
    pub total: isize,
}

/// Runs `work` and says what it did to the heap.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (live, total) = (LIVE.get(), TOTAL.get());
    PEAK.set(live);
    let output = work();
    let heap = Heap {
        peak: PEAK.get() - live,
        left: LIVE.get() - live,
        total: TOTAL.get().wrapping_sub(total),
    };
    (output, heap)
}

/// The bytes that this thread has allocated and not freed; below zero if it freed more of what other
/// threads had allocated.
pub fn in_use() -> isize {
    LIVE.get()
}

/// How often this thread has allocated, reallocations included.
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

struct Counting;

fn count(freed: usize, allocated: usize) {
    let live = LIVE.get() + allocated as isize - freed as isize;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    // A test may allocate more than 32 bits count, but what is measured does not.
    TOTAL.set(TOTAL.get().wrapping_add(allocated as isize));
    ALLOCATIONS.set(ALLOCATIONS.get() + usize::from(allocated > 0));
}

// SAFETY: every call goes to the system's allocator as it came. The counters are plain cells
// without a destructor, so that counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.realloc(place, layout, size) }
    }
}
