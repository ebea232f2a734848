//! Channels whose driver ends before they do: with its runtime, or by a panic.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use talkback::{
    CloseCause, CloseCode, CloseInfo, Error, Initiator, Role, WebSocket, WebSocketChannel,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;

use crate::runtimes::{current_thread, multi_thread};
use crate::support::echo::echo_thread;
use crate::support::watched::watched;

/// Ways in which a runtime ends.
const ENDS: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| {
    runtime.shutdown_timeout(Duration::from_millis(50));
}];

/// Holds for each runtime and each way in which it ends.
fn for_each_end(check: fn(Runtime, fn(Runtime))) {
    for end in ENDS {
        for build in [current_thread, || multi_thread(1), || multi_thread(2)] {
            watched(move || check(build(), end)).unwrap();
        }
    }
}

const SAYS: &str = "there is no runtime any more to drive the channel";

fn assert_told(error: &Error) {
    assert!(error.to_string().contains(SAYS), "{error}");
}

/// An address where nobody answers the opening handshake.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// An open channel that the runtime drives.
fn open(runtime: &Runtime) -> WebSocketChannel {
    runtime.block_on(async {
        let channel = WebSocketChannel::connect(echo_thread());
        channel.ready().await.unwrap();
        channel
    })
}

#[test]
fn a_runtime_that_ends_while_it_connects() {
    for_each_end(|runtime, end| {
        let (_listener, url) = silent();
        let mut channel = runtime.block_on(async { WebSocketChannel::connect(url) });
        channel.try_send("queued").unwrap();
        let ready = channel.ready();
        let waiting = thread::spawn(move || ready.wait());
        end(runtime);
        assert_told(&waiting.join().unwrap().unwrap_err());
        assert_told(&channel.blocking_recv().unwrap_err());
        assert_told(&channel.closed().wait().unwrap_err());
        let cause = channel.close_info().unwrap().cause;
        assert!(matches!(cause, CloseCause::NotOpened(_)), "{cause}");
    });
}

#[test]
fn a_runtime_that_ends_while_messages_are_queued() {
    for_each_end(|runtime, end| {
        let channel = runtime.block_on(async {
            let (near, far) = tokio::io::duplex(16);
            let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
            // The far end reads nothing, and has not gone away.
            std::mem::forget(far);
            channel
        });
        channel.try_send(vec![0; 1000]).unwrap();
        channel.try_send("queued").unwrap();
        let flushing = channel.sender();
        let flushing = thread::spawn(move || current_thread().block_on(flushing.flush()));
        end(runtime);
        let lost = flushing.join().unwrap().unwrap_err();
        assert!(lost.to_string().contains(SAYS), "{lost}");
        let Err(Error::Send(lost)) = channel.close().wait() else {
            panic!("what was queued has not left");
        };
        assert!(lost.to_string().starts_with("2 messages"), "{lost}");
        assert!(lost.to_string().contains(SAYS), "{lost}");
    });
}

#[test]
fn a_runtime_that_ends_while_the_channel_is_idle() {
    for_each_end(|runtime, end| {
        let mut channel = open(&runtime);
        end(runtime);
        let info = channel.closed().wait().unwrap();
        assert_eq!(
            (info.code, info.initiator),
            (CloseCode::ABNORMAL, Initiator::Local)
        );
        assert!(matches!(info.cause, CloseCause::Transport(_)));
        assert_told(&channel.blocking_recv().unwrap_err());
        assert!(
            channel.blocking_recv().unwrap().is_none(),
            "it is told once"
        );
        let refused = channel.blocking_send("late").unwrap_err();
        assert!(refused.to_string().contains(SAYS), "{refused}");
        assert!(channel.try_send("late").is_err());
        assert!(channel.close().wait().is_ok());
    });
}

#[test]
fn a_runtime_that_ends_while_others_wait() {
    for_each_end(|runtime, end| {
        let (sender, mut receiver) = open(&runtime).split();
        let (began, begun) = mpsc::channel();
        let receiving = thread::spawn({
            let began = began.clone();
            move || {
                began.send(()).unwrap();
                receiver.blocking_recv()
            }
        });
        let other = current_thread();
        let awaiting = sender.clone();
        let awaiting = thread::spawn(move || {
            began.send(()).unwrap();
            other.block_on(awaiting.closed())
        });
        begun.recv().unwrap();
        begun.recv().unwrap();
        end(runtime);
        assert_told(&receiving.join().unwrap().unwrap_err());
        assert!(awaiting.join().unwrap().is_ok());
        drop(sender);
    });
}

#[test]
fn a_runtime_that_ends_while_its_own_thread_blocks() {
    for_each_end(|runtime, end| {
        let mut channel = open(&runtime);
        let (began, begun) = mpsc::channel();
        let (told, tells) = mpsc::channel();
        let _guard = runtime.enter();
        spawn_blocking(move || {
            began.send(()).unwrap();
            told.send(channel.blocking_recv()).unwrap();
        });
        begun.recv().unwrap();
        drop(_guard);
        end(runtime);
        assert_told(&tells.recv().unwrap().unwrap_err());
    });
}

/// Waits for the end of its channel when it is dropped, with the task that holds it.
struct WaitsOnDrop(WebSocketChannel, mpsc::Sender<Waited>);

type Waited = thread::Result<Result<CloseInfo, Error>>;

impl Drop for WaitsOnDrop {
    fn drop(&mut self) {
        let closing = self.0.close();
        let waited = catch_unwind(AssertUnwindSafe(|| closing.wait()));
        self.1.send(waited).unwrap();
    }
}

#[test]
fn a_task_that_blocks_when_its_runtime_drops_it() {
    for_each_end(|runtime, end| {
        let (sender, waited) = mpsc::channel();
        let (held, holds) = mpsc::channel();
        runtime.spawn(async move {
            // Its driver is a task that is newer, and dropped later.
            let channel = WebSocketChannel::connect(echo_thread());
            channel.ready().await.unwrap();
            let _waits = WaitsOnDrop(channel, sender);
            held.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        while holds.try_recv().is_err() {
            runtime.block_on(tokio::task::yield_now());
        }
        end(runtime);
        // Workers drop their tasks as they run them, and there it panics.
        if let Ok(waited) = waited.recv().unwrap() {
            let info = waited.unwrap();
            assert!(info.to_string().contains(SAYS), "{info}");
        }
    });
}

#[test]
fn a_runtime_that_has_ended_takes_no_channel() {
    for_each_end(|runtime, end| {
        let handle = runtime.handle().clone();
        end(runtime);
        let _guard = handle.enter();
        let url = echo_thread();
        let channel = WebSocketChannel::connect(url);
        // What only entered a runtime of one thread does not depend on it.
        if let Err(error) = channel.ready().wait() {
            assert_told(&error);
        }
    });
}

/// A socket whose timer is one of this runtime.
fn polled(runtime: &Runtime) -> WebSocket<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
    runtime.block_on(async {
        let connecting = talkback::connect(echo_thread()).keepalive(Duration::from_secs(3600));
        let mut socket = connecting.await.unwrap();
        assert!(socket.recv().now_or_never().is_none());
        socket
    })
}

#[test]
fn a_socket_whose_runtime_has_ended_fails_in_the_next() {
    for build in [current_thread, || multi_thread(2)] {
        watched(move || {
            let runtime = build();
            let (mut socket, channel) = (polled(&runtime), polled(&runtime));
            drop(runtime);
            current_thread().block_on(async {
                let error = socket.recv().await.unwrap_err();
                assert!(error.to_string().contains("shutdown"), "{error}");
                assert!(!socket.close().await.clean);
                let mut channel = WebSocketChannel::from(channel);
                let error = channel.recv().await.unwrap_err();
                assert!(error.to_string().contains("shutdown"), "{error}");
            });
        })
        .unwrap();
    }
}

/// A transport of no runtime, whose other end is silent.
fn silent_pipe(runtime: &Runtime) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1024);
    let mut socket = WebSocket::from_upgraded(near, Role::Client);
    socket.set_keepalive(Duration::from_millis(1));
    runtime.block_on(async { assert!(socket.recv().now_or_never().is_none()) });
    (socket, far)
}

#[test]
fn a_channel_waits_with_the_timers_of_its_own_runtime() {
    for_each_end(|runtime, end| {
        let (socket, _far) = silent_pipe(&runtime);
        end(runtime);
        current_thread().block_on(async {
            let mut channel = WebSocketChannel::from(socket);
            assert!(channel.recv().await.is_err());
            let info = channel.close_info().unwrap();
            assert!(matches!(info.cause, CloseCause::KeepaliveTimeout), "{info}");
        });
    });
}

#[test]
fn a_callback_that_blocks_its_driver_says_so_at_once() {
    let error = watched(|| {
        let mut channel = WebSocketChannel::connect(echo_thread());
        channel.ready().wait().unwrap();
        let snapshots = channel.snapshots();
        snapshots.latest();
        let sender = channel.sender();
        snapshots.on_change(move || {
            let _ = sender.closed().wait();
        });
        let sender = channel.sender();
        // Its answer is what the callback is called for, by the driver.
        current_thread().block_on(sender.send("Hello!")).unwrap();
        loop {
            match channel.blocking_recv() {
                Ok(message) => assert!(message.is_some(), "the callback went unnoticed"),
                Err(error) => break error,
            }
        }
    })
    .unwrap();
    assert!(matches!(error, Error::Closed(_)));
    assert!(error.to_string().contains("panicked"), "{error}");
}

/// A transport with a fault of its own.
struct Panics;

impl AsyncRead for Panics {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("the transport's own");
    }
}

impl AsyncWrite for Panics {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_transport_that_panics_is_told_as_that() {
    let mut channel = WebSocketChannel::from(WebSocket::from_upgraded(Panics, Role::Client));
    let error = channel.recv().await.unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(!error.to_string().contains("runtime"), "{error}");
}

#[test]
fn the_background_thread_outlives_a_panic() {
    watched(|| {
        let channel = WebSocketChannel::from(WebSocket::from_upgraded(Panics, Role::Client));
        assert!(!channel.closed().wait().unwrap().clean);
        let channel = WebSocketChannel::connect(echo_thread());
        channel.ready().wait().unwrap();
        assert!(channel.close().wait().unwrap().clean);
    })
    .unwrap();
}

/// The waker of a program with a fault of its own.
struct PanicsToo;

impl Wake for PanicsToo {
    fn wake(self: Arc<Self>) {
        panic!("the waker's own");
    }
}

#[test]
fn the_background_thread_outlives_a_waker_that_panics() {
    watched(|| {
        let [mut channel, mut other] = [(); 2].map(|()| WebSocketChannel::connect(echo_thread()));
        channel.ready().wait().unwrap();
        other.ready().wait().unwrap();
        let sender = channel.sender();
        {
            let mut receiving = pin!(channel.recv());
            let waker = Waker::from(Arc::new(PanicsToo));
            let polled = receiving.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            sender.try_send("Hello!").unwrap();
            other.try_send("there?").unwrap();
            assert!(other.blocking_recv().unwrap().is_some());
        }
        let message = channel.blocking_recv().unwrap().unwrap();
        assert_eq!(message.as_text(), Some("Hello!"));
    })
    .unwrap();
}
