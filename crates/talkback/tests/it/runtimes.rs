//! Where a channel and a socket can be used: in every runtime, in none, and in other executors. It works,
//! or it says so at once.

use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::thread;

use talkback::{Fate, Message, Role, WebSocket, WebSocketChannel};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{
    JoinError, LocalSet, block_in_place, spawn_blocking, spawn_local, unconstrained,
};

use crate::support::echo::{echo, echo_thread};
use crate::support::watched::{bare_block_on, watched};

/// A runtime of one thread, which only a `block_on` drives.
pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime with threads of its own.
pub(crate) fn multi_thread(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all();
    builder.build().unwrap()
}

/// One of each kind.
fn runtimes() -> [Runtime; 4] {
    [
        current_thread(),
        multi_thread(1),
        multi_thread(2),
        multi_thread(8),
    ]
}

/// Talks to the echo server with every call that blocks.
pub(crate) fn converse_blocking(url: &str) {
    let mut channel = WebSocketChannel::connect(url);
    channel.ready().wait().unwrap();
    channel.blocking_send("Hello!").unwrap();
    let answer = channel.blocking_recv().unwrap().unwrap();
    assert_eq!(answer.as_text(), Some("Hello!"));
    let fate = channel.send_tracked("Hello!").unwrap().wait();
    assert_eq!(fate, Fate::Written { connection: 1 });
    assert!(channel.blocking_recv().unwrap().is_some());
    // From the second time on the program's own waits write them.
    for _ in 0..20 {
        let texts = ["a", "burst", "of four", "messages"];
        for text in texts {
            channel.blocking_send(text).unwrap();
        }
        let answers = texts.map(|_| channel.blocking_recv().unwrap().unwrap());
        assert_eq!(answers, texts.map(Message::from));
        // Nobody waits, and they leave nevertheless.
        channel.blocking_send("and one").unwrap();
        channel.blocking_send("more").unwrap();
        let answer = loop {
            match channel.try_recv().unwrap() {
                Some(answer) => break answer,
                None => thread::yield_now(),
            }
        };
        assert_eq!(answer.as_text(), Some("and one"));
        assert!(channel.blocking_recv().unwrap().is_some());
    }
    assert!(channel.close().wait().unwrap().clean);
    assert!(channel.closed().wait().unwrap().clean);
}

/// Talks to the echo server without blocking.
pub(crate) async fn converse(url: String) {
    let mut channel = WebSocketChannel::connect(url);
    channel.ready().await.unwrap();
    channel.send("Hello!").await.unwrap();
    let answer = channel.recv().await.unwrap().unwrap();
    assert_eq!(answer.as_text(), Some("Hello!"));
    channel.flush().await.unwrap();
    channel.ping("there?").await.unwrap();
    assert!(channel.close().await.unwrap().clean);
    assert!(channel.closed().await.unwrap().clean);
}

/// As [`converse`], with a socket that is polled.
async fn converse_polled(url: String) {
    let mut socket = talkback::connect(url).await.unwrap();
    socket.send("Hello!").await.unwrap();
    let answer = socket.recv().await.unwrap().unwrap();
    assert_eq!(answer.as_text(), Some("Hello!"));
    assert!(socket.close().await.clean);
}

#[test]
fn a_program_without_a_runtime_blocks() {
    watched(|| converse_blocking(&echo_thread())).unwrap();
}

#[test]
fn another_executor_needs_no_runtime() {
    watched(|| bare_block_on(converse(echo_thread()))).unwrap();
}

#[test]
fn every_runtime_drives_channels_and_sockets() {
    for runtime in runtimes() {
        watched(move || {
            runtime.block_on(async {
                let url = echo().await;
                converse(url.clone()).await;
                converse_polled(url.clone()).await;
                tokio::spawn(converse(url.clone())).await.unwrap();
                tokio::spawn(converse_polled(url.clone())).await.unwrap();
                unconstrained(converse(url.clone())).await;
                unconstrained(converse_polled(url.clone())).await;
                let local = LocalSet::new();
                local.run_until(converse(url.clone())).await;
                let local_task = local.run_until(async { spawn_local(converse(url)).await });
                local_task.await.unwrap();
            });
        })
        .unwrap();
    }
}

#[test]
fn threads_that_drive_no_runtime_may_block() {
    for runtime in runtimes() {
        watched(move || {
            runtime.block_on(async {
                let url = echo().await;
                spawn_blocking({
                    let url = url.clone();
                    move || converse_blocking(&url)
                })
                .await
                .unwrap();
                // On a thread that has entered a runtime that another one drives.
                let handle = Handle::current();
                spawn_blocking(|| {
                    let thread = thread::spawn(move || {
                        let _guard = handle.enter();
                        converse_blocking(&url);
                    });
                    thread.join().unwrap();
                })
                .await
                .unwrap();
            });
        })
        .unwrap();
    }
}

#[test]
fn a_runtime_that_is_only_entered_need_not_run() {
    for runtime in runtimes() {
        watched(move || {
            let _guard = runtime.enter();
            converse_blocking(&echo_thread());
        })
        .unwrap();
    }
}

#[test]
fn blocking_in_place_gives_the_worker_away() {
    for workers in [1, 2, 8] {
        watched(move || {
            let runtime = multi_thread(workers);
            runtime.block_on(async {
                let url = echo().await;
                let task = async move { block_in_place(|| converse_blocking(&url)) };
                tokio::spawn(task).await.unwrap();
            });
        })
        .unwrap();
    }
}

#[test]
fn a_channel_is_driven_where_it_is_made() {
    for runtime in runtimes() {
        let metrics = runtime.metrics();
        let mut pairs = Vec::new();
        let mut make = || {
            pairs.push(talkback::pair());
            assert_eq!(metrics.num_alive_tasks(), 2 * pairs.len());
        };
        runtime.block_on(async { make() });
        runtime.block_on(unconstrained(async { make() }));
        runtime.block_on(LocalSet::new().run_until(async { make() }));
    }
    // No task of the runtime would ever run here.
    let runtime = current_thread();
    let _guard = runtime.enter();
    let _pair = talkback::pair();
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

/// A call that blocks.
type Blocking = fn(&mut WebSocketChannel);

const BLOCKING: [(&str, Blocking); 6] = [
    ("ready", |channel| {
        let _ = channel.ready().wait();
    }),
    ("closed", |channel| {
        let _ = channel.closed().wait();
    }),
    ("close", |channel| {
        let _ = channel.close().wait();
    }),
    ("blocking_recv", |channel| {
        let _ = channel.blocking_recv();
    }),
    ("blocking_send", |channel| {
        let _ = channel.blocking_send("Hello!");
    }),
    ("send_tracked", |channel| {
        if let Ok(receipt) = channel.send_tracked("Hello!") {
            receipt.wait();
        }
    }),
];

/// Makes a channel and blocks, in a task.
async fn block_in_task(block: Blocking) {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:1/");
    block(&mut channel);
}

/// Makes a future of a call that blocks, and drives it in a runtime.
type InRuntime = fn(&Runtime, Blocking);

const IN_TASK: [(&str, InRuntime); 2] = [
    ("spawn", |runtime, block| {
        join(runtime.block_on(async { tokio::spawn(block_in_task(block)).await }));
    }),
    ("unconstrained", |runtime, block| {
        let task = unconstrained(block_in_task(block));
        join(runtime.block_on(async { tokio::spawn(task).await }));
    }),
];

const IN_BLOCK_ON: [(&str, InRuntime); 4] = [
    ("block_on", |runtime, block| {
        runtime.block_on(block_in_task(block));
    }),
    ("unconstrained", |runtime, block| {
        runtime.block_on(unconstrained(block_in_task(block)));
    }),
    ("LocalSet", |runtime, block| {
        let local = LocalSet::new();
        join(local.block_on(runtime, async { spawn_local(block_in_task(block)).await }));
    }),
    ("another's handle", |runtime, block| {
        let other = multi_thread(1);
        runtime.block_on(async {
            let _guard = other.enter();
            block(&mut WebSocketChannel::connect("ws://127.0.0.1:1/"));
        });
    }),
];

/// The task's end is that of the caller.
fn join(joined: Result<(), JoinError>) {
    if let Err(error) = joined {
        std::panic::resume_unwind(error.into_panic());
    }
}

#[test]
fn l4_blocking_in_a_task_says_so_at_once() {
    for (call, block) in BLOCKING {
        for (place, run) in IN_TASK {
            for runtime in runtimes() {
                let panic = watched(move || run(&runtime, block)).unwrap_err();
                assert!(panic.contains("`.await`"), "{call} in {place}: {panic}");
            }
        }
        for (place, run) in IN_BLOCK_ON {
            // There the thread runs the runtime's tasks,
            let panic = watched(move || run(&current_thread(), block)).unwrap_err();
            assert!(panic.contains("`.await`"), "{call} in {place}: {panic}");
            // and here others do, so that it works.
            watched(move || run(&multi_thread(1), block)).unwrap();
        }
    }
}

#[test]
fn l4_a_second_thread_that_drives_a_runtime_of_one_may_have_to_run_its_tasks() {
    let panic = watched(|| {
        let runtime = Arc::new(current_thread());
        let (began, begun) = mpsc::channel();
        let first = Arc::clone(&runtime);
        thread::spawn(move || {
            first.block_on(async {
                began.send(()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        begun.recv().unwrap();
        runtime.block_on(block_in_task(|channel| {
            let _ = channel.blocking_recv();
        }));
    });
    assert!(panic.unwrap_err().contains("`.await`"));
}

#[test]
fn l4_it_says_so_though_it_would_not_have_to_wait() {
    let panic = watched(|| {
        current_thread().block_on(async {
            let (client, mut server) = talkback::pair();
            client.send("Hello!").await.unwrap();
            client.close();
            server.closed().await.unwrap();
            server.blocking_recv()
        })
    });
    assert!(panic.unwrap_err().contains("`.await`"));
}

/// What happens with a channel and with a socket in a runtime that lacks something.
fn lacking(build: fn() -> Builder) -> [Result<(), String>; 2] {
    [
        watched(move || {
            let runtime = build().build().unwrap();
            let url = echo_thread();
            runtime.block_on(async { drop(WebSocketChannel::connect(url)) });
        }),
        watched(move || {
            let runtime = build().build().unwrap();
            let url = echo_thread();
            runtime.block_on(async { drop(talkback::connect(url).await) });
        }),
    ]
}

#[test]
fn a_runtime_without_time_is_told_by_whoever_uses_it() {
    for build in [
        Builder::new_current_thread as fn() -> Builder,
        Builder::new_multi_thread,
        || {
            let mut builder = Builder::new_current_thread();
            builder.enable_io();
            builder
        },
    ] {
        for told in lacking(build) {
            let panic = told.unwrap_err();
            assert!(panic.contains("`enable_time`"), "{panic}");
        }
        // A channel over a socket needs time as well, for its close timeout.
        let panic = watched(move || {
            let runtime = build().build().unwrap();
            runtime.block_on(async { drop(talkback::pair()) });
        });
        assert!(panic.unwrap_err().contains("`enable_time`"));
    }
}

#[cfg(unix)]
#[test]
fn a_runtime_without_io_is_told_by_whoever_uses_it() {
    let build = || {
        let mut builder = Builder::new_current_thread();
        builder.enable_time();
        builder
    };
    for told in lacking(build) {
        let panic = told.unwrap_err();
        assert!(panic.contains("`enable_io`"), "{panic}");
    }
    // In memory there is no need of it.
    watched(move || {
        let runtime = build().build().unwrap();
        runtime.block_on(async {
            let (client, mut server) = talkback::pair();
            client.send("Hello!").await.unwrap();
            assert!(server.recv().await.unwrap().is_some());
            client.close().await.unwrap();
        });
    })
    .unwrap();
}

#[test]
fn a_socket_outside_of_tokio_says_what_to_do() {
    let panics = [
        watched(|| {
            let _ = bare_block_on(talkback::connect(echo_thread()));
        }),
        watched(|| {
            let (near, _far) = tokio::io::duplex(64);
            let _ = bare_block_on(talkback::connect("ws://host/").over(near));
        }),
        watched(|| {
            let (near, _far) = tokio::io::duplex(64);
            let _ = bare_block_on(talkback::accept(near));
        }),
        watched(|| {
            let (near, _far) = tokio::io::duplex(64);
            let mut socket = WebSocket::from_upgraded(near, Role::Client);
            let _ = bare_block_on(socket.close());
        }),
    ];
    for panic in panics {
        let panic = panic.unwrap_err();
        for says in ["tokio runtime", "`#[tokio::main]`", "`WebSocketChannel`"] {
            assert!(panic.contains(says), "{panic}");
        }
    }
}

#[test]
fn a_future_that_is_made_before_its_runtime_is_driven_in_it() {
    watched(|| {
        let connecting = talkback::connect(echo_thread()).into_future();
        let socket = current_thread().block_on(connecting);
        assert!(socket.is_ok());
    })
    .unwrap();
}

#[test]
fn a_channel_goes_from_no_runtime_to_one_and_to_the_next() {
    watched(|| {
        let mut channel = WebSocketChannel::connect(echo_thread());
        for runtime in runtimes() {
            runtime.block_on(async {
                channel.ready().await.unwrap();
                channel.send("Hello!").await.unwrap();
                assert!(channel.recv().await.unwrap().is_some());
            });
        }
        assert!(channel.close().wait().unwrap().clean);
    })
    .unwrap();
}

#[test]
fn a_channel_of_one_runtime_is_used_in_another() {
    for other in runtimes() {
        watched(move || {
            let own = multi_thread(1);
            let mut channel = own.block_on(async { WebSocketChannel::connect(echo_thread()) });
            other.block_on(async {
                channel.send("Hello!").await.unwrap();
                assert!(channel.recv().await.unwrap().is_some());
                assert!(channel.close().await.unwrap().clean);
            });
        })
        .unwrap();
    }
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_channel_can_be_made_where_a_task_is_dropped_with_its_runtime() {
    for runtime in runtimes() {
        let url = echo_thread();
        let (sender, receiver) = mpsc::channel();
        watched(move || {
            let held = OnDrop(move || {
                let _ = sender.send(WebSocketChannel::connect(&*url));
            });
            runtime.block_on(async {
                tokio::spawn(async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                });
                // It has to have begun, so that it holds something.
                tokio::task::yield_now().await;
            });
            drop(runtime);
            // A runtime that shuts down takes nothing new, and says so; the background thread does.
            let channel = receiver.recv().unwrap();
            if let Err(error) = channel.ready().wait() {
                assert!(error.to_string().contains("no runtime any more"), "{error}");
            }
        })
        .unwrap();
    }
}

thread_local! {
    static AT_THREAD_END: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_that_ends_can_still_talk() {
    let url = echo_thread();
    let (sender, receiver) = mpsc::channel();
    watched(move || {
        let thread = thread::spawn(move || {
            let last = OnDrop(move || {
                converse_blocking(&url);
                sender.send(()).unwrap();
            });
            AT_THREAD_END.set(Some(Box::new(last)));
            // Tokio's own variable, made later, is gone before.
            current_thread().block_on(async {});
        });
        thread.join().unwrap();
        receiver.recv().unwrap();
    })
    .unwrap();
}

#[test]
fn a_channel_may_be_a_static() {
    static CHANNEL: std::sync::LazyLock<WebSocketChannel> =
        std::sync::LazyLock::new(|| WebSocketChannel::connect(echo_thread()));
    watched(|| {
        CHANNEL.ready().wait().unwrap();
        for runtime in runtimes() {
            runtime.block_on(CHANNEL.send("Hello!")).unwrap();
        }
        assert!(CHANNEL.close().wait().unwrap().clean);
    })
    .unwrap();
}
