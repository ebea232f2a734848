//! Two connected ends in memory, for tests.

use talkback_proto::Role;
use tokio::io::duplex;

use crate::channel::WebSocketChannel;
use crate::websocket::WebSocket;

/// How many bytes are on the way in each direction before a sender waits.
const BUFFER_SIZE: usize = 64 * 1024;

/// Two channels that are connected to each other in memory: the client's end and the server's.
///
/// Everything but the network is real: frames, masking, close frames. What a program does over a
/// [`WebSocketChannel`] can be tested with it, without a server, and with tokio's paused clock: over a network
/// that clock jumps to the next timeout while an answer is still on its way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, mut server) = talkback::pair();
/// client.send("Hello!").await?;
/// assert_eq!(server.recv().await?.unwrap().as_text(), Some("Hello!"));
/// client.close().await?;
/// assert!(server.recv().await?.is_none());
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// In a tokio runtime without time.
#[track_caller]
pub fn pair() -> (WebSocketChannel, WebSocketChannel) {
    let (client, server) = duplex(BUFFER_SIZE);
    (
        WebSocket::from_upgraded(client, Role::Client).into(),
        WebSocket::from_upgraded(server, Role::Server).into(),
    )
}
