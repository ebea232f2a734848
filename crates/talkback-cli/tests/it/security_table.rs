//! SECURITY.md claims nothing that no test holds: each row of its table names tests that exist, and
//! its limits are the defaults.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use talkback::{HeadLimits, Keepalive, Limits};

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the last table, each as its cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (_, table) = text.split_once("## Attacks").unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
    });
    // The head and the line below it.
    rows.skip(2).map(Iterator::collect).collect()
}

/// Whether `source` has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let begin = format!("fn {name}()");
    let Some(at) = source.find(&begin) else {
        return false;
    };
    // Its attributes stand between the end of what is before it and its name.
    let before = &source[..at];
    let attributes = before.rsplit_once("\n\n").map_or(before, |(_, last)| last);
    let is_test = attributes.contains("#[test]") || attributes.contains("#[tokio::test");
    is_test && !attributes.contains("#[ignore")
}

#[test]
fn each_row_names_tests_that_exist() {
    let mut seen = HashSet::new();
    for row in rows(&read("SECURITY.md")) {
        let [id, threat, defence, _, tests] = &row[..] else {
            panic!("{row:?}");
        };
        assert!(!threat.is_empty() && !defence.is_empty(), "{id}");
        assert!(seen.insert(id.clone()), "{id} stands there twice");
        let names: Vec<&str> = tests.split(", ").collect();
        assert!(!tests.is_empty(), "{id} names no test");
        for name in names {
            let (path, name) = name.trim_matches('`').split_once("::").unwrap();
            assert!(
                has_test(&read(path), name),
                "{id}: {path} has no test {name}"
            );
        }
    }
    // What other numbers there are belongs to later parts, or to nothing that a peer sends.
    let attacks = [
        1, 2, 3, 4, 5, 7, 8, 11, 12, 15, 17, 20, 21, 29, 31, 34, 40, 45, 50, 51, 52, 53, 54, 55, 56,
    ];
    for number in attacks {
        assert!(seen.contains(&format!("V{number}")), "V{number} is missing");
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

#[test]
fn the_limits_told_are_the_defaults() {
    let (limits, head, keepalive) = (
        Limits::default(),
        HeadLimits::default(),
        Keepalive::default(),
    );
    let fragments = limits.fragments_limit().to_string();
    let (thousands, rest) = fragments.split_at(fragments.len() - 3);
    let fragments = format!("{thousands},{rest}");
    let message = format!("{} MiB", limits.message_size_limit() / 1024 / 1024);
    let write = format!("{} KiB", limits.write_buffer_limit() / 1024);
    let close = seconds(limits.time_to_close());
    let (interval, timeout) = (
        seconds(keepalive.ping_after()),
        seconds(keepalive.end_after()),
    );
    let head_size = format!("{} KiB", head.size_limit() / 1024);
    let headers = head.headers_limit().to_string();
    let handshake = "10 s".to_owned();
    for (path, told) in [
        (
            "crates/talkback-proto/src/limits.rs",
            &[&message, &fragments, &write, &close][..],
        ),
        (
            "crates/talkback-proto/src/handshake/http1.rs",
            &[&head_size, &headers],
        ),
        (
            "crates/talkback-proto/src/connection/keepalive.rs",
            &[&interval, &timeout],
        ),
        ("crates/talkback/src/accept.rs", &[&handshake]),
    ] {
        let source = read(path);
        for limit in told {
            let sentence = format!("{limit} by default");
            assert!(source.contains(&sentence), "{path}: {sentence}");
        }
    }
    let security = read("SECURITY.md");
    for row in [
        format!("| message, over all its fragments, inflated | {message} |"),
        format!("| fragments of one message | {fragments} |"),
        format!("| queued before sending waits, beyond the message in hand | {write} |"),
        format!("| closing handshake | {close} |"),
        format!("| head of a request or response | {head_size} and {headers} headers |"),
        format!("(channels) | {interval} and {timeout} |"),
    ] {
        assert!(security.contains(&row), "{row}");
    }
}
