//! What was published, and what each client has of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use talkback_topics::Position;

/// What became of a publication, as its publisher was told.
pub(crate) enum Fate {
    Unknown,
    Ok(Position),
    Refused(String),
}

/// What a client has, by its own account.
pub(crate) struct Account {
    pub(crate) topic: usize,
    /// Where the next delivery follows.
    last: Option<Position>,
    seen: BTreeSet<u64>,
    /// Publications that were left out without a word, or came twice by their place or their number.
    silent: u64,
    doubles: u64,
    twice: u64,
    /// What it was told.
    missed: u64,
    resets: u64,
    ended: Option<String>,
}

impl Account {
    pub(crate) fn new(topic: usize) -> Self {
        Self {
            topic,
            last: None,
            seen: BTreeSet::new(),
            silent: 0,
            doubles: 0,
            twice: 0,
            missed: 0,
            resets: 0,
            ended: None,
        }
    }

    pub(crate) fn begins(&mut self, at: Option<Position>) {
        self.last = at;
    }

    pub(crate) fn reset(&mut self, at: Option<Position>) {
        self.resets += 1;
        self.last = at;
    }

    pub(crate) fn gap(&mut self, before: Position, missed: u64) {
        self.missed += missed;
        self.last = Some(Position::new(before.epoch(), before.offset() - 1, None));
    }

    pub(crate) fn delivered(&mut self, position: Position, number: u64) {
        if let Some(last) = self.last.filter(|last| last.epoch() == position.epoch()) {
            match position.offset().checked_sub(last.offset() + 1) {
                Some(left_out) => self.silent += left_out,
                None => self.doubles += 1,
            }
        } else if self.last.is_some() {
            // Another life of the topic, and no word of it.
            self.silent += 1;
        }
        self.last = Some(position);
        self.twice += u64::from(!self.seen.insert(number));
    }

    pub(crate) fn ended(&mut self, why: &str) {
        self.ended = Some(why.to_owned());
    }
}

type Place = (usize, u64, u64, Option<u16>);

fn place(topic: usize, position: Position) -> Place {
    (topic, position.epoch(), position.offset(), position.mark())
}

/// What all know together.
#[derive(Default)]
pub(crate) struct Ledger {
    published: BTreeMap<u64, (usize, Fate)>,
    /// Which message stands where.
    stands: HashMap<Place, u64>,
    /// Places with two messages.
    differ: u64,
    deliveries: u64,
    /// Microseconds, from when a publication was due.
    took: Vec<u32>,
    stale: u64,
    live: u64,
    /// When a client was last told that it is up to date again, in milliseconds since 1970.
    live_at: u128,
    /// What was told of before.
    told: (usize, u64),
    answers: (u64, u64),
}

impl Ledger {
    pub(crate) fn published(&mut self, number: u64, topic: usize, fate: Fate) {
        self.published.insert(number, (topic, fate));
    }

    pub(crate) fn answered(&mut self, number: u64, fate: Fate) {
        match fate {
            Fate::Refused(_) => self.answers.1 += 1,
            _ => self.answers.0 += 1,
        }
        if let Some(published) = self.published.get_mut(&number) {
            published.1 = fate;
        }
    }

    /// How many of these numbers have no answer.
    pub(crate) fn unanswered(&self, first: u64, numbers: u64) -> usize {
        let own = self.published.range(first..first + numbers);
        own.filter(|(_, (_, fate))| matches!(fate, Fate::Unknown))
            .count()
    }

    pub(crate) fn delivered(&mut self, topic: usize, position: Position, number: u64, took: u64) {
        self.deliveries += 1;
        self.took.push(u32::try_from(took).unwrap_or(u32::MAX));
        let stands = self.stands.entry(place(topic, position));
        self.differ += u64::from(*stands.or_insert(number) != number);
    }

    pub(crate) fn stale(&mut self) {
        self.stale += 1;
    }

    pub(crate) fn live(&mut self) {
        self.live += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.live_at = now.unwrap_or_default().as_millis();
    }

    /// A line of the last second.
    pub(crate) fn second(&mut self) -> String {
        let (before, deliveries) = self.told;
        self.told = (self.took.len(), self.deliveries);
        let worst = self.took[before..].iter().max().unwrap_or(&0);
        let ((ok, refused), Self { stale, live, .. }) = (self.answers, &self);
        format!(
            "second: {} deliveries, at most {} ms; {ok} published, {refused} refused; {stale} stale, {live} live",
            self.deliveries - deliveries,
            worst / 1000
        )
    }

    /// What all accounts come to, as JSON.
    pub(crate) fn audit(&mut self, accounts: &[Account]) -> String {
        let mut by_topic: HashMap<usize, Vec<&Account>> = HashMap::new();
        for account in accounts {
            by_topic.entry(account.topic).or_default().push(account);
        }
        let (mut ok, mut refused, mut unknown, mut refused_seen) = (0_u64, 0_u64, 0_u64, 0_u64);
        let (mut missing_told, mut missing, mut reasons) = (0_u64, 0_u64, BTreeMap::new());
        for (number, (topic, fate)) in &self.published {
            let followers = by_topic.get(topic).map_or(&[][..], Vec::as_slice);
            let without = followers.iter().filter(|it| !it.seen.contains(number));
            match fate {
                Fate::Ok(position) => {
                    ok += 1;
                    let stands = self.stands.get(&place(*topic, *position));
                    self.differ += u64::from(stands.is_some_and(|it| it != number));
                    let (told, untold): (Vec<&&Account>, Vec<&&Account>) =
                        without.partition(|it| it.missed + it.resets > 0);
                    missing_told += told.len() as u64;
                    missing += untold.len() as u64;
                }
                Fate::Refused(why) => {
                    refused += 1;
                    refused_seen += u64::from(without.count() < followers.len());
                    *reasons
                        .entry(why.split("\": ").last().unwrap_or_default())
                        .or_insert(0_u64) += 1;
                }
                Fate::Unknown => unknown += 1,
            }
        }
        let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>();
        let mut ended: Vec<_> = accounts
            .iter()
            .filter_map(|it| it.ended.as_deref())
            .collect();
        ended.sort_unstable();
        ended.dedup();
        self.took.sort_unstable();
        let at = |share: f64| {
            let index = (self.took.len() as f64 * share) as usize;
            self.took
                .get(index.min(self.took.len().saturating_sub(1)))
                .copied()
                .unwrap_or(0)
        };
        format!(
            "{{\"clients\": {}, \"deliveries\": {}, \"ok\": {ok}, \"refused\": {refused}, \"unknown\": {unknown}, \
             \"missing\": {missing}, \"missing_told\": {missing_told}, \"silent\": {}, \"doubles\": {}, \"twice\": {}, \
             \"differ\": {}, \"gaps\": {}, \"resets\": {}, \"refused_seen\": {refused_seen}, \"stale\": {}, \
             \"live\": {}, \"live_at\": {}, \"p50_us\": {}, \"p99_us\": {}, \"max_us\": {}, \"ended\": {ended:?}, \
             \"reasons\": {:?}}}",
            accounts.len(),
            self.deliveries,
            sum(|it| it.silent),
            sum(|it| it.doubles),
            sum(|it| it.twice),
            self.differ,
            sum(|it| it.missed),
            sum(|it| it.resets),
            self.stale,
            self.live,
            self.live_at,
            at(0.5),
            at(0.99),
            at(1.0),
            reasons,
        )
    }
}
