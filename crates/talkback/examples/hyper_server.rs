//! An echo server on hyper 1: `cargo run --example hyper_server --features upgrade [ADDRESS]`.
//!
//! The address is 127.0.0.1:9001 unless another is given; port 0 takes any that is free.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use talkback::{UpgradeBody, Upgrading};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream));
            }
            Err(error) => {
                // Out of descriptors, perhaps: others may close theirs meanwhile.
                eprintln!("could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream) {
    let connection = http1::Builder::new()
        // With a timer, hyper gives a client 30 s for its request.
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(open))
        .with_upgrades();
    if let Err(error) = connection.await {
        eprintln!("{error}");
    }
}

async fn open(mut request: Request<Incoming>) -> Result<Response<UpgradeBody>, Infallible> {
    let (response, upgrading) = talkback::upgrade(&mut request).answer();
    tokio::spawn(async move {
        if let Err(error) = echo(upgrading).await {
            eprintln!("{error}");
        }
    });
    Ok(response)
}

async fn echo(upgrading: Upgrading) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = upgrading.await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
