//! Executors as no other: wakers that panic, that are new at each poll, and threads that take turns.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use talkback::{ChannelState, Closing, WebSocketChannel};

use crate::runtimes::{converse, current_thread};
use crate::support::echo::echo_thread;
use crate::support::watched::watched;

/// Notes that it was woken.
#[derive(Default)]
struct Noted(AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A fault of the executor's own.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("the waker's own");
    }
}

/// Has a waker woken at the end of a channel, as long as what it gives lives.
fn wait_with(channel: &WebSocketChannel, waker: &Waker) -> Closing {
    let mut closed = channel.closed();
    let mut cx = Context::from_waker(waker);
    assert!(Pin::new(&mut closed).poll(&mut cx).is_pending());
    closed
}

#[tokio::test]
async fn a_waker_that_panics_leaves_nobody_asleep() {
    let (channel, _peer) = talkback::pair();
    let others = [Arc::new(Noted::default()), Arc::new(Noted::default())];
    let drawn = Arc::new(Noted::default());
    let snapshots = channel.snapshots();
    snapshots.latest();
    snapshots.on_change({
        let drawn = Arc::clone(&drawn);
        move || drawn.0.store(true, Ordering::SeqCst)
    });
    let _waiting = [
        wait_with(&channel, &Waker::from(Arc::clone(&others[0]))),
        wait_with(&channel, &Waker::from(Arc::new(Panics))),
        wait_with(&channel, &Waker::from(Arc::new(Panics))),
        wait_with(&channel, &Waker::from(Arc::clone(&others[1]))),
    ];
    // Whoever wakes it is told, once.
    let panic = catch_unwind(AssertUnwindSafe(|| drop(channel.close()))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the waker's own"));
    for noted in others.iter().chain([&drawn]) {
        assert!(noted.0.load(Ordering::SeqCst));
    }
    assert_eq!(channel.state(), ChannelState::Closing);
    assert!(channel.closed().await.unwrap().clean);
}

#[test]
fn a_waker_that_panics_ends_its_channel_for_everyone() {
    let error = watched(|| {
        let channel = WebSocketChannel::connect(echo_thread());
        channel.ready().wait().unwrap();
        let _panics = wait_with(&channel, &Waker::from(Arc::new(Panics)));
        let closed = channel.closed();
        let waiting = thread::spawn(|| closed.wait());
        // The next change is the driver's.
        current_thread().block_on(channel.send("Hello!")).unwrap();
        waiting.join().unwrap().unwrap().cause.to_string()
    });
    let error = error.unwrap();
    assert!(error.contains("panicked"), "{error}");
}

#[test]
fn a_channel_that_is_dropped_by_a_panic_adds_none_of_a_callback() {
    let panic = watched(|| {
        let runtime = current_thread();
        let (channel, _peer) = runtime.block_on(async { talkback::pair() });
        let snapshots = channel.snapshots();
        snapshots.latest();
        let drawn = Arc::new(Mutex::new(()));
        let draw = Arc::clone(&drawn);
        snapshots.on_change(move || drop(draw.lock().unwrap()));
        let _channel = channel;
        let _drawing = drawn.lock().unwrap();
        panic!("the program's own");
    });
    assert_eq!(panic.unwrap_err(), "the program's own");
}

/// Polls without waiting, each time with a waker of its own.
fn poll_anew<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Noted::default()));
    match future.poll(&mut Context::from_waker(&waker)) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => {
            thread::yield_now();
            None
        }
    }
}

#[test]
fn a_new_waker_at_each_poll_is_as_good() {
    watched(|| {
        let mut talking = pin!(converse(echo_thread()));
        while poll_anew(talking.as_mut()).is_none() {}
    })
    .unwrap();
}

#[test]
fn threads_may_take_turns_at_one_future() {
    watched(|| {
        let talking = Mutex::new(Some(Box::pin(converse(echo_thread()))));
        let take_turns = || {
            let mut is_over = false;
            while !is_over {
                let mut talking = talking.lock().unwrap();
                if let Some(future) = &mut *talking
                    && poll_anew(future.as_mut()).is_some()
                {
                    *talking = None;
                }
                is_over = talking.is_none();
            }
        };
        thread::scope(|scope| {
            scope.spawn(take_turns);
            scope.spawn(take_turns);
        });
    })
    .unwrap();
}

#[test]
fn a_call_that_blocks_takes_no_wake_of_the_threads_own() {
    watched(|| {
        let mut channel = WebSocketChannel::connect(echo_thread());
        // As an executor's waker does for whoever calls from one of its futures.
        thread::current().unpark();
        channel.ready().wait().unwrap();
        channel.blocking_send("Hello!").unwrap();
        assert!(channel.blocking_recv().unwrap().is_some());
        thread::park();
    })
    .unwrap();
}
