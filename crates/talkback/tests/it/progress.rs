//! What a program is told while a connection is made, and of the bytes on it.

use std::sync::{Arc, Mutex};

use talkback::{Connect, Progress, connect};
use talkback_proto::Opcode;
use tokio::net::TcpListener;

use crate::support::answers::{answer, failure, listen};
use crate::support::certificates::{Authority, connect_to, serve};
use crate::support::{Fin, plain};

/// What was told, in words.
type Told = Arc<Mutex<Vec<String>>>;

fn watched(connecting: Connect) -> (Connect, Told) {
    let told = Told::default();
    let log = Arc::clone(&told);
    let connecting = connecting.on_progress(move |progress| {
        let line = match progress {
            Progress::Resolved(addresses) => format!("resolved {}", addresses.len()),
            Progress::Connected { peer, local } => {
                assert_ne!(peer.unwrap(), local.unwrap());
                "connected".to_owned()
            }
            Progress::Secured {
                version,
                cipher,
                certificates,
            } => {
                assert!(cipher.starts_with("TLS13_"), "{cipher}");
                assert!(certificates.iter().all(|der| der.starts_with(&[0x30])));
                format!("secured by {version}, {} certificates", certificates.len())
            }
            Progress::Requested(request) => {
                assert!(request.headers().contains_key("sec-websocket-key"));
                format!("requested {}", request.uri())
            }
            Progress::Answered(response) => format!("answered {}", response.status().as_u16()),
            Progress::Received(bytes) => format!("received {bytes:02x?}"),
            Progress::Sent(bytes) => format!("sent {}", bytes.len()),
            _ => unreachable!(),
        };
        log.lock().unwrap().push(line);
    });
    (connecting, told)
}

fn taken(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

#[tokio::test]
async fn each_step_and_all_bytes_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("ws://{address}/path");
    let (connecting, told) = watched(connect(url).compression(None));
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        talkback::accept(stream).await.unwrap()
    };
    let (client, mut server) = tokio::join!(connecting, server);
    let mut client = client.unwrap();
    let steps = ["resolved 1", "connected", "requested /path", "answered 101"];
    assert_eq!(taken(&told), steps);
    client.send("Hello!").await.unwrap();
    // A header, a masking key, a payload.
    assert_eq!(taken(&told), ["sent 12"]);
    let message = server.recv().await.unwrap().unwrap();
    server.send(message).await.unwrap();
    client.recv().await.unwrap();
    assert_eq!(
        taken(&told),
        [format!("received {:02x?}", b"\x81\x06Hello!")]
    );
}

/// A frame in the same segment as the 101 is read with it.
#[tokio::test]
async fn what_came_with_the_answer_is_told_behind_it() {
    let (listener, address) = listen().await;
    let frame = plain(Fin::Last, Opcode::Text, b"Hello!");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = crate::support::answers::read_request(&mut stream).await;
        let key = crate::support::site::header(&request, "Sec-WebSocket-Key").unwrap();
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            talkback::accept_key(key)
        );
        let bytes = [head.as_bytes(), &frame].concat();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes)
            .await
            .unwrap();
        stream
    };
    let (connecting, told) = watched(connect(format!("ws://{address}/")));
    let (client, _stream) = tokio::join!(connecting, server);
    let mut client = client.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("Hello!".into()));
    let received = taken(&told).split_off(4);
    assert_eq!(received, [format!("received {frame:02x?}")]);
}

#[tokio::test]
async fn a_refusal_is_told_as_an_answer() {
    let (listener, address) = listen().await;
    let (connecting, told) = watched(connect(format!("ws://{address}/")));
    let refusing = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(
            stream,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        )
        .await
    };
    tokio::join!(failure(connecting), refusing);
    let steps = ["resolved 1", "connected", "requested /", "answered 403"];
    assert_eq!(taken(&told), steps);
}

#[tokio::test]
async fn how_tls_is_spoken_is_told_and_bytes_without_it() {
    let authority = Authority::new("A root");
    let address = serve(authority.issue("localhost").server()).await;
    let connecting = connect_to("localhost", address).tls_roots(authority.pem.clone());
    let (connecting, told) = watched(connecting.compression(None));
    let mut client = connecting.await.unwrap();
    let steps = taken(&told);
    assert!(
        steps
            .iter()
            .any(|step| step.starts_with("secured by TLSv1_3, ")),
        "{steps:?}"
    );
    client.send("Hello!").await.unwrap();
    assert_eq!(taken(&told), ["sent 12"]);
}
