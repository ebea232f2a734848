//! What connections leave behind that a channel has lost: nothing.

use super::*;

use talkback::Backoff;
use talkback_testing::heap::in_use;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

#[tokio::test(start_paused = true)]
async fn re91_reconnects_leave_nothing() {
    let rounds = match std::env::var_os("TALKBACK_SOAK") {
        Some(_) => 100_000,
        None => 20_000,
    };
    let metrics = Handle::current().metrics();
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let mut after_some = (0, 0);
    for round in 0..=rounds {
        accepted(&mut server).await.cut();
        in_state(&channel, ChannelState::Retrying).await;
        if round == rounds / 10 {
            after_some = (in_use(), metrics.num_alive_tasks());
        }
    }
    let after = (in_use(), metrics.num_alive_tasks());
    println!("{rounds} reconnects: {after_some:?} bytes of heap and tasks, then {after:?}");
    // Transports and timers lie on the heap.
    assert!(after.0 <= after_some.0 + 1024);
    assert_eq!(after.1, after_some.1);
    // No timer of theirs is left to run out.
    channel.pause();
    in_state(&channel, ChannelState::Paused).await;
    let parked = metrics.worker_park_count(0);
    tokio::time::sleep(LONG).await;
    let parked = metrics.worker_park_count(0) - parked;
    // The clock's wheels turn for this test's own timer alone.
    assert!(parked <= 5, "something ran {parked} times in a pause");
}

/// How many of this machine's sockets are connected to a port, and held open after the other end is gone.
#[cfg(target_os = "linux")]
fn left_open(port: u16) -> usize {
    const CLOSE_WAIT: &str = "08";
    let port = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let is_left = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let (remote, state) = (fields.next(), fields.next());
        state == Some(CLOSE_WAIT) && remote.is_some_and(|remote| remote.ends_with(&port))
    };
    table.lines().filter(is_left).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn re91_reconnects_leave_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wait = Duration::from_millis(1);
    let backoff = Backoff::default().first(wait).longest(wait);
    let connect = talkback::connect(format!("ws://127.0.0.1:{port}/"));
    let channel = connect.reconnect().backoff(backoff).channel();
    for round in 0..200 {
        let (stream, _) = listener.accept().await.unwrap();
        drop(talkback::accept(stream).await.unwrap());
        // The one before may still be on its way out.
        let left = left_open(port);
        assert!(left <= 1, "{left} after {round} connections");
    }
    drop(channel);
}
