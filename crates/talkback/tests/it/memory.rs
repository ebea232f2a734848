//! What an idle connection costs, counted by the allocator.

use std::io::{Read, Write};
use std::net::TcpStream;

use talkback::{ChannelState, Connect, Message, Verdict, WebSocket, WebSocketChannel};
use talkback_testing::heap;
use tokio::net::TcpListener;

const CONNECTIONS: usize = 200;

/// The most that an open channel may hold which reconnects, with the server's end.
const OPEN_MAX: isize = 6912;

/// The most that it may hold while it waits.
const WAITING_MAX: isize = 4352;

/// Asks for a WebSocket by hand, without heap of ours. The kernel takes connection and request before anybody accepts it.
fn ask_by_hand(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .unwrap();
    stream
}

/// The answer, which has been written.
fn read_answer(stream: &mut TcpStream) {
    let mut head = [0; 512];
    let size = stream.read(&mut head).unwrap();
    assert!(head[..size].starts_with(b"HTTP/1.1 101"));
}

/// All on one thread, whose heap is counted.
#[test]
fn re126_idle_connections_cost_little() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (socket, size) = socket_bytes(async |stream| {
            let mut socket = talkback::accept(stream).await.unwrap();
            socket.send("hello").await.unwrap();
            socket
        })
        .await;
        println!("an idle WebSocket<TcpStream> holds {socket} bytes of heap beside itself");
        println!("and is {size} bytes itself");
        assert!(size <= 80 && socket + size <= 832);
        let (channel, channels, _) = open_channels(Connect::channel).await;
        drop(channels);
        println!("an idle WebSocketChannel holds {channel} bytes of heap, its driver and the server's end included");
        assert!(channel <= 4352);
        let (channel, channels, peers) = open_channels(that_reconnects).await;
        println!("one that reconnects holds {channel}");
        assert!(channel <= OPEN_MAX);
        let waiting = waiting_bytes(channels, peers).await;
        println!("and {waiting} while it waits to connect again");
        assert!(waiting <= WAITING_MAX);
        let peak = echo_peak_bytes().await;
        println!("10,000 echoes of 1 KiB from 100 tasks hold at most {peak} bytes of heap at once");
        assert!(peak <= 4 * 1024 * 1024);
    });
}

/// What an accepted socket holds beside itself after a message each way, when nothing may be left over; and its size.
pub(crate) async fn socket_bytes<S>(
    accept: impl AsyncFn(tokio::net::TcpStream) -> S,
) -> (isize, isize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut sockets = Vec::with_capacity(CONNECTIONS + 1);
    let mut peers = Vec::with_capacity(CONNECTIONS + 1);
    let mut before = 0;
    for number in 0..=CONNECTIONS {
        // On this thread, whose heap is counted: what another one frees would not be.
        let mut peer = ask_by_hand(port);
        let (stream, _) = listener.accept().await.unwrap();
        let socket = accept(stream).await;
        read_answer(&mut peer);
        peers.push(peer);
        sockets.push(socket);
        if number == 0 {
            before = heap::in_use();
        }
    }
    let bytes = (heap::in_use() - before) / CONNECTIONS as isize;
    (bytes, size_of::<S>() as isize)
}

type Peers = Vec<WebSocket<tokio::net::TcpStream>>;

/// What a channel costs that is open, with the server's end: that is in the same process, and is counted with it.
async fn open_channels(
    open: impl Fn(Connect) -> WebSocketChannel,
) -> (isize, Vec<WebSocketChannel>, Peers) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut channels = Vec::with_capacity(CONNECTIONS + 1);
    let mut peers = Vec::with_capacity(CONNECTIONS + 1);
    let mut before = 0;
    for number in 0..=CONNECTIONS {
        let mut channel = open(talkback::connect(url.as_str()));
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = talkback::accept(stream).await.unwrap();
        peer.send("hello").await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some(Message::from("hello")));
        channel.send("hello").await.unwrap();
        assert_eq!(peer.recv().await.unwrap(), Some(Message::from("hello")));
        channels.push(channel);
        peers.push(peer);
        if number == 0 {
            before = heap::in_use();
        }
    }
    let bytes = (heap::in_use() - before) / CONNECTIONS as isize;
    (bytes, channels, peers)
}

/// It waits for longer than any test.
fn that_reconnects(connect: Connect) -> WebSocketChannel {
    let in_an_hour = Verdict::RetryAfter(std::time::Duration::from_secs(3600));
    connect.reconnect().decide(move |_, _| in_an_hour).channel()
}

/// What it costs while it waits.
async fn waiting_bytes(mut channels: Vec<WebSocketChannel>, peers: Peers) -> isize {
    drop(peers);
    for channel in &channels {
        while channel.state() != ChannelState::Retrying || channel.link().next_try_in().is_none() {
            tokio::task::yield_now().await;
        }
    }
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (before, running) = (heap::in_use(), tasks());
    drop(channels.split_off(1));
    while tasks() > running - CONNECTIONS {
        tokio::task::yield_now().await;
    }
    (before - heap::in_use()) / CONNECTIONS as isize
}

/// The most heap in use while 100 tasks send over one channel's senders, all at once.
async fn echo_peak_bytes() -> isize {
    // The drivers of what was dropped before have ended by then.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let before = heap::in_use();
    let (mut client, mut server) = talkback::pair();
    tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            if server.send(message).await.is_err() {
                break;
            }
        }
    });
    for _ in 0..100 {
        let sender = client.sender();
        tokio::spawn(async move {
            for _ in 0..100 {
                sender.send(vec![0; 1024]).await.unwrap();
            }
        });
    }
    let mut peak = 0;
    for _ in 0..10_000 {
        client.recv().await.unwrap().unwrap();
        peak = peak.max(heap::in_use() - before);
    }
    client.close().await.unwrap();
    peak
}
