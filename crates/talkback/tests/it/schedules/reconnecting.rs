//! The loop of a channel that reconnects: what a program wants of it, against what happens to its connection.
//!
//! Time stands still unless a test moves it, so that a wish, a loss or an end of which the loop is not told is a
//! deadlock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle::future::{JoinHandle, block_on, spawn};
use shuttle::rand::{Rng, thread_rng};
use talkback::test_util::{Peer, ScriptedServer};
use talkback::{ChannelEvent, ChannelState, Receiver, Sender};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::check;

/// Tries that are asked for begin a second apart.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// After this code a channel waits for 15 s at least.
const OVERLOADED: u16 = 1013;

/// A channel that reconnects, with a hook, and a server that it logs in at.
struct Site {
    sender: Sender,
    receiver: Receiver,
    /// Has the server end the first connection.
    lose: oneshot::Sender<()>,
    /// The server's ends.
    peers: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Tells when the loop is gone: the hook has the other end.
    gone: oneshot::Receiver<()>,
}

impl Site {
    fn new() -> Self {
        let server = ScriptedServer::new();
        let (held, gone) = oneshot::channel();
        let held = Arc::new(held);
        let (sender, receiver) = talkback::connect("ws://server.example/")
            .connector(server.connector())
            .reconnect()
            .on_connected(move |mut connected| {
                let held = Arc::clone(&held);
                async move {
                    let _held = held;
                    connected.send("login").await?;
                    connected.recv().await?;
                    Ok(())
                }
            })
            .channel()
            .split();
        let (lose, lost) = oneshot::channel();
        let peers = Arc::default();
        spawn(serve(server, lost, Arc::clone(&peers)));
        Self {
            sender,
            receiver,
            lose,
            peers,
            gone,
        }
    }

    /// One that is open, for long enough that a try may follow at once.
    fn open(time: &Runtime) -> Self {
        let site = Self::new();
        block_on(site.sender.ready()).unwrap();
        advance(time, BETWEEN_TRIES);
        site
    }
}

/// Each connection says its number; the first ends when it is to.
async fn serve(
    mut server: ScriptedServer,
    lost: oneshot::Receiver<()>,
    peers: Arc<Mutex<Vec<JoinHandle<()>>>>,
) {
    let mut lost = Some(lost);
    for number in 1.. {
        let Ok(peer) = server.next_try().await.accept().await else {
            continue;
        };
        let serving = spawn(talk(peer, number, lost.take()));
        peers.lock().unwrap().push(serving);
    }
}

async fn talk(mut peer: Peer, number: u32, lost: Option<oneshot::Receiver<()>>) {
    // Whatever comes of it: the client may go at any time.
    let _ = peer.recv().await;
    let _ = peer.send("welcome").await;
    let _ = peer.send(number.to_string()).await;
    let Some(lost) = lost else {
        while let Ok(Some(_)) = peer.recv().await {}
        return;
    };
    tokio::pin!(lost);
    let is_to_end = tokio::select! {
        told = &mut lost => told.is_ok(),
        () = async { while let Ok(Some(_)) = peer.recv().await {} } => false,
    };
    match thread_rng().gen_range(0..2) {
        _ if !is_to_end => while let Ok(Some(_)) = peer.recv().await {},
        0 => drop(peer.close_with(OVERLOADED, "").await),
        // In the midst of a message that says when to come again.
        _ => {
            let _ = peer.send_close(OVERLOADED, "");
            peer.cut();
        }
    }
}

/// Lets others go first, as many as there may be between two states of the channel, or fewer.
async fn sometime() {
    for _ in 0..thread_rng().gen_range(0..60) {
        shuttle::future::yield_now().await;
    }
}

/// Goes on by so much; what is due by then is woken.
fn advance(time: &Runtime, by: Duration) {
    time.block_on(tokio::time::advance(by));
}

/// Reads until this connection is open, or to the end. No two are open at a time: each one's messages come between
/// its opening and its loss.
async fn read(receiver: &mut Receiver, until: u64) {
    let (mut open, mut said) = (None, 0);
    while let Ok(Some(event)) = receiver.recv_event().await {
        match event {
            ChannelEvent::Opened(opened) => {
                assert!(open < Some(opened.connection()), "{open:?}, {opened:?}");
                open = Some(opened.connection());
                if opened.connection() >= until {
                    return;
                }
            }
            ChannelEvent::Message(message) => {
                assert_eq!(open, Some(receiver.connection()));
                let number: u32 = message.as_text().unwrap().parse().unwrap();
                assert!(said < number, "{said}, {number}");
                said = number;
            }
            // Of several that nobody has read the last is told.
            ChannelEvent::Lost(lost) => assert!(open <= Some(lost.connection()), "{lost:?}"),
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn re78_reconnect_now_against_a_loss() {
    check(|time| {
        let site = Site::open(time);
        let (sender, mut receiver) = (site.sender, site.receiver);
        let losing = spawn(async move { site.lose.send(()) });
        let wanting = spawn(async move {
            sometime().await;
            assert!(sender.reconnect_now());
            sender
        });
        block_on(async {
            // It does not wait as the server has asked it to.
            read(&mut receiver, 2).await;
            losing.await.unwrap().unwrap();
            wanting.await.unwrap().close().await.unwrap();
        });
    });
}

#[test]
fn re78_pause_and_resume_against_a_loss() {
    check(|time| {
        let site = Site::open(time);
        let (sender, mut receiver) = (site.sender, site.receiver);
        let losing = spawn(async move { site.lose.send(()) });
        let [pausing, resuming] = [Sender::pause, Sender::resume].map(|wish| {
            let sender = sender.clone();
            spawn(async move {
                sometime().await;
                assert!(wish(&sender));
            })
        });
        block_on(async {
            pausing.await.unwrap();
            resuming.await.unwrap();
            // Whichever was last: it is to be open.
            assert!(sender.resume() && sender.reconnect_now());
            read(&mut receiver, 2).await;
            losing.await.unwrap().unwrap();
            sender.close().await.unwrap();
        });
    });
}

#[test]
fn re78_close_against_all_of_them() {
    check(|_| {
        let site = Site::new();
        let (sender, mut receiver) = (site.sender, site.receiver);
        let reading = spawn(async move { read(&mut receiver, u64::MAX).await });
        spawn(async move { site.lose.send(()) });
        for wish in [Sender::reconnect_now, Sender::pause, Sender::resume] {
            let sender = sender.clone();
            spawn(async move {
                sometime().await;
                wish(&sender)
            });
        }
        let queueing = sender.clone();
        let queueing = spawn(async move { queueing.send_tracked("queued").ok() });
        let closing = spawn(async move {
            sometime().await;
            // One that was never open says so.
            let _ = sender.close().await;
            assert_eq!(sender.state(), ChannelState::Closed);
            assert!(!sender.reconnect_now() && !sender.pause() && !sender.resume());
        });
        block_on(async {
            closing.await.unwrap();
            reading.await.unwrap();
            if let Some(receipt) = queueing.await.unwrap() {
                receipt.await;
            }
            all_ended(site.peers, site.gone).await;
        });
    });
}

#[test]
fn re78_drop_against_all_of_them() {
    check(|_| {
        let site = Site::new();
        let (sender, receiver) = (site.sender, site.receiver);
        spawn(async move { site.lose.send(()) });
        spawn(async move { drop(receiver) });
        spawn(async move {
            sometime().await;
            sender.reconnect_now();
            sender.pause();
            sender.resume();
        });
        block_on(all_ended(site.peers, site.gone));
    });
}

#[test]
fn re78_whatever_is_wanted_in_whatever_order_while_time_goes_on() {
    check(|time| {
        let site = Site::new();
        let (sender, mut receiver) = (site.sender, site.receiver);
        let reading = spawn(async move { read(&mut receiver, u64::MAX).await });
        let losing = spawn(async move { site.lose.send(()) });
        // While time goes on, others are woken, and run: they are not to move it, too.
        let turn = Arc::new(shuttle::sync::Mutex::new(()));
        let wanting = [(); 2].map(|()| {
            let (sender, time, turn) = (sender.clone(), Arc::clone(time), Arc::clone(&turn));
            spawn(async move {
                for _ in 0..4 {
                    match thread_rng().gen_range(0..5) {
                        0 => drop(sender.reconnect_now()),
                        1 => drop(sender.pause()),
                        2 => drop(sender.resume()),
                        3 => drop(sender.try_send("a")),
                        _ => {
                            let _turn = turn.lock().unwrap();
                            advance(&time, 5 * BETWEEN_TRIES);
                        }
                    }
                    shuttle::future::yield_now().await;
                }
            })
        });
        block_on(async {
            for wanting in wanting {
                wanting.await.unwrap();
            }
            let _ = losing.await;
            // It can be brought to be open, and to its end.
            sender.resume();
            let opening = sender.clone();
            let opening = spawn(async move { opening.ready().await.unwrap() });
            while !opening.is_finished() {
                if sender.state() == ChannelState::Retrying {
                    advance(time, 30 * BETWEEN_TRIES);
                }
                shuttle::future::yield_now().await;
            }
            opening.await.unwrap();
            // The loss may yet come, in the midst of the closing handshake.
            let _ = sender.close().await;
            reading.await.unwrap();
            drop(sender);
            all_ended(site.peers, site.gone).await;
        });
    });
}

/// The loop is gone, and with it each connection.
async fn all_ended(peers: Arc<Mutex<Vec<JoinHandle<()>>>>, gone: oneshot::Receiver<()>) {
    assert!(gone.await.is_err());
    let peers = std::mem::take(&mut *peers.lock().unwrap());
    for peer in peers {
        peer.await.unwrap();
    }
}
