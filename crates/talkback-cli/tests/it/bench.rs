//! `talkback bench`: what it counts, and what it tells.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::server::{echo_all, open, server};
use crate::support::{Finished, echo, run};

/// A short run's report, and how it ended.
fn bench(arguments: &[&str]) -> (Value, Finished) {
    let all = [&["bench", "-d", "0.3", "--json"], arguments].concat();
    let finished = run(&all, "");
    let report = serde_json::from_str(&finished.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    (report, finished)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

/// The number of errors whose cause has this word.
fn errors(report: &Value, word: &str) -> u64 {
    let errors = report["errors"].as_array().unwrap().iter();
    let meant = errors.filter(|error| error["cause"].as_str().unwrap().contains(word));
    meant.map(|error| number(&error["count"])).sum()
}

#[test]
fn each_load_is_answered_and_counted() {
    let (_server, url) = echo(&[]);
    for arguments in [
        &[][..],
        &["-c", "3", "--threads", "2", "--pipeline", "8"],
        &["--binary", "--size", "64KiB", "--no-compression"],
        &["--send", "a", "--send", "안녕"],
        &["--rate", "500", "--pipeline", "4"],
    ] {
        let (report, finished) = bench(&[&[&*url], arguments].concat());
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        assert_eq!(report["errors"], Value::Array(vec![]), "{arguments:?}");
        let answered = number(&report["answered"]);
        assert!(answered > 0, "{arguments:?}");
        assert_eq!(number(&report["sent"]), answered, "{arguments:?}");
        let bars = report["histogram"].as_array().unwrap().iter();
        let counts = bars.map(|bar| number(&bar["count"]));
        assert_eq!(counts.sum::<u64>(), answered, "{arguments:?}");
        let latency = |name: &str| report["latency"][name].as_f64().unwrap();
        let names = ["min", "p50", "p75", "p90", "p99", "p99_9", "p99_99", "max"];
        assert!(latency("min") > 0.0, "{arguments:?}");
        for pair in names.windows(2) {
            assert!(latency(pair[0]) <= latency(pair[1]), "{arguments:?}");
        }
    }
}

#[test]
fn the_report_on_a_terminal_has_rates_quantiles_and_bars() {
    let (_server, url) = echo(&[]);
    let finished = run(&["bench", &url, "-d", "0.3", "-c", "2"], "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stderr, "");
    for words in [
        &*url,
        "2 connections, text of 64 bytes",
        "a second",
        "p99.99",
        " < ",
        "# ",
    ] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
}

#[test]
fn errors_are_told_by_their_cause() {
    let closing = server(|stream| async {
        let mut socket = open(stream).await;
        let _ = socket.recv().await;
        let _ = socket.close_with(4001, "enough").await;
    });
    let garbage = server(|stream| async {
        let mut socket = open(stream).await;
        let Ok(Some(_)) = socket.recv().await else {
            return;
        };
        let _ = socket.transport().unwrap().try_write(b"\xff\xff");
        let _ = socket.recv().await;
    });
    let silent = server(|stream| async {
        let _socket = open(stream).await;
        std::future::pending::<()>().await;
    });
    let unavailable = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(answer).await;
    });
    for (url, code, word) in [
        (&*closing, 9, "4001"),
        (&garbage, 7, "reserved"),
        (&silent, 1, "not answered"),
        (&unavailable, 6, "503"),
        ("ws://127.0.0.1:1/", 4, "refused"),
    ] {
        let (report, finished) = bench(&[url, "-c", "3", "--wait", "0.3"]);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert_eq!(errors(&report, word), 3, "{word}: {report}");
        assert_eq!(errors(&report, ""), 3, "{word}: {report}");
        assert_eq!(number(&report["answered"]), 0, "{report}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(word), "{finished:?}");
    }
}

#[test]
fn one_connection_that_fails_ends_no_other() {
    let count = AtomicUsize::new(0);
    let url = server(move |stream| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            let socket = open(stream).await;
            if number > 0 {
                echo_all(socket).await;
            }
        }
    });
    let (report, finished) = bench(&[&url, "-c", "3"]);
    assert_eq!(finished.code, Some(8), "{finished:?}");
    assert_eq!(errors(&report, "1006"), 1, "{report}");
    assert_eq!(number(&report["opened"]), 3);
    assert!(number(&report["answered"]) > 3, "{report}");
}

#[test]
fn an_answer_is_held_against_what_is_expected() {
    let (_server, url) = echo(&[]);
    let given = ["--send", "a", "--send", "b"];
    for (arguments, is_right) in [
        (&["--expect", "a", "--expect", "b"][..], true),
        (&["--expect-any"], true),
        (&["--expect", "b", "--expect", "a"], false),
    ] {
        let (report, finished) = bench(&[&[&*url], &given[..], arguments].concat());
        let wrong = errors(&report, "not what was expected");
        let all = number(&report["answered"]);
        let expected = if is_right {
            (0, Some(0))
        } else {
            (all, Some(1))
        };
        assert_eq!((wrong, finished.code), expected, "{arguments:?}: {report}");
    }
    // One of two is wrong.
    let (report, finished) = bench(&[&[&*url], &given[..], &["--expect", "a"]].concat());
    let (wrong, all) = (
        errors(&report, "not what was expected"),
        number(&report["answered"]),
    );
    assert_eq!(finished.code, Some(1));
    assert!(wrong > 0 && wrong < all, "{report}");
}

#[test]
fn what_is_held_up_counts_from_when_it_was_due() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        let first = socket.recv().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        socket.send(first).await.unwrap();
        echo_all(socket).await;
    });
    let arguments = [&*url, "-c", "1", "--rate", "100", "-d", "3"];
    let finished = run(&[&["bench", "--json"], &arguments[..]].concat(), "");
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["is_corrected"], true);
    // Of the 40 that were due meanwhile nearly all were late, if only the first was slow.
    let bars = report["histogram"].as_array().unwrap().iter();
    let late = bars.filter(|bar| bar["from"].as_f64().unwrap() >= 10.0);
    let late: u64 = late.map(|bar| number(&bar["count"])).sum();
    assert!(late >= 30, "{report}");
}

#[test]
fn an_answer_that_comes_after_the_last_message_is_in_no_rate() {
    let (_server, url) = echo(&[]);
    let slow = format!("{url}delay/200");
    let (report, finished) = bench(&[&slow, "-c", "1", "--pipeline", "8", "--wait", "60"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let rate = report["answers_per_second"].as_f64().unwrap();
    let in_time = rate * report["seconds"].as_f64().unwrap();
    assert!(
        number(&report["answered"]) as f64 > in_time + 0.5,
        "{report}"
    );
    assert!(rate <= 8.0 / 0.2, "{report}");
}

#[test]
fn an_answer_before_its_message_is_written_ends_no_connection() {
    let (_server, url) = echo(&[]);
    let early = format!("{url}stream/100000/ms/1");
    let load = ["--size", "8MiB", "--binary", "--no-compression"];
    let rest = ["-c", "1", "--wait", "0.3", "--expect-any"];
    let (report, _) = bench(&[&[&*early], &load[..], &rest].concat());
    assert!(report["seconds"].as_f64().unwrap() >= 0.3, "{report}");
    assert_eq!(errors(&report, "closed"), 0, "{report}");
}

#[test]
fn a_ramp_opens_connections_one_after_the_other() {
    let (_server, url) = echo(&[]);
    let (report, finished) = bench(&[&url, "-c", "4", "--ramp", "0.8"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(number(&report["opened"]), 4);
    // The last one of four begins after three quarters.
    assert!(report["opened_after_seconds"].as_f64().unwrap() >= 0.6);
    let answered = number(&report["answered"]);
    assert_eq!(number(&report["sent"]), answered, "{report}");
    // Those that are open send meanwhile.
    assert!(
        report["points"][0]["at"].as_f64().unwrap() < 0.6,
        "{report}"
    );
}

#[test]
fn connections_take_addresses_in_turn() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let peers = Arc::clone(&seen);
    let url = server(move |stream| {
        let address = stream.peer_addr().unwrap().ip().to_string();
        peers.lock().unwrap().insert(address);
        async { echo_all(open(stream).await).await }
    });
    let elsewhere = url.replace("127.0.0.1", "server.example");
    let mut arguments = vec![&*elsewhere, "-c", "4", "--address", "127.0.0.1"];
    if cfg!(target_os = "linux") {
        arguments.extend([
            "--local-address",
            "127.0.0.2",
            "--local-address",
            "127.0.0.3",
        ]);
    }
    let (report, finished) = bench(&arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(number(&report["opened"]), 4);
    if cfg!(target_os = "linux") {
        let seen = seen.lock().unwrap();
        assert!(seen.iter().eq(["127.0.0.2", "127.0.0.3"]), "{seen:?}");
    }
}

#[test]
fn the_page_needs_no_other_file_and_is_no_markup_of_others() {
    let (_server, url) = echo(&[]);
    let name = format!("talkback-bench-{}.html", std::process::id());
    let path = std::env::temp_dir().join(name);
    let title = "부하 시험 <b>&";
    let arguments = [&*url, "--title", title, "--html", path.to_str().unwrap()];
    let (_, finished) = bench(&arguments);
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for outside in ["http", "src=", "href", "url(", "@import", "<script", "<b>"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("<h1>부하 시험 &lt;b&gt;&amp;</h1>"));
    assert_eq!(page.matches("<svg").count(), 4);
    assert_eq!(page.matches("</svg>").count(), 4);
    assert!(page.contains(&url) && page.contains("p99.99"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_the_report_so_far() {
    // With a ramp while the second connection waits for its turn.
    for arguments in [&[][..], &["-c", "2", "--ramp", "600", "--wait", "0.3"]] {
        ctrl_c_ends(arguments);
    }
}

#[cfg(unix)]
fn ctrl_c_ends(arguments: &[&str]) {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let url = server(move |stream| {
        let count = Arc::clone(&count);
        async move {
            let mut socket = open(stream).await;
            while let Ok(Some(message)) = socket.recv().await {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = socket.feed(message).await;
            }
        }
    });
    let all = [&["bench", &url, "-d", "600", "--json"], arguments].concat();
    let client = crate::support::Running::start(&all);
    client.until("messages go", |_| answered.load(Ordering::Relaxed) > 100);
    client.signal("INT");
    let finished = client.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let answered = number(&report["answered"]);
    assert!(answered > 50, "{report}");
    assert_eq!(number(&report["sent"]), answered, "{report}");
    let rate = report["answers_per_second"].as_f64().unwrap();
    let in_time = rate * report["seconds"].as_f64().unwrap();
    assert!(
        in_time > 50.0 && in_time < answered as f64 + 0.5,
        "{report}"
    );
}

#[test]
fn what_is_wrong_with_the_options_takes_one_line() {
    for (arguments, words) in [
        (&["-c", "0"][..], "--connections"),
        #[cfg(unix)]
        (&["-c", "10000000"], "ulimit -n"),
        (&["--rate", "fast"], "1000 or 0.5"),
        (&["--duration", "1e18"], "up to a year"),
        (&["--size", "17MiB"], "--max-message"),
        (&["--send", "ab", "--max-message", "1"], "--max-message"),
        (&["--send", "a", "--size", "5"], "--size"),
        (
            &["--send", "a", "--expect", "a", "--expect", "b"],
            "one for each",
        ),
        (&["--expect", "a", "--expect-any"], "--expect"),
        (&["--durtion", "1"], "did you mean `--duration`?"),
        (&["--html", "/no/such/folder/a.html"], "--html"),
    ] {
        let all = [&["bench", "ws://127.0.0.1:1/"], arguments].concat();
        let finished = run(&all, "");
        assert!(matches!(finished.code, Some(1 | 2)), "{finished:?}");
        assert_eq!(finished.stdout, "", "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(words), "{words}: {finished:?}");
    }
}

#[test]
fn a_report_whose_reader_has_gone_is_no_error() {
    let (_server, url) = echo(&[]);
    let mut bench = std::process::Command::new(env!("CARGO_BIN_EXE_talkback"));
    bench.args(["bench", "-d", "0.1", &url]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn what_never_opened_has_neither_times_nor_compression() {
    let finished = run(&["bench", "-d", "0.1", "ws://127.0.0.1:1/"], "");
    assert_eq!(finished.code, Some(4), "{finished:?}");
    let line = |name: &str| finished.stdout.lines().find(|line| line.starts_with(name));
    assert!(
        line("load").unwrap().ends_with(", compression —"),
        "{finished:?}"
    );
    assert!(line("opened").unwrap().ends_with(" s"), "{finished:?}");
}
