//! Nothing happens until it is awaited.

#![deny(warnings)]

async fn example(channel: talkback::WebSocketChannel) {
    talkback::connect("wss://echo.example/");
    channel.ready();
    channel.closed();
    channel.send("Hello!");
}

fn main() {
    let _ = example;
}
