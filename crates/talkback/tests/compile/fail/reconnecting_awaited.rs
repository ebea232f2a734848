//! What reconnects is a channel: one connection cannot.

async fn example() {
    let _ = talkback::connect("wss://echo.example/").reconnect().await;
}

fn main() {
    let _ = example;
}
