//! When it fails: before it is open, and after.

use std::error::Error;

use talkback::{CloseCause, ConnectError, Initiator, WebSocketChannel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    before().await;
    after().await;
    Ok(())
}

async fn before() {
    let channel = WebSocketChannel::connect("ws://127.0.0.1:1/");
    match channel.ready().await {
        Ok(()) => println!("open"),
        Err(talkback::Error::Connect(ConnectError::Tcp { url, .. })) => {
            println!("nobody listens at {url}");
        }
        Err(error) => println!("{error}"), // says what was tried, what happened, what to do
    }
}

async fn after() {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    loop {
        match channel.recv().await {
            Ok(Some(message)) => println!("{message}"),
            Ok(None) => break,                 // a normal close
            Err(error) => println!("{error}"), // once; then comes `None`
        }
    }
    let Some(info) = channel.close_info() else {
        return;
    };
    let who = match info.initiator {
        Initiator::Local => "this end",
        Initiator::Remote => "the server",
    };
    println!("{who}: {} {:?}", info.code, info.reason);
    match info.cause {
        CloseCause::ClosingHandshake => println!("close frames went both ways"),
        CloseCause::NotOpened(why) => println!("it was never open: {why}"),
        CloseCause::KeepaliveTimeout => println!("the network is gone, or the server hangs"),
        cause => println!("{cause}"),
    }
}
