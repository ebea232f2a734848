//! Waking the subscribers of a topic.

use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;

use crate::server::state::TopicState;
use crate::server::sync::{lock, spawn, yield_now};

/// How many slots of a topic are looked at under one lock. So many subscribers are woken by whoever publishes.
const CHUNK: usize = if cfg!(shuttle) { 1 } else { 64 };
/// How many are woken before other tasks have their turn.
const PORTION: usize = if cfg!(shuttle) { 1 } else { 1024 };
/// How many rounds whoever publishes makes, while others publish.
const ROUNDS_IN_PLACE: usize = 4;

/// Has all subscribers of a topic look: the publication before this has begun a round.
pub(crate) fn tell(topic: &Arc<TopicState>) {
    let mut round = FanOut::new(&**topic);
    if lock(&topic.roster).slots() <= CHUNK {
        for _ in 0..ROUNDS_IN_PLACE {
            if !round.chunk() {
                return;
            }
        }
    }
    let at = round.at;
    // The round goes on elsewhere.
    round.is_over = true;
    let mut round = FanOut::new(Arc::clone(topic));
    round.at = at;
    // Without a runtime it is made here, by its drop.
    spawn(round.run());
}

/// A round of a topic's subscribers, and those that have to follow it.
struct FanOut<T: Deref<Target = TopicState>> {
    topic: T,
    /// The next slot.
    at: usize,
    is_over: bool,
}

impl<T: Deref<Target = TopicState>> FanOut<T> {
    fn new(topic: T) -> Self {
        Self {
            topic,
            at: 0,
            is_over: false,
        }
    }

    async fn run(mut self) {
        loop {
            for _ in 0..PORTION / CHUNK {
                if !self.chunk() {
                    return;
                }
            }
            yield_now().await;
        }
    }

    /// Wakes those in the next slots; whether there are more.
    fn chunk(&mut self) -> bool {
        let mut wakers = [const { None::<Waker> }; CHUNK];
        let news = self.topic.news();
        let roster = lock(&self.topic.roster);
        let mailboxes = roster.in_slots(self.at..self.at + CHUNK);
        let roused = mailboxes.filter_map(|it| it.rouse(news));
        for (place, waker) in wakers.iter_mut().zip(roused) {
            *place = Some(waker);
        }
        self.at += CHUNK;
        let is_round = self.at >= roster.slots();
        drop(roster);
        wakers.into_iter().flatten().for_each(Waker::wake);
        if is_round {
            self.at = 0;
            self.is_over = !self.topic.goes_round_again();
        }
        !self.is_over
    }
}

/// A topic whose round was left would tell nobody any more: one that is dropped, with its runtime, is made here.
impl<T: Deref<Target = TopicState>> Drop for FanOut<T> {
    fn drop(&mut self) {
        while !self.is_over {
            self.chunk();
        }
    }
}
