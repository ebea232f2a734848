//! Starting and stopping from wherever a program stands.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use talkback_echo::{Echo, EchoOptions, EchoServer};
use tokio::time::timeout;

#[test]
fn one_server_serves_all_threads() {
    static ECHO: LazyLock<Echo> = LazyLock::new(|| talkback_echo::start().unwrap());
    let clients = [(); 2].map(|()| {
        thread::spawn(|| {
            let mut channel = talkback::connect(ECHO.url()).channel();
            channel.try_send("Hello!").unwrap();
            channel.blocking_recv().unwrap()
        })
    });
    for client in clients {
        assert_eq!(client.join().unwrap(), Some("Hello!".into()));
    }
}

#[tokio::test]
async fn a_drop_within_async_closes_every_connection() {
    let echo = talkback_echo::start().unwrap();
    let url = echo.url().to_owned();
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(talkback::connect(&*url).await.unwrap());
    }
    drop(echo);
    for mut socket in sockets {
        assert_eq!(socket.recv().await.unwrap(), None);
        assert_eq!(socket.close_info().unwrap().code, 1001);
    }
}

#[tokio::test]
async fn an_address_is_free_again_once_its_server_is_dropped() {
    for _ in 0..100 {
        let echo = talkback_echo::start().unwrap();
        let address = echo.local_addr();
        let again = Echo::start(EchoOptions::default().listen(address));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(echo);
        assert!(TcpStream::connect(address).is_err());
        drop(Echo::start(EchoOptions::default().listen(address)).unwrap());
    }
}

#[tokio::test]
async fn localhost_is_both_loopbacks() {
    let echo = Echo::start(EchoOptions::default().listen_localhost(0)).unwrap();
    let port = echo.local_addr().port();
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let mut socket = talkback::connect(format!("ws://{host}:{port}/"))
            .await
            .unwrap();
        socket.send("Hello!").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("Hello!".into()));
    }
    let again = Echo::start(EchoOptions::default().listen_localhost(port));
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(echo);
    assert!(TcpStream::connect(("::1", port)).is_err());
    // Somebody else has the port on one of them.
    let taken = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = Echo::start(EchoOptions::default().listen_localhost(port));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_dropped_run_closes_although_its_connections_are_counted() {
    let server = EchoServer::bind(EchoOptions::default()).await.unwrap();
    let (url, count) = (server.url(), server.connection_count());
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut socket = talkback::connect(url).await.unwrap();
    assert_eq!(count.now(), 1);
    running.abort();
    let _ = running.await;
    let ended = timeout(Duration::from_secs(5), socket.recv()).await;
    assert_eq!(ended.expect("it is closed").unwrap(), None);
}
