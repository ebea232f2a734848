//! Typed messages: what goes and what comes are values of the program's own, in JSON.

use std::error::Error;

use shared::{ORDERS, Order, Said};
use talkback::{Codec, CodecError, Message, RecvError, Transport, WebSocket, WebSocketChannel};
use tokio::net::{TcpListener, TcpStream};

/// What client and server agree on: a crate that both depend on, where they are not one program.
#[expect(unreachable_pub, reason = "it stands for a crate of its own")]
mod shared {
    use serde::{Deserialize, Serialize};
    use talkback::Endpoint;

    #[derive(Serialize, Deserialize)]
    pub struct Order {
        pub what: String,
        pub count: u32,
    }

    #[derive(Serialize, Deserialize, Debug)]
    #[serde(tag = "type", content = "data")]
    pub enum Said {
        Taken { number: u64 },
        SoldOut(String),
    }

    /// Orders go to the server, what it says to them comes back.
    pub const ORDERS: Endpoint<Order, Said> = Endpoint::new("/orders");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Err(error) = serve(stream).await {
                    eprintln!("{error}");
                }
            });
        }
    });
    let url = format!("ws://{address}{}", ORDERS.path());
    let said = order(&url).await?;
    println!("{said:?}");
    anything(&url).await?;
    listen(&url).await?;
    numbers(&url).await?;
    Ok(())
}

async fn serve(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let socket = talkback::accept(stream).await?;
    let mut orders = ORDERS.server(socket); // or `ORDERS.server(WebSocketChannel::from(socket))`
    let mut number = 0;
    loop {
        match orders.recv().await {
            Ok(Some(order)) if order.count > 100 => orders.send(&Said::SoldOut(order.what)).await?,
            Ok(Some(_)) => {
                number += 1;
                orders.send(&Said::Taken { number }).await?;
            }
            Ok(None) => return Ok(()),
            Err(RecvError::Message { error, .. }) => {
                orders.close_with(1007, "not an order").await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn order(url: &str) -> Result<Option<Said>, Box<dyn Error>> {
    let channel = talkback::connect(url).reconnect().channel();
    let mut orders = ORDERS.client(channel);
    let order = Order {
        what: "apples".to_owned(),
        count: 10,
    };
    orders.send(&order).await?;
    let said = orders.recv().await?; // an `Option<Said>`: `None` after a normal close
    Ok(said)
}

async fn anything(url: &str) -> Result<(), Box<dyn Error>> {
    let channel = WebSocketChannel::connect(url);
    let mut channel = channel.json::<Order, serde_json::Value>();
    let order = Order {
        what: "pears".to_owned(),
        count: 1000,
    };
    channel.send(&order).await?;
    if let Some(said) = channel.recv().await? {
        println!("{}", said["data"]); // "pears"
    }
    channel.close().await?; // whatever is no message is the channel's own
    Ok(())
}

async fn listen(url: &str) -> Result<(), Box<dyn Error>> {
    let channel = WebSocketChannel::connect(url);
    let mut channel = channel.json::<str, Said>();
    channel.send("no order").await?;
    loop {
        match channel.recv().await {
            Ok(Some(said)) => println!("{said:?}"),
            Ok(None) => break,
            // It goes on behind it. `message` is what came.
            Err(RecvError::Message { error, message }) => {
                eprintln!("passed over {} bytes: {error}", message.len());
            }
            Err(error) => {
                println!("{error}"); // how the connection ended
                break;
            }
        }
    }
    Ok(())
}

/// Numbers as four bytes.
#[derive(Clone, Copy)]
struct BigEndian;

impl Codec<u32, u32> for BigEndian {
    fn encode(&self, value: &u32) -> Result<Message, CodecError> {
        Ok(Message::from(value.to_be_bytes().to_vec()))
    }

    fn decode(&self, message: &Message) -> Result<u32, CodecError> {
        match message.as_bytes().try_into() {
            Ok(bytes) => Ok(u32::from_be_bytes(bytes)),
            Err(_) => Err(CodecError::new("expected four bytes")),
        }
    }
}

async fn numbers(url: &str) -> Result<(), Box<dyn Error>> {
    let socket: WebSocket<Transport> = talkback::connect(url).await?;
    let mut numbers = talkback::Typed::new(socket, BigEndian);
    numbers.send(&7).await?;
    if let Err(error) = numbers.recv().await {
        println!("{error}"); // four bytes are no order: closed by the peer, code 1007 …
    }
    Ok(())
}
