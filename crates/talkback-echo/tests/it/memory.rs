//! What an idle connection costs, counted by the allocator on the thread that serves it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use talkback_echo::{EchoOptions, EchoServer};
use talkback_testing::heap;
use tokio::sync::oneshot;

const CONNECTIONS: usize = 500;

/// How a client's message leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Payload {
    Plain,
    Compressed,
}

/// Opens a WebSocket by hand, has one message echoed, and leaves it idle.
fn open(address: SocketAddr, payload: Payload) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    // Masked with a key of zeros; compressed as RFC 7692 §7.2.3.1 has it.
    let frame: &[u8] = match payload {
        Payload::Plain => b"\x81\x85\0\0\0\0Hello",
        Payload::Compressed => b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00",
    };
    stream.write_all(frame).unwrap();
    let mut echo = [0; 7];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x05Hello");
    stream
}

#[test]
fn an_idle_echo_connection_holds_at_most_4_kib_of_heap() {
    let bytes = heap_of_an_idle_connection(Payload::Plain);
    // Whoever counts nothing counts on the wrong thread.
    assert!((512..=4 * 1024).contains(&bytes), "{bytes} bytes");
}

#[test]
fn l29_a_client_that_compresses_costs_48_kib_more() {
    let bytes = heap_of_an_idle_connection(Payload::Compressed);
    assert!((33 * 1024..=52 * 1024).contains(&bytes), "{bytes} bytes");
}

fn heap_of_an_idle_connection(payload: Payload) -> isize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = EchoServer::bind(EchoOptions::default()).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        let mut streams = Vec::with_capacity(CONNECTIONS + 1);
        let mut before = 0;
        for number in 0..=CONNECTIONS {
            let opening = tokio::task::spawn_blocking(move || open(address, payload));
            streams.push(opening.await.unwrap());
            if number == 0 {
                before = heap::in_use();
            }
        }
        let bytes = (heap::in_use() - before) / CONNECTIONS.cast_signed();
        println!("an idle connection holds {bytes} bytes of heap, its task included");
        drop(streams);
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
        bytes
    })
}
