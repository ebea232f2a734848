//! A number or a structure is no message: it has to become text or bytes first.

struct Order {
    _price: u32,
}

fn example(channel: talkback::WebSocketChannel) -> Result<(), talkback::Error> {
    channel.try_send(42)?;
    channel.try_send(Order { _price: 42 })?;
    Ok(())
}

fn main() {
    let _ = example;
}
