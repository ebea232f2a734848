//! What is asked of a backplane for a topic: one thing after another, by one task.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::position::Position;
use crate::server::arriving::Arrived;
use crate::server::backplane::{Stored, Unavailable};
use crate::server::link::Errand;
use crate::server::state::TopicState;
use crate::server::sync::sleep;

/// How many publications are read at a time, of those that have not come.
const PAGE: usize = 512;
/// How many are read at a time, of those that were there before.
const FILL_PAGE: usize = 1024;
/// After how long an engine that is reached and did not answer is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Sees to what became of something that came.
pub(crate) fn follow(topic: &Arc<TopicState>, arrived: Arrived) {
    if arrived == Arrived::ToBeTended {
        let tending = tend(Arc::clone(topic));
        topic.uplink().plane.runtime.spawn(tending);
    }
}

/// Asks what is to be asked for a topic, until there is nothing.
async fn tend(topic: Arc<TopicState>) {
    let uplink = topic.uplink();
    let plane = &uplink.plane;
    while let Some(errand) = topic.next_errand() {
        let name = || Arc::clone(&topic.name);
        let is_over = match errand {
            Errand::Attach => {
                plane.insert(&topic.name, Arc::downgrade(&topic));
                let heads = plane.ask_in_turn(|it| it.attach(vec![name()])).await;
                match heads.and_then(only) {
                    Ok(head) => topic.attached(head),
                    Err(why) => {
                        // It may listen nevertheless.
                        plane.engine.detach(vec![name()]);
                        plane.remove(&topic.name);
                        topic.not_attached(why.why());
                    }
                }
                false
            }
            Errand::Read { held } => {
                let after = topic.head();
                let page = plane.ask_in_turn(|it| it.read(name(), after, PAGE)).await;
                match page {
                    Ok(page) => {
                        topic.take_page(page, held);
                        false
                    }
                    Err(why) => put_off(&topic, &why).await,
                }
            }
            Errand::Renew { epoch } => {
                match plane.ask_in_turn(|it| it.renew(name(), epoch)).await {
                    Ok(at) if at.epoch == epoch => {
                        let why = Unavailable::new("it has not begun a topic anew");
                        put_off(&topic, &why).await
                    }
                    Ok(at) => {
                        topic.renewed(epoch, at);
                        false
                    }
                    Err(why) => put_off(&topic, &why).await,
                }
            }
            Errand::Fill { after } => {
                match read_older(&topic, after).await {
                    Ok(older) => topic.fill(older),
                    Err(why) => topic.not_filled(why.why()),
                }
                false
            }
        };
        uplink.changed.notify_waiters();
        if is_over {
            break;
        }
    }
    uplink.changed.notify_waiters();
    plane.incoming.changed.notify_one();
}

/// Waits before the engine is asked again, if it is reached. If not, this is over: once it is, all topics are compared.
async fn put_off(topic: &Arc<TopicState>, why: &Unavailable) -> bool {
    let is_again = topic.put_off(why.why());
    topic.uplink().changed.notify_waiters();
    if is_again {
        sleep(PAUSE).await;
    }
    !is_again
}

/// Reads what lies between this number and the ring, page by page. Of more bytes than are kept it has the last.
async fn read_older(topic: &Arc<TopicState>, after: u64) -> Result<Vec<Stored>, Unavailable> {
    let plane = &topic.uplink().plane;
    let head = topic.head();
    let end = topic.log().first();
    let mut after = Position::new(head.epoch, after, None);
    let (mut all, mut size) = (VecDeque::new(), 0);
    let size_of = |stored: &Stored| stored.carried.message.len();
    loop {
        let limit = (end - 1).saturating_sub(after.offset) as usize;
        let limit = limit.min(FILL_PAGE);
        if limit == 0 {
            break;
        }
        let name = Arc::clone(&topic.name);
        let page = plane.ask_in_turn(|it| it.read(name, after, limit)).await?;
        let Some(last) = page.publications.last().map(|it| it.position) else {
            break;
        };
        let is_progress = last.epoch == head.epoch && last.offset > after.offset;
        size += page.publications.iter().map(size_of).sum::<usize>();
        all.extend(page.publications);
        while size > topic.shared.keep.bytes && all.len() > 1 {
            size -= all.pop_front().as_ref().map_or(0, size_of);
        }
        if !is_progress {
            break;
        }
        after = last;
    }
    // If it has not all of that, it gave some that are here.
    all.retain(|it| it.position.offset < end);
    Ok(all.into())
}

/// The answer for one topic.
fn only(answers: Vec<Position>) -> Result<Position, Unavailable> {
    let first = answers.into_iter().next();
    first.ok_or_else(|| Unavailable::new("it has answered for no topic"))
}
