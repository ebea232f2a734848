//! What topics tell the recorder of `metrics`, where the program has that feature. No label has a topic or a message in it.

use std::time::Duration;

use crate::server::error::PublishErrorKind;
use crate::server::link::Found;
use crate::server::log::Recovery;
use crate::server::slow::Slow;

#[cfg(feature = "metrics")]
mod told {
    use std::time::Duration;

    use metrics::{
        Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    };

    pub(super) fn describe() {
        describe_gauge!("talkback_topics", "topics that are known");
        describe_gauge!("talkback_topics_subscribers", "subscriptions to topics");
        describe_counter!(
            "talkback_topics_published_total",
            "publications, without duplicates"
        );
        describe_counter!(
            "talkback_topics_delivered_total",
            "publications that a subscriber got"
        );
        describe_counter!(
            "talkback_topics_skipped_total",
            "publications that a subscriber missed, by its policy"
        );
        describe_counter!(
            "talkback_topics_slow_closed_total",
            "subscribers that ended as they were too slow"
        );
        describe_histogram!(
            "talkback_topics_lag_seconds",
            Unit::Seconds,
            "from a publication to its delivery"
        );
        describe_gauge!(
            "talkback_topics_log_bytes",
            Unit::Bytes,
            "what all topics keep"
        );
        describe_counter!(
            "talkback_topics_trimmed_total",
            "publications dropped as all topics kept too much"
        );
        describe_counter!(
            "talkback_topics_recoveries_total",
            "positions that were asked for, by what came of them"
        );
        describe_gauge!("talkback_backplane_up", "backplanes that are reached");
        describe_counter!(
            "talkback_backplane_publish_total",
            "publications over the backplane, by what came of them"
        );
        describe_counter!(
            "talkback_backplane_gaps_total",
            "times that publications did not come, by what came of it"
        );
    }

    pub(super) fn add(name: &'static str, by: f64) {
        gauge!(name).increment(by);
    }

    pub(super) fn count(name: &'static str, by: u64) {
        counter!(name).increment(by);
    }

    pub(super) fn count_by(name: &'static str, label: &'static str, value: &'static str, by: u64) {
        counter!(name, label => value).increment(by);
    }

    pub(super) fn took(name: &'static str, time: Duration) {
        histogram!(name).record(time);
    }
}

/// What is called where nobody is told.
#[cfg(not(feature = "metrics"))]
mod told {
    use std::time::Duration;

    pub(super) fn describe() {}
    pub(super) fn add(_: &'static str, _: f64) {}
    pub(super) fn count(_: &'static str, _: u64) {}
    pub(super) fn count_by(_: &'static str, _: &'static str, _: &'static str, _: u64) {}
    pub(super) fn took(_: &'static str, _: Duration) {}
}

/// Tells the recorder what there is; it may be told again.
pub(crate) fn describe() {
    told::describe();
}

/// A topic is known, or not any more.
pub(crate) fn topics(by: i8) {
    told::add("talkback_topics", by.into());
}

/// A subscription begins, or is over.
pub(crate) fn subscribers(by: i8) {
    told::add("talkback_topics_subscribers", by.into());
}

pub(crate) fn published() {
    told::count("talkback_topics_published_total", 1);
}

/// A subscriber got a publication.
pub(crate) fn delivered(lag: Duration) {
    told::count("talkback_topics_delivered_total", 1);
    told::took("talkback_topics_lag_seconds", lag);
}

/// A subscriber missed some.
pub(crate) fn skipped(slow: Slow, count: u64) {
    let policy = match slow {
        Slow::Close => "close",
        Slow::Skip => "skip",
        Slow::Latest => "latest",
    };
    told::count_by("talkback_topics_skipped_total", "policy", policy, count);
}

/// A subscriber has ended, as it was too slow.
pub(crate) fn slow_closed() {
    told::count("talkback_topics_slow_closed_total", 1);
}

/// So much more is kept, or less.
pub(crate) fn log_bytes(by: isize) {
    told::add("talkback_topics_log_bytes", by as f64);
}

/// So many publications were dropped, as all topics together kept too much.
pub(crate) fn trimmed(count: usize) {
    if count > 0 {
        told::count("talkback_topics_trimmed_total", count as u64);
    }
}

/// What came of a position.
pub(crate) fn recovered(recovery: Recovery) {
    let outcome = match recovery {
        Recovery::NotAsked => return,
        Recovery::Done => "ring",
        Recovery::FromStore => "store",
        Recovery::TooOld => "too_old",
        Recovery::OtherEpoch => "epoch",
    };
    told::count_by("talkback_topics_recoveries_total", "outcome", outcome, 1);
}

/// A backplane is reached, or not any more.
pub(crate) fn backplane_up(by: i8) {
    told::add("talkback_backplane_up", by.into());
}

/// What came of a publication over the backplane.
pub(crate) fn carried(failure: Option<PublishErrorKind>) {
    let outcome = match failure {
        None => "ok",
        Some(PublishErrorKind::Unavailable) => "unavailable",
        Some(PublishErrorKind::Uncertain) => "uncertain",
        Some(_) => "refused",
    };
    told::count_by("talkback_backplane_publish_total", "outcome", outcome, 1);
}

/// What came of looking for what a topic lacked.
pub(crate) fn looked(found: Found) {
    let outcome = match found {
        Found::Nothing => return,
        Found::Healed => "healed",
        Found::Gone => "told",
    };
    told::count_by("talkback_backplane_gaps_total", "outcome", outcome, 1);
}
