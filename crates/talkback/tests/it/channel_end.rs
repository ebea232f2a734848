//! The end of a channel: known once it is certain, whatever becomes of TCP; and what is given out then.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use talkback::{
    ChannelState, Error, Limits, Role, SnapshotState, WebSocket, WebSocketChannel, accept, connect,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::support::never_ends::NeverEnds;
use crate::support::{Fin, Happened, Log, Read, Script, end, masked, plain};

/// Lets every task run until all of them wait.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

fn frame(role: Role, opcode: Opcode, payload: &[u8]) -> Read {
    let frame = match role {
        Role::Client => plain(Fin::Last, opcode, payload),
        Role::Server => masked(Fin::Last, opcode, payload),
    };
    Read::Bytes(frame.into())
}

/// A peer that closes with a code and a reason, or breaks a rule, and keeps TCP open.
fn peers(role: Role) -> [[Read; 2]; 3] {
    [
        [
            frame(role, Opcode::Close, b"\x0f\xa1that is all"),
            Read::Silence,
        ],
        [frame(role, Opcode::Close, b""), Read::Silence],
        [frame(role, Opcode::Text, b"\xff"), Read::Silence],
    ]
}

fn is_dropped(log: &Log) -> bool {
    log.lock().unwrap().last() == Some(&Happened::Dropped)
}

#[tokio::test(start_paused = true)]
async fn l25_the_end_is_known_once_it_is_certain_though_tcp_stays_open() {
    for role in [Role::Client, Role::Server] {
        for reads in peers(role) {
            for begins in [true, false] {
                let (mut socket, _) = end(Script::new(reads.clone()), role);
                let told = match begins {
                    true => socket.close_with(4000, "bye").await.unwrap(),
                    false => {
                        let _ = socket.recv().await;
                        socket.close_info().unwrap().clone()
                    }
                };

                let (socket, log) = end(Script::new(reads.clone()), role);
                let channel = WebSocketChannel::from(socket);
                let mut snapshots = channel.snapshots();
                let start = Instant::now();
                let info = match begins {
                    true => channel.close_with(4000, "bye").unwrap().await.unwrap(),
                    false => channel.closed().await.unwrap(),
                };
                assert!(start.elapsed().is_zero(), "{role:?}, {info}");
                assert_eq!(info, told, "the same that the socket tells");
                assert_eq!(channel.state(), ChannelState::Closed);
                assert_eq!(channel.close_info(), Some(info.clone()));
                let snapshot = snapshots.latest();
                assert_eq!(snapshot.state, SnapshotState::Done);
                assert_eq!(snapshot.close, Some(info.clone()));

                // What is left is done behind its back, and nothing new comes of it.
                sleep(Duration::from_secs(11)).await;
                assert!(is_dropped(&log), "{role:?}, {info}");
                assert_eq!(channel.close_info(), Some(info));
                assert!(!snapshots.has_changed());
                assert!(snapshots.next().await.is_none());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l25_a_client_waits_a_second_for_the_server_to_end_tcp() {
    let [close, _, failure] = peers(Role::Client);
    let (second, millisecond) = (Duration::from_secs(1), Duration::from_millis(1));
    for (reads, limits, time) in [
        (close.clone(), Limits::default(), second),
        (
            close,
            Limits::default().close_timeout(300 * millisecond),
            300 * millisecond,
        ),
        // Behind a failure what comes is read away, so that a reset does not overtake the close frame.
        (failure, Limits::default(), 10 * second),
    ] {
        let (mut socket, _) = end(Script::new(reads.clone()), Role::Client);
        socket = socket.with_limits(limits.clone());
        let start = Instant::now();
        socket.close().await;
        assert_eq!(start.elapsed(), time, "a socket that is polled");

        let (socket, log) = end(Script::new(reads), Role::Client);
        let channel = WebSocketChannel::from(socket.with_limits(limits));
        channel.close().await.unwrap();
        sleep(time - millisecond).await;
        assert!(!is_dropped(&log), "it lingers");
        sleep(2 * millisecond).await;
        assert!(is_dropped(&log));
    }
}

#[tokio::test(start_paused = true)]
async fn l25_a_server_that_ends_tcp_in_time_does_so_first() {
    let (near, mut far) = duplex(1024);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    far.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    assert!(channel.closed().await.unwrap().clean);
    sleep(Duration::from_millis(900)).await;
    // A client that had dropped TCP could not be written to.
    far.write_all(b"late").await.unwrap();
    far.shutdown().await.unwrap();
    settle().await;
    far.write_all(b"later").await.unwrap_err();
}

/// What a transport holds back in a buffer of its own, as TLS does, is not written yet.
#[tokio::test(start_paused = true)]
async fn l25_a_client_waits_for_its_buffer_to_leave_before_that_second() {
    let (near, mut far) = duplex(64);
    let near = BufStream::with_capacity(1024, 64 * 1024, near);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    channel.send(vec![7; 10_000]).await.unwrap();
    settle().await;
    far.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(channel.state(), ChannelState::Closing);
    let mut socket = WebSocket::from_upgraded(far, Role::Server);
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(message.len(), 10_000);
    assert_eq!(socket.recv().await.unwrap(), None);
    assert!(channel.closed().await.unwrap().clean);
}

/// A server over a transport that never ends, polled in a task of its own.
fn serve<T>(stream: T)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut socket = accept(NeverEnds(stream)).await.unwrap();
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    });
}

#[tokio::test(start_paused = true)]
async fn l25_a_servers_end_is_known_though_its_transport_does_not_shut_down() {
    let (near, far) = duplex(1024);
    let client: WebSocketChannel = WebSocket::from_upgraded(near, Role::Client).into();
    let server = WebSocket::from_upgraded(NeverEnds(far), Role::Server);
    let server = WebSocketChannel::from(server);
    let start = Instant::now();
    let (closed, told) = tokio::join!(server.close_with(4000, "bye").unwrap(), client.closed());
    assert!(start.elapsed().is_zero());
    let (closed, told) = (closed.unwrap(), told.unwrap());
    assert!(closed.clean && told.clean && told.code == 4000);
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn l25_the_end_is_known_over_tls_though_it_stays_open() {
    use std::sync::Arc;

    use crate::support::certificates::Authority;

    let authority = Authority::new("A root");
    let config = Arc::new(authority.issue("a.example").server());
    let (near, far) = duplex(1024);
    tokio::spawn(async move {
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(far).await;
        serve(stream.unwrap());
    });
    let connecting = connect("wss://a.example/").tls_roots(authority.pem.as_str());
    let channel = WebSocketChannel::from(connecting.over(near).await.unwrap());
    let start = Instant::now();
    assert!(channel.close().await.unwrap().clean);
    assert!(start.elapsed().is_zero());
}

#[test]
fn l25_a_program_without_a_runtime_does_not_wait_for_tcp_to_end() {
    let (url, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            url.send(format!("ws://{address}/")).unwrap();
            serve(listener.accept().await.unwrap().0);
            std::future::pending::<()>().await;
        });
    });
    let mut channel = WebSocketChannel::connect(told.recv().unwrap());
    channel.try_send("Hello!").unwrap();
    channel.blocking_recv().unwrap().unwrap();
    let start = std::time::Instant::now();
    assert!(channel.close().wait().unwrap().clean);
    // Some milliseconds; the close timeout is 10 s.
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn l25_the_runtime_may_be_dropped_right_after() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let [reads, ..] = peers(Role::Client);
    let (channel, log, info) = runtime.block_on(async {
        let (socket, log) = end(Script::new(reads), Role::Client);
        let mut channel = WebSocketChannel::from(socket);
        let info = channel.close().await.unwrap();
        assert!(channel.recv().await.unwrap().is_none());
        (channel, log, info)
    });
    assert!(!is_dropped(&log), "it lingers");
    drop(runtime);
    assert!(is_dropped(&log));
    assert_eq!(channel.closed().wait().unwrap(), info);
}

/// A client's channel in whose queue three messages wait, and the server's end.
async fn unread() -> (WebSocketChannel, WebSocket<DuplexStream>) {
    let (near, far) = duplex(1024);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    let mut server = WebSocket::from_upgraded(far, Role::Server);
    for text in UNREAD {
        server.send(text).await.unwrap();
    }
    settle().await;
    (channel, server)
}

const UNREAD: [&str; 3] = ["one", "two", "three"];

/// Closes a channel, to which the server sends one more message before it answers the close frame.
async fn close(channel: &WebSocketChannel, server: &mut WebSocket<DuplexStream>) {
    let closing = channel.close();
    server.send("late").await.unwrap();
    let (closed, received) = tokio::join!(closing, server.recv());
    assert_eq!(received.unwrap(), None);
    assert!(closed.unwrap().clean);
    assert_eq!(channel.state(), ChannelState::Closed);
}

type Reader = fn(WebSocketChannel) -> Vec<String>;

/// All ways to read a channel to its end.
const READERS: [(&str, Reader); 4] = [
    ("recv", |mut channel| {
        let mut messages = Vec::new();
        while let Some(message) = channel.recv().now_or_never().unwrap().unwrap() {
            messages.push(message.to_string());
        }
        messages
    }),
    ("Stream", |channel| {
        let all = channel.map(|message| message.unwrap().to_string());
        all.collect().now_or_never().unwrap()
    }),
    ("try_recv", |mut channel| {
        let next = || {
            channel
                .try_recv()
                .unwrap()
                .map(|message| message.to_string())
        };
        std::iter::from_fn(next).collect()
    }),
    ("blocking_recv", |mut channel| {
        let read = move || {
            let next = || {
                channel
                    .blocking_recv()
                    .unwrap()
                    .map(|message| message.to_string())
            };
            std::iter::from_fn(next).collect()
        };
        std::thread::spawn(read).join().unwrap()
    }),
];

#[tokio::test(start_paused = true)]
async fn l32_what_came_before_close_is_given_out_and_what_comes_later_is_not() {
    for (name, read) in READERS {
        let (channel, mut server) = unread().await;
        close(&channel, &mut server).await;
        assert_eq!(read(channel), UNREAD, "{name}");

        // The same for a half that is left.
        let (channel, mut server) = unread().await;
        close(&channel, &mut server).await;
        let (sender, mut receiver) = channel.split();
        drop(sender);
        for text in UNREAD {
            assert_eq!(receiver.recv().await.unwrap(), Some(text.into()));
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn l32_it_is_given_out_before_the_end_is_while_the_channel_closes() {
    let (mut channel, mut server) = unread().await;
    channel.close();
    assert_eq!(channel.recv().await.unwrap(), Some("one".into()));
    settle().await;
    assert_eq!(channel.state(), ChannelState::Closing);
    assert_eq!(channel.recv().await.unwrap(), Some("two".into()));
    server.send("late").await.unwrap();
    settle().await;
    assert_eq!(channel.recv().await.unwrap(), Some("three".into()));
    assert!(channel.recv().now_or_never().is_none(), "it has not ended");
    assert_eq!(server.recv().await.unwrap(), None);
    assert_eq!(channel.recv().await.unwrap(), None);

    // An end that is an error comes behind the queue, too.
    let (mut channel, server) = unread().await;
    channel.close();
    drop(server);
    let info = channel.closed().await.unwrap();
    assert!(!info.clean);
    for text in UNREAD {
        assert_eq!(channel.recv().await.unwrap(), Some(text.into()));
    }
    let error = channel.recv().await.unwrap_err();
    assert!(matches!(error, Error::Closed(told) if told == info));
    assert_eq!(channel.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn l32_snapshots_of_a_closed_channel_show_the_newest_that_came_before() {
    let (channel, mut server) = unread().await;
    let watching = channel.snapshots();
    close(&channel, &mut server).await;
    let later = channel.snapshots();
    let owning = channel.into_snapshots();
    for snapshots in [watching, later, owning] {
        let snapshot = snapshots.latest();
        assert_eq!(snapshot.text(), "three");
        assert_eq!(snapshot.state, SnapshotState::Done);
    }
}
