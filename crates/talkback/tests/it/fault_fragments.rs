//! V54 with a peer that sends fragments: exactly the messages that were whole are delivered, in both
//! roles, wherever the connection is cut.

use std::sync::Arc;
use std::time::Duration;

use talkback::{CloseCause, CloseCode, CloseInfo, Initiator, Message, Role, WebSocket};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::fault_proxy::{Chance, Direction, End, FaultProxy, Plan};
use crate::support::{Fin, masked, plain};

/// No session takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// What a peer sends, and what is to be made of it.
struct Peer {
    bytes: Vec<u8>,
    /// The messages, each with the number of bytes after which it is whole.
    messages: Vec<(usize, Message)>,
}

impl Peer {
    /// A peer of `role`: 20 messages of these sizes in turn, with pings between and within them, and
    /// a close frame.
    fn new(role: Role, sizes: &[usize]) -> Self {
        let frame = match role {
            Role::Client => masked,
            Role::Server => plain,
        };
        let mut peer = Self {
            bytes: Vec::new(),
            messages: Vec::new(),
        };
        for (number, &size) in (0..20).zip(sizes.iter().cycle()) {
            let (opcode, message) = message(number, size);
            let payload = message.clone().into_bytes();
            // One, two, three or four frames, cut inside of code points as well.
            let count = 1 + number % 4;
            let piece = (size / count).max(1);
            let mut rest = &payload[..];
            for index in 0..count {
                let is_last = index + 1 == count;
                let taken = if is_last {
                    rest.len()
                } else {
                    piece.min(rest.len())
                };
                let (taken, behind) = rest.split_at(taken);
                let fin = if is_last { Fin::Last } else { Fin::More };
                let opcode = if index == 0 {
                    opcode
                } else {
                    Opcode::Continuation
                };
                peer.bytes.extend(frame(fin, opcode, taken));
                rest = behind;
                if is_last {
                    peer.messages.push((peer.bytes.len(), message.clone()));
                }
                if (number + index) % 3 == 0 {
                    peer.bytes.extend(frame(Fin::Last, Opcode::Ping, b"ping"));
                }
            }
        }
        let body = [&[0x03, 0xe8][..], b"bye"].concat();
        peer.bytes.extend(frame(Fin::Last, Opcode::Close, &body));
        peer
    }

    /// The messages that are whole after so many bytes.
    fn whole_after(&self, size: usize) -> Vec<Message> {
        let whole = self.messages.iter().filter(|(end, _)| *end <= size);
        whole.map(|(_, message)| message.clone()).collect()
    }
}

fn message(number: usize, size: usize) -> (Opcode, Message) {
    if number.is_multiple_of(2) {
        let text = "가".repeat(size / 3) + &"x".repeat(size % 3);
        return (Opcode::Text, text.into());
    }
    let number = u8::try_from(number).unwrap();
    (Opcode::Binary, vec![number; size].into())
}

/// A listener and a proxy before it, for one session after another.
struct Rig {
    listener: TcpListener,
    proxy: FaultProxy,
}

impl Rig {
    async fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            proxy: FaultProxy::listen().await,
        }
    }

    /// Runs the peer against talkback in the other role, through a proxy that cuts after so many
    /// of the peer's bytes; what talkback received, and how it ended.
    async fn run(
        &self,
        peer: &Peer,
        role: Role,
        after: usize,
        end: End,
    ) -> (Vec<Message>, CloseInfo) {
        let to_talkback = match role {
            Role::Client => Direction::ToClient,
            Role::Server => Direction::ToServer,
        };
        let plan = Plan::cut(to_talkback, after, end);
        let passing = self.proxy.run(self.listener.local_addr().unwrap(), plan);
        let talking = async {
            let client = TcpStream::connect(self.proxy.address());
            let (client, server) = tokio::join!(client, self.listener.accept());
            let (client, (server, _)) = (client.unwrap(), server.unwrap());
            let (near, far) = match role {
                Role::Client => (client, server),
                Role::Server => (server, client),
            };
            tokio::join!(receive(near, role), play(far, &peer.bytes)).0
        };
        let both = async { tokio::join!(talking, passing).0 };
        let ended = timeout(LIMIT, both).await;
        ended.unwrap_or_else(|_| panic!("{role:?} hangs, {end:?} after {after}"))
    }
}

async fn receive(stream: TcpStream, role: Role) -> (Vec<Message>, CloseInfo) {
    let mut socket = WebSocket::from_upgraded(stream, role);
    let mut messages = Vec::new();
    let outcome = loop {
        match socket.recv().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let info = socket.close_info().unwrap().clone();
    assert_eq!(outcome.is_ok(), info.is_normal(), "{info}");
    assert_eq!(socket.recv().await.unwrap(), None);
    (messages, info)
}

async fn play(mut stream: TcpStream, bytes: &[u8]) {
    // The connection may be cut before all is sent, or before the answers are read.
    let _ = stream.write_all(bytes).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn check(rig: &Rig, peer: &Peer, role: Role, after: usize, end: End) {
    let (messages, info) = rig.run(peer, role, after, end).await;
    let what = format!("{role:?}, {end:?} after {after} of {}", peer.bytes.len());
    let expected = peer.whole_after(after);
    match end {
        End::Fin | End::HalfFin => assert!(messages == expected, "{what}: {}", messages.len()),
        // A reset may overtake what was sent before it.
        End::Reset => assert!(expected.starts_with(&messages), "{what}"),
    }
    assert_eq!(info.initiator, Initiator::Remote, "{what}: {info:?}");
    let is_whole = after == peer.bytes.len();
    if info.code == CloseCode::NORMAL {
        assert!(is_whole && messages == expected, "{what}: {info:?}");
        assert_eq!(info.reason, "bye", "{what}");
        assert!(info.clean || end == End::Reset, "{what}: {info:?}");
    } else {
        assert!(!is_whole || end == End::Reset, "{what}: {info:?}");
        assert_eq!(info.code, CloseCode::ABNORMAL, "{what}");
        assert!(!info.clean, "{what}");
    }
    let is_apt = match info.cause {
        CloseCause::ClosingHandshake => info.clean,
        CloseCause::Transport(_) => !info.clean,
        _ => false,
    };
    assert!(is_apt, "{what}: {info:?}");
}

/// How many sessions run at a time.
const AT_A_TIME: usize = 8;

/// Cuts after each of these numbers of bytes.
async fn cut_after(peer: Peer, role: Role, cuts: Vec<usize>) {
    let with_ends = |&after| [End::Fin, End::Reset, End::HalfFin].map(|end| (after, end));
    let cuts: Vec<_> = cuts.iter().flat_map(with_ends).collect();
    println!("{role:?}: {} cuts", cuts.len());
    let (peer, cuts) = (Arc::new(peer), Arc::new(cuts));
    let mut tasks = JoinSet::new();
    for first in 0..AT_A_TIME {
        let (peer, cuts) = (Arc::clone(&peer), Arc::clone(&cuts));
        tasks.spawn(async move {
            let rig = Rig::new().await;
            for &(after, end) in cuts.iter().skip(first).step_by(AT_A_TIME) {
                check(&rig, &peer, role, after, end).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn cut_everywhere(role: Role, peer: Role) {
    let peer = Peer::new(peer, &[0, 5, 125, 126, 5]);
    let size = peer.bytes.len();
    assert!((1_200..2_000).contains(&size), "{size}");
    cut_after(peer, role, (0..=size).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_a_client_is_cut_off_after_every_byte() {
    cut_everywhere(Role::Client, Role::Server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_a_server_is_cut_off_after_every_byte() {
    cut_everywhere(Role::Server, Role::Client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_large_fragments_are_cut_anywhere() {
    for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let peer = Peer::new(peer, &[70_000, 0, 126, 5, 125]);
        let mut chance = Chance(54);
        let size = peer.bytes.len();
        let by_chance = (0..20).map(|_| chance.below(size as u64) as usize);
        // And around the end of each message.
        let ends = peer.messages.iter().flat_map(|&(end, _)| [end - 1, end]);
        let cuts: Vec<usize> = by_chance.chain(ends).chain([size]).collect();
        cut_after(peer, role, cuts).await;
    }
}
