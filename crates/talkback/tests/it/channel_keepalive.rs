//! The keepalive of a channel: on unless it was turned off, whoever opened the socket, and just to a
//! peer that reads slowly; in virtual time.

use std::time::Duration;

use talkback::{CloseCause, Error, Keepalive, Role, WebSocket, WebSocketChannel, accept, connect};
use talkback_proto::Opcode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Fin, masked};

const HOUR: Duration = Duration::from_secs(3600);

/// How many seconds it takes until a channel finds that its peer, which was stopped, is dead.
async fn seconds_to_death<T>(socket: WebSocket<T>) -> u64
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut channel = WebSocketChannel::from(socket);
    let start = Instant::now();
    let end = timeout(HOUR, channel.recv()).await;
    let end = end.expect("a peer that was stopped is noticed within an hour");
    assert!(
        matches!(&end, Err(Error::Closed(info)) if info.cause == CloseCause::KeepaliveTimeout),
        "{end:?}"
    );
    start.elapsed().as_secs()
}

fn end(role: Role) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1024);
    (WebSocket::from_upgraded(near, role), far)
}

#[tokio::test(start_paused = true)]
async fn l31_a_channel_over_any_socket_has_a_keepalive_by_default() {
    for role in [Role::Client, Role::Server] {
        let (socket, _stopped) = end(role);
        assert_eq!(seconds_to_death(socket).await, 40, "{role:?}");
    }

    // Neither is polled before it becomes a channel, and the other not at all.
    let handshake = || async {
        let (near, far) = duplex(1024);
        let (client, server) = tokio::join!(connect("ws://a/").over(near), accept(far));
        (client.unwrap(), server.unwrap())
    };
    let (_stopped, server) = handshake().await;
    assert_eq!(seconds_to_death(server).await, 40, "accept");
    let (client, _stopped) = handshake().await;
    assert_eq!(seconds_to_death(client).await, 40, "connect over a stream");

    let (client, server) = talkback::pair();
    sleep(Duration::from_secs(21)).await;
    // The ping of one is a sign of life to the other, which need not ask any more.
    assert!(client.latency().or(server.latency()).is_some());
}

#[tokio::test]
async fn l31_a_channel_over_a_socket_that_was_connected_has_one_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let accepting = async { accept(listener.accept().await.unwrap().0).await };
    let (client, stopped) = tokio::join!(connect(url), accepting);
    let _stopped = stopped.unwrap();
    tokio::time::pause();
    assert_eq!(seconds_to_death(client.unwrap()).await, 40);
}

#[tokio::test(start_paused = true)]
async fn l31_a_keepalive_that_was_set_stays() {
    let (mut socket, _stopped) = end(Role::Server);
    socket.set_keepalive(Duration::from_secs(3));
    assert_eq!(seconds_to_death(socket).await, 6);

    // Off is set, too.
    let (mut off, _stopped) = end(Role::Server);
    off.set_keepalive(Keepalive::OFF);
    let (near, far) = duplex(1024);
    let connecting = connect("ws://a/").keepalive(Keepalive::OFF).over(near);
    let accepting = accept(far).keepalive(Keepalive::OFF);
    let (client, server) = tokio::join!(connecting, accepting);
    let mut channels: [WebSocketChannel; 3] =
        [off.into(), client.unwrap().into(), server.unwrap().into()];
    for channel in &mut channels {
        assert!(timeout(HOUR, channel.recv()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn l31_a_socket_that_is_polled_has_none_by_default() {
    let (mut socket, _stopped) = end(Role::Server);
    assert!(timeout(HOUR, socket.recv()).await.is_err());
    let (near, far) = duplex(1024);
    let (client, server) = tokio::join!(connect("ws://a/").over(near), accept(far));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    assert!(timeout(HOUR, client.recv()).await.is_err());
    assert!(timeout(HOUR, server.recv()).await.is_err());
}

/// A server's channel with the default keepalive over a transport that holds `buffer` bytes, and the
/// client's end.
fn watched(buffer: usize) -> (WebSocketChannel, DuplexStream) {
    let (near, far) = duplex(buffer);
    (WebSocket::from_upgraded(near, Role::Server).into(), far)
}

/// Reads 100 kB a second until `size` bytes are read.
async fn read_slowly(client: &mut DuplexStream, mut size: usize) {
    let mut bytes = vec![0; 100_000];
    while size > 0 {
        sleep(Duration::from_secs(1)).await;
        let count = size.min(bytes.len());
        client.read_exact(&mut bytes[..count]).await.unwrap();
        size -= count;
    }
}

/// The first ping of a keepalive, as a server sends it.
const PING: [u8; 10] = [0x89, 8, 0, 0, 0, 0, 0, 0, 0, 1];

/// A transport whose buffers take all of 8 MB at once, and one that is full most of the time.
#[tokio::test(start_paused = true)]
async fn l28_a_peer_that_reads_100_kb_a_second_is_alive() {
    const SIZE: usize = 8_000_000;
    for buffer in [16 << 20, 1 << 20] {
        let (mut channel, mut client) = watched(buffer);
        channel.try_send(vec![0; SIZE]).unwrap();
        let reading = async {
            read_slowly(&mut client, 10 + SIZE).await;
            // The ping stands behind the message, in the buffers or before them.
            let mut ping = [0; PING.len()];
            client.read_exact(&mut ping).await.unwrap();
            assert_eq!(ping, PING);
            let pong = masked(Fin::Last, Opcode::Pong, &ping[2..]);
            client.write_all(&pong).await.unwrap();
            let text = masked(Fin::Last, Opcode::Text, b"read");
            client.write_all(&text).await.unwrap();
        };
        let start = Instant::now();
        let ((), received) = tokio::join!(reading, channel.recv());
        assert_eq!(received.unwrap(), Some("read".into()), "{buffer}");
        assert!(start.elapsed().as_secs() >= 80);
        assert!(channel.latency().is_some());

        // When it stops then, it is noticed in the usual time.
        let start = Instant::now();
        channel.recv().await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 40, "{buffer}");
    }
}

#[tokio::test(start_paused = true)]
async fn l28_a_peer_that_has_vanished_is_given_up_whatever_is_sent_to_it() {
    // Little, which the transport takes, and more than it takes.
    for message in [vec![0; 100], vec![0; 1_000_000]] {
        let (mut channel, _vanished) = watched(64 * 1024);
        let sender = channel.sender();
        let sending = async {
            while sender.send(message.as_slice()).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let start = Instant::now();
        let receiving = async {
            channel.recv().await.unwrap_err();
            start.elapsed().as_secs()
        };
        let ((), seconds) = tokio::join!(sending, receiving);
        assert_eq!(seconds, 40, "{} bytes", message.len());
    }
}
