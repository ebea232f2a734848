//! Starting and stopping from wherever a program stands.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use talkback::server::{Connections, Drain};
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
        assert!(socket.recv().await.is_err());
        let info = socket.close_info().unwrap();
        assert_eq!(
            (info.code.number(), &*info.reason),
            (1012, "the server restarts")
        );
    }
}

#[tokio::test]
async fn a_drain_of_ones_own_has_another_code() {
    let drain = Drain::default().close_with(1001, "").unwrap();
    let echo = Echo::start(EchoOptions::default().drain(drain)).unwrap();
    let mut socket = talkback::connect(echo.url()).await.unwrap();
    drop(echo);
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.close_info().unwrap().code, 1001);
}

#[test]
fn a_limit_that_cannot_be_is_told_by_the_start() {
    let nobody = Connections::new().max(0);
    let refused = Echo::start(EchoOptions::default().connections(nobody));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
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
    let connections = Connections::new();
    let options = EchoOptions::default().connections(connections.clone());
    let server = EchoServer::bind(options).await.unwrap();
    let url = server.url();
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut socket = talkback::connect(url).await.unwrap();
    assert_eq!(connections.len(), 1);
    running.abort();
    let _ = running.await;
    let ended = timeout(Duration::from_secs(5), socket.recv()).await;
    assert!(ended.expect("it is closed").is_err());
    assert_eq!(socket.close_info().unwrap().code, 1012);
}
