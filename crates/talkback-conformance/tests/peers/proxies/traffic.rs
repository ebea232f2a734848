//! Numbers through a proxy to an echo server, on a channel that stays connected, and what became of each.

use std::collections::BTreeMap;
use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt;
use http::StatusCode;
use talkback::{Backoff, ChannelEvent, Connect, Fate, Lost, Receipt, WebSocketChannel};
use tokio::time::timeout;

/// How many numbers may be without an answer.
const AHEAD: usize = 32;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Traffic {
    pub(super) channel: WebSocketChannel,
    /// Of each number, in order.
    receipts: Vec<Receipt>,
    /// How many numbers were answered, or are not waited for.
    settled: usize,
    losses: Vec<Lost>,
}

impl Traffic {
    pub(super) fn start(connect: Connect) -> Self {
        // What is compressed would be small.
        let connect = connect.compression(None);
        let backoff = Backoff::default()
            .first(Duration::from_millis(50))
            .longest(Duration::from_millis(100));
        Self {
            channel: connect.reconnect().backoff(backoff).channel(),
            receipts: Vec::new(),
            settled: 0,
            losses: Vec::new(),
        }
    }

    /// Sends what there may be more, as long as there is room.
    fn send(&mut self) {
        while self.receipts.len() < self.settled + AHEAD {
            let number = self.receipts.len();
            // Together they are more than the kernel takes.
            let width = if number % 4 == 1 { 60_000 } else { 0 };
            let Ok(receipt) = self.channel.send_tracked(format!("{number:<width$}")) else {
                return;
            };
            self.receipts.push(receipt);
        }
    }

    /// Goes on until so many numbers more were answered on this connection, and leaves some on the way and some
    /// queued.
    pub(super) async fn echoes(&mut self, connection: u64, mut count: usize) {
        let echoes = async {
            while count > 0 {
                self.send();
                match self.channel.recv_event().await.unwrap() {
                    Some(ChannelEvent::Message(_)) => {
                        self.settled += 1;
                        count -= usize::from(self.channel.connection() == connection);
                    }
                    Some(ChannelEvent::Lost(lost)) => {
                        self.settled = self.settled.max(self.receipts.len());
                        self.losses.push(lost);
                    }
                    Some(_) => {}
                    None => panic!("it has ended: {:?}", self.channel.close_info()),
                }
            }
        };
        let echoed = timeout(PATIENCE, echoes).await;
        let link = self.channel.link();
        assert!(echoed.is_ok(), "not on connection {connection}: {link:?}");
        self.settled += AHEAD;
        self.send();
    }

    /// Waits until a try was refused with this status.
    pub(super) async fn is_refused_with(&self, status: StatusCode) {
        // They tell of tries that fail, too.
        let snapshots = self.channel.snapshots();
        let mut refused = snapshots.filter(|snapshot| {
            let refused = snapshot.link.lost().and_then(Lost::refused);
            ready(refused.is_some_and(|refused| refused.status == status))
        });
        let refused = timeout(PATIENCE, refused.next()).await;
        assert!(refused.is_ok(), "{:?}", self.channel.link());
    }

    /// Closes the channel, and holds the fates against what the server has seen by then. Gives back the losses.
    pub(super) async fn account(self, seen: impl FnOnce() -> Vec<usize>) -> Vec<Lost> {
        assert!(self.channel.close().await.unwrap().clean);
        let last = self.channel.link().connection();
        let mut fates = Vec::new();
        for receipt in self.receipts {
            fates.push(receipt.await);
        }
        hold(&fates, &seen(), last);
        self.losses
    }
}

/// No number was seen twice, or before one that was sent earlier; what was seen is written or unknown; and of what
/// was written, a lost connection lacks nothing but its end, and the last one nothing.
fn hold(fates: &[Fate], seen: &[usize], last: u64) {
    let is_in_order = seen.is_sorted_by(|one, next| one < next);
    assert!(is_in_order, "twice, or in another order: {seen:?}");
    let mut is_cut = BTreeMap::new();
    for (number, fate) in fates.iter().enumerate() {
        let is_seen = seen.binary_search(&number).is_ok();
        match *fate {
            Fate::Written { connection } => {
                let is_cut = is_cut.entry(connection).or_insert(false);
                assert!(
                    !(is_seen && *is_cut),
                    "{number} follows one that is missing"
                );
                *is_cut |= !is_seen;
            }
            Fate::Unknown { .. } => {}
            fate => assert!(!is_seen, "{number} was seen: {fate:?}"),
        }
    }
    assert_eq!(is_cut.get(&last), Some(&false), "the last was closed");
}
