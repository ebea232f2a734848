//! Values of the program's own through channels, halves and sockets.

mod dropped;
mod errors;
mod sending;

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use talkback::{
    ChannelState, Codec, CodecError, Endpoint, Error, Json, Message, RecvError, Role, Typed,
    WebSocket, pair,
};
use tokio::io::duplex;

/// A type with what types have: fields, an array, a map, variants, and a field that may be missing.
#[derive(Clone, Serialize, Deserialize, Debug, Default, PartialEq)]
struct Order {
    name: String,
    lines: Vec<Line>,
    notes: BTreeMap<String, u32>,
    how: How,
    gift: Option<bool>,
}

#[derive(Clone, Serialize, Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    count: u8,
}

#[derive(Clone, Serialize, Deserialize, Debug, Default, PartialEq)]
enum How {
    #[default]
    Post,
    Ship(u16, f32),
    Fetch {
        at: u64,
    },
}

/// What says no to all that it is made of.
#[derive(Deserialize, Debug, PartialEq)]
#[serde(try_from = "String")]
struct Never;

impl TryFrom<String> for Never {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(text)
    }
}

fn order() -> Order {
    Order {
        name: "안녕 \"a\"\n".to_owned(),
        lines: vec![Line { count: 1 }, Line { count: 255 }],
        notes: BTreeMap::from([("a".to_owned(), 1)]),
        how: How::Fetch { at: u64::MAX },
        gift: None,
    }
}

fn sockets() -> (
    WebSocket<tokio::io::DuplexStream>,
    WebSocket<tokio::io::DuplexStream>,
) {
    let (client, server) = duplex(64 * 1024);
    (
        WebSocket::from_upgraded(client, Role::Client),
        WebSocket::from_upgraded(server, Role::Server),
    )
}

#[tokio::test]
async fn ts1_a_value_goes_as_one_text_of_json_and_comes_as_the_same() {
    let (client, server) = sockets();
    let mut client = client.json::<Order, ()>();
    let mut server = server.json::<str, Order>();
    for how in [How::Post, How::Ship(3, 0.5), How::Fetch { at: 7 }] {
        let order = Order { how, ..order() };
        client.send(&order).await.unwrap();
        assert_eq!(server.recv().await.unwrap(), Some(order.clone()));
        client.feed(&order).await.unwrap();
        client.flush().await.unwrap();
        let message = (*server).recv().await.unwrap().unwrap();
        assert_eq!(
            message,
            Message::text(serde_json::to_string(&order).unwrap())
        );
    }
    client.close().await;
    assert!(server.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn ts2_what_comes_may_be_binary_and_say_more_than_the_type_knows() {
    let (client, mut server) = pair();
    let text = r#" {"count": 7, "more": [1, {"a": null}], "at": "x"} "#;
    #[derive(Deserialize, PartialEq, Debug)]
    struct Count {
        count: u32,
    }
    client.send(text.as_bytes()).await.unwrap();
    client.send(text).await.unwrap();
    // Escapes in a field's name.
    client.send(r#"{"co\u0075nt": 7}"#).await.unwrap();
    for _ in 0..3 {
        let mut typed = server.json::<(), Count>();
        assert_eq!(typed.recv().await.unwrap(), Some(Count { count: 7 }));
        server = typed.into_inner();
    }
}

#[tokio::test]
async fn ts5_a_bad_message_is_handed_back_and_the_stream_goes_on_behind_it() {
    let (client, server) = pair();
    let mut server = server.json::<(), u32>();
    let messages = ["1", r#""two""#, "3", "four", "5", "6", "7"];
    for message in messages {
        client.send(message).await.unwrap();
    }
    client.send(Vec::from(b"\xff")).await.unwrap();
    client.close_with(3001, "enough").unwrap();
    let mut seen = Vec::new();
    loop {
        // The ways to receive, one after the other.
        let next = match seen.len() % 3 {
            0 => server.recv().await,
            1 => server.next().await.transpose(),
            _ => server.try_recv(),
        };
        match next {
            Ok(Some(number)) => seen.push(number.to_string()),
            Ok(None) => break,
            Err(RecvError::Message { message, .. }) => seen.push(format!("{message}?")),
            Err(RecvError::Ended(Error::Closed(info))) => seen.push(info.code.to_string()),
            Err(error) => panic!("{error}"),
        }
    }
    let expected = [
        "1",
        "\"two\"?",
        "3",
        "four?",
        "5",
        "6",
        "7",
        "1 bytes of binary data?",
        "3001",
    ];
    let shown = Message::from(vec![0]).to_string();
    let expected = expected.map(|text| text.replace("1 bytes of binary data", &shown));
    assert_eq!(seen, expected);
}

#[test]
fn ts5_a_program_without_a_runtime_goes_on_as_well() {
    let (client, server) = pair();
    let (sender, mut server) = (client.json::<str, ()>(), server.json::<(), u32>());
    sender.blocking_send("no number").unwrap();
    (*sender).blocking_send("7").unwrap();
    let bad = server.blocking_recv().unwrap_err();
    assert!(matches!(bad, RecvError::Message { .. }), "{bad}");
    assert_eq!(server.blocking_recv().unwrap(), Some(7));
}

#[tokio::test]
async fn ts6_halves_and_senders_are_typed_and_the_rest_is_the_channels() {
    let (client, server) = pair();
    let client = client.json::<u32, String>();
    client.ready().await.unwrap();
    assert_eq!(client.state(), ChannelState::Open);
    let other = client.sender();
    let (sender, mut receiver) = client.split();
    let mut sink = sender.clone();
    let (server_sender, server_receiver) = server.json::<String, u32>().split();
    sender.send(&1).await.unwrap();
    other.try_send(&2).unwrap();
    let receipt = sender.send_tracked(&3).unwrap();
    SinkExt::send(&mut sink, 4).await.unwrap();
    assert_eq!(receipt.await, talkback::Fate::Written { connection: 1 });
    let four: Vec<_> = server_receiver.take(4).map(Result::unwrap).collect().await;
    assert_eq!(four, [1, 2, 3, 4]);
    server_sender.send(&"five".to_owned()).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap(), "five");
    assert_eq!(receiver.try_recv().unwrap(), None);
    assert!(sender.close().await.unwrap().clean);
}

#[tokio::test]
async fn ts6_halves_of_a_socket_are_a_typed_stream_and_sink() {
    let (client, server) = sockets();
    let (mut sink, mut stream) = client.json::<u32, u32>().split::<u32>();
    let mut server = server.json::<u32, u32>();
    let serving = async {
        let number = server.recv().await.unwrap().unwrap();
        server.send(&(number + 1)).await.unwrap();
        server.close().await;
    };
    let asking = async {
        sink.send(1).await.unwrap();
        let answer = stream.next().await.unwrap().unwrap();
        assert!(stream.next().await.is_none());
        answer
    };
    let ((), answer) = tokio::join!(serving, asking);
    assert_eq!(answer, 2);
}

#[tokio::test]
async fn ts9_an_endpoint_gives_each_end_its_direction() {
    const ORDERS: Endpoint<String, u64> = Endpoint::new("/orders");
    assert_eq!(ORDERS.path(), "/orders");
    let (client, server) = sockets();
    let mut client = ORDERS.client(client);
    let mut server = ORDERS.server(talkback::WebSocketChannel::from(server));
    client.send(&"apples".to_owned()).await.unwrap();
    let order: String = server.recv().await.unwrap().unwrap();
    server.send(&(order.len() as u64)).await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(6));
}

#[test]
#[should_panic = "the path of an endpoint begins with `/`"]
fn ts9_a_path_without_its_slash_is_refused() {
    let _ = Endpoint::<(), ()>::new("orders");
}

/// Numbers as their bytes.
#[derive(Clone)]
struct BigEndian;

impl Codec<u32, u32> for BigEndian {
    fn encode(&self, value: &u32) -> Result<Message, CodecError> {
        Ok(Message::from(value.to_be_bytes().to_vec()))
    }

    fn decode(&self, message: &Message) -> Result<u32, CodecError> {
        let bytes = message.as_bytes().try_into();
        bytes
            .map(u32::from_be_bytes)
            .map_err(|_| CodecError::new("expected four bytes"))
    }
}

#[tokio::test]
async fn ts10_another_codec_is_two_methods() {
    const NUMBERS: Endpoint<u32, u32, BigEndian> = Endpoint::with_codec("/numbers", BigEndian);
    let (client, server) = pair();
    let client = NUMBERS.client(client);
    let (sender, _receiver) = client.split();
    let mut server: Typed<_, u32, u32, _> = Typed::new(server, BigEndian);
    sender.send(&7).await.unwrap();
    (*sender).send("seven").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(7));
    let error = server.recv().await.unwrap_err();
    let expected = "a message of 5 bytes is not what was expected: expected four bytes";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn ts13_views_and_their_futures_are_send_whatever_the_types_are() {
    fn send<T: Send>(value: T) -> T {
        value
    }

    let (client, server) = pair();
    let client = send(client.json::<str, u32>());
    // It is not `Send`, nor is a reference to it.
    let typed = Typed::<_, Rc<u32>, (), _>::new(client.into_inner(), Shared);
    let seven = Rc::new(7);
    send(typed.send(&seven)).await.unwrap();
    let mut server = send(server.json::<(), u32>());
    assert_eq!(send(server.recv()).await.unwrap(), Some(7));
    let decoded: Result<u32, _> = Codec::<(), u32>::decode(&Json, &Message::text("8"));
    assert_eq!(decoded.unwrap(), 8);
}

/// What is behind a pointer.
struct Shared;

impl Codec<Rc<u32>, ()> for Shared {
    fn encode(&self, value: &Rc<u32>) -> Result<Message, CodecError> {
        Codec::<u32, ()>::encode(&Json, value)
    }

    fn decode(&self, _: &Message) -> Result<(), CodecError> {
        Err(CodecError::new("nothing is expected"))
    }
}
