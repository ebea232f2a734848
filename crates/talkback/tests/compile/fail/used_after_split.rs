//! Splitting takes the channel apart: go on with the halves.

async fn example(channel: talkback::WebSocketChannel) {
    let (_sender, _receiver) = channel.split();
    channel.close();
}

fn main() {
    let _ = example;
}
