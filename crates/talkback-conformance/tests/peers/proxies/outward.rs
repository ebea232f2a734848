//! Out through a proxy, as the page says it is done by hand.

use std::io;
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::backend::Backend;
use super::site::{Kind, Site};
use crate::program::{Program, folder, free_port};

const CONFIG: &str = "http_access allow localhost
cache deny all
pid_filename none
access_log none
cache_store_log none
cache_log /dev/null
pinger_enable off
shutdown_lifetime 0 seconds
";

/// Asks a proxy for a connection to `authority`, such as `chat.example.com:443`.
async fn tunnel(proxy: &str, authority: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    let head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < 16_384 {
        answer.push(stream.read_u8().await?);
    }
    match answer.get(9..12) {
        Some(b"200") => Ok(stream),
        _ => Err(io::Error::other(String::from_utf8_lossy(&answer))),
    }
}

#[tokio::test]
async fn squid_leads_to_the_site() {
    let backend = Backend::start().await;
    let site = Site::start(Kind::Nginx, "outward", backend.port, &[]);
    let (folder, port) = (folder("squid"), free_port());
    let config = folder.join("config");
    std::fs::write(&config, format!("http_port 127.0.0.1:{port}\n{CONFIG}")).unwrap();
    let mut command = Command::new("squid");
    // Its shared memory has a name of its own, beside that of a squid which the machine runs.
    command.args(["-N", "-n", "talkback", "-f"]);
    command.arg(config).current_dir(folder);
    // It tells of its start.
    let _squid = Program::serve(command.stderr(Stdio::null()), port);

    let proxy = format!("127.0.0.1:{port}");
    let stream = tunnel(&proxy, &format!("127.0.0.1:{}", site.port)).await;
    let mut socket = site.open_over(stream.unwrap()).await.unwrap();
    socket.send("안녕하세요").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("안녕하세요".into()));

    // Nothing listens at this port, which squid says by an answer of 503.
    let error = tunnel(&proxy, "127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains(" 503 "), "{error}");
}
