//! What a transport and a slow client do to an accept, in virtual time.

use std::future::IntoFuture;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use talkback::{AcceptError, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Read, Script, written};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn v34_an_interrupted_transport_opens_all_the_same() {
    let interrupted = Read::Error(io::ErrorKind::Interrupted);
    let part = |range| Read::Bytes(Bytes::from_static(&REQUEST.as_bytes()[range]));
    let reads = [
        interrupted.clone(),
        part(0..1),
        interrupted.clone(),
        interrupted,
        part(1..REQUEST.len()),
        Read::Silence,
    ];
    let script = Script::new(reads).interrupts_writes();
    let log = script.log.clone();
    accept(script).await.unwrap();
    let response = String::from_utf8(written(&log)).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

/// Asks for a page of 200 KB that the server has; the client's end, and what became of the accept.
async fn ask(io: DuplexStream) -> AcceptError {
    let accepting = accept(io).otherwise(|_| Response::new(vec![b'x'; 200_000].into()));
    accepting.await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_the_whole_answer() {
    let (io, mut client) = duplex(1000);
    let asking = tokio::spawn(ask(io));
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // 10 KB a second: 20 s.
    let (mut taken, mut part) = (0, [0; 1000]);
    while let size @ 1.. = client.read(&mut part).await.unwrap() {
        taken += size;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(taken > 200_000, "{taken}");
    drop(client);
    assert!(matches!(asking.await.unwrap(), AcceptError::Answered(_)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_left() {
    let (io, mut client) = duplex(1000);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    let asked = timeout(Duration::from_secs(60), ask(io)).await.unwrap();
    assert!(matches!(asked, AcceptError::Answered(_)));
    assert_eq!(start.elapsed().as_secs(), 10, "of virtual time");

    // One that is refused is waited for less.
    let (io, mut client) = duplex(16);
    let asking = tokio::spawn(accept(io).into_future());
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    assert!(asking.await.unwrap().is_err());
    assert_eq!(start.elapsed().as_secs(), 2, "of virtual time");
}
