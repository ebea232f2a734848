//! Subscribing to a topic that is over a backplane.

use std::sync::Arc;

use crate::position::Position;
use crate::server::arriving::Arrived;
use crate::server::error::SubscribeError;
use crate::server::link::Stage;
use crate::server::log::{Log, Recovery};
use crate::server::mailbox::Mailbox;
use crate::server::metrics;
use crate::server::state::{Joined, TopicState};
use crate::server::sync::lock;
use crate::server::tending::follow;
use crate::start::Start;

/// What a subscriber has waited for so far.
#[derive(Default)]
struct Waited {
    /// How often the engine had not answered when it began to wait.
    failures: Option<u64>,
    /// The read after which its position is known or not.
    read: Option<u64>,
    is_filled: bool,
}

enum Joining {
    Joined(Joined),
    /// It waits for what the engine is asked.
    Waits(Arrived),
    Fails(Arc<str>),
}

/// Takes in a subscriber once the engine listens to the topic, and what it begins with is there.
pub(crate) async fn join(
    topic: &Arc<TopicState>,
    mailbox: &Arc<Mailbox>,
    start: Start,
) -> Result<Joined, SubscribeError> {
    let uplink = topic.uplink();
    let mut waited = Waited::default();
    uplink.plane.known().await.map_err(unavailable)?;
    loop {
        let changed = uplink.changed.notified();
        match try_join(topic, mailbox, start, &mut waited) {
            Joining::Joined(joined) => return Ok(joined),
            Joining::Waits(arrived) => follow(topic, arrived),
            Joining::Fails(why) => return Err(unavailable(why)),
        }
        changed.await;
    }
}

fn unavailable(why: Arc<str>) -> SubscribeError {
    SubscribeError::unavailable(&why)
}

fn try_join(
    topic: &Arc<TopicState>,
    mailbox: &Arc<Mailbox>,
    start: Start,
    waited: &mut Waited,
) -> Joining {
    // First of all, so that what comes once the log has said where it begins is told to it.
    let key = lock(&topic.roster).insert(Arc::clone(mailbox));
    let mut log = topic.log();
    match begin(topic, &mut log, start, waited) {
        Ok((next, recovery)) => {
            let joined = TopicState::take_in(&mut log, key, next, recovery);
            drop(log);
            metrics::subscribers(1);
            metrics::recovered(recovery);
            Joining::Joined(joined)
        }
        Err(joining) => {
            drop(log);
            let left = lock(&topic.roster).remove(key);
            drop(left);
            joining
        }
    }
}

/// What it reads first, or what it has to wait for.
fn begin(
    topic: &TopicState,
    log: &mut Log,
    start: Start,
    waited: &mut Waited,
) -> Result<(u64, Recovery), Joining> {
    let keep = &topic.shared.keep;
    let (next, recovery) = log.begin(start, keep);
    let is_fillable = log.fillable(keep).is_some_and(|after| match start {
        Start::Last(count) => log.head() + 1 - next < count as u64,
        Start::After(position) => recovery == Recovery::TooOld && position.offset >= after,
        Start::Now => false,
    });
    let is_ahead = is_ahead(log, start);
    let link = log.link.as_mut().expect("it is over a backplane");
    if waited.failures.is_some_and(|it| it != link.failures) {
        return Err(Joining::Fails(Arc::clone(&link.why)));
    }
    let is_in_doubt = matches!(recovery, Recovery::TooOld | Recovery::OtherEpoch);
    let down = topic.uplink().plane.down();
    if let Some(why) = down
        && (link.stage == Stage::Off || is_fillable || is_in_doubt)
    {
        return Err(Joining::Fails(why));
    }
    let is_read = (waited.read).is_some_and(|read| link.reads > read || !link.is_behind);
    match link.stage {
        Stage::Attaching | Stage::Detaching => {}
        Stage::Off => link.stage = Stage::Attaching,
        Stage::On if is_fillable => {
            link.is_fill_wanted = true;
            waited.is_filled = true;
        }
        Stage::On if is_in_doubt && (is_ahead || link.is_behind) && !is_read => {
            if waited.read.is_none() {
                waited.read = Some(link.reads + 1);
                link.read_wanted = link.reads + 1;
            }
            link.is_behind = true;
        }
        Stage::On => {
            let recovery = match recovery {
                Recovery::Done if waited.is_filled => Recovery::FromStore,
                recovery => recovery,
            };
            return Ok((next, recovery));
        }
    }
    waited.failures.get_or_insert(link.failures);
    let is_to_be_tended = link.stage != Stage::Detaching && link.begin_tending();
    Err(Joining::Waits(match is_to_be_tended {
        true => Arrived::ToBeTended,
        false => Arrived::Done,
    }))
}

/// Whether another hub can have given the position to a client before it has come here.
fn is_ahead(log: &Log, start: Start) -> bool {
    matches!(start, Start::After(Position { epoch, offset, .. })
        if epoch == log.epoch() && offset > log.head())
}
