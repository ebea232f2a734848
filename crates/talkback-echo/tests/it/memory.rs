//! What an idle connection costs, counted by the allocator on the thread that serves it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use talkback_echo::{EchoOptions, EchoServer};
use talkback_testing::heap;
use tokio::sync::oneshot;

const CONNECTIONS: usize = 500;

/// Opens a WebSocket by hand, has one message echoed, and leaves it idle.
fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    // Masked with a key of zeros.
    stream.write_all(b"\x81\x85\0\0\0\0Hello").unwrap();
    let mut echo = [0; 7];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x05Hello");
    stream
}

#[test]
fn an_idle_echo_connection_holds_at_most_4_kib_of_heap() {
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
            let opening = tokio::task::spawn_blocking(move || open(address));
            streams.push(opening.await.unwrap());
            if number == 0 {
                before = heap::in_use();
            }
        }
        let bytes = (heap::in_use() - before) / CONNECTIONS.cast_signed();
        println!("an idle connection holds {bytes} bytes of heap, its task included");
        // Whoever counts nothing counts on the wrong thread.
        assert!((1024..=4 * 1024).contains(&bytes), "{bytes} bytes");
        drop(streams);
        stop.send(()).unwrap();
        running.await.unwrap();
    });
}
