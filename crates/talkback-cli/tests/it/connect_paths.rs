//! `talkback connect` against the paths of `talkback echo` that misbehave: the command at both ends.

use crate::support::{connect, echo};

/// What a path does: the arguments and the input, the exit code, what is printed, and words of what is told.
type Case = (
    &'static [&'static str],
    &'static str,
    i32,
    &'static str,
    &'static [&'static str],
);

const CASES: &[(&str, Case)] = &[
    (
        "close/4000/bye%20bye",
        (&["-w", "forever"], "", 9, "", &["4000", "\"bye bye\""]),
    ),
    ("close/1000", (&["-w", "forever"], "", 0, "", &["1000"])),
    (
        "delay/300",
        (&["--messages", "2"], "a\nb\n", 0, "a\nb\n", &[]),
    ),
    (
        "drop/1",
        (&["-w", "forever"], "a\nb\n", 8, "a\n", &["1006"]),
    ),
    ("slow/100", (&["-1"], "안녕\n", 0, "안녕\n", &[])),
    (
        "status/503/7",
        (&["-v"], "", 6, "", &["503", "< retry-after: 7"]),
    ),
    ("status/403", (&[], "", 6, "", &["403"])),
    (
        "redirect/size/3",
        (&[], "", 6, "", &["302", "/size/3", "--location"]),
    ),
    ("redirect/size/3", (&["-L", "-1"], "", 0, "xxx\n", &[])),
    (
        "subprotocol/two",
        (
            &["-s", "one", "-s", "two", "-1"],
            "a\n",
            0,
            "a\n",
            &["subprotocol two"],
        ),
    ),
    // As on any path that asks for nothing.
    (
        "any",
        (&["-s", "one", "-1"], "a\n", 0, "a\n", &["subprotocol one"]),
    ),
    (
        "subprotocol/three",
        (&["-s", "one"], "", 6, "", &["no subprotocol of the 1"]),
    ),
    (
        "stream/3/ms/10",
        (&["--messages", "3"], "", 0, "0\n1\n2\n", &[]),
    ),
    ("size/5", (&["-1"], "", 0, "xxxxx\n", &[])),
    (
        "size/1001",
        (
            &["-1", "--max-message", "1KB"],
            "",
            7,
            "",
            &["--max-message"],
        ),
    ),
    (
        "ping/1",
        (&["-v", "-w", "1.5"], "", 0, "", &["bytes: answered"]),
    ),
    ("close", (&[], "", 6, "", &["404", "/close/CODE/REASON"])),
];

#[test]
fn each_has_its_end_and_its_words() {
    let (_server, url) = echo(&[]);
    // Several of them wait.
    std::thread::scope(|scope| {
        for (path, case) in CASES {
            let url = format!("{url}{path}");
            scope.spawn(move || {
                let (arguments, input, code, printed, words) = case;
                let finished = connect(&[&[&*url], *arguments].concat(), input);
                let ended = (finished.code, &*finished.stdout);
                assert_eq!(ended, (Some(*code), *printed), "{path}: {finished:?}");
                for word in *words {
                    assert!(finished.stderr.contains(word), "{word}: {finished:?}");
                }
            });
        }
    });
}

#[test]
fn each_path_is_tried() {
    for (form, _) in talkback_echo::PATHS {
        let name = form.split('/').nth(1).unwrap();
        let is_tried = |(path, _): &(&str, Case)| path.split('/').next() == Some(name);
        assert!(name == "headers" || CASES.iter().any(is_tried), "{form}");
    }
    let (_server, url) = echo(&[]);
    let asked = [
        "-H",
        "X-Quoted: \"1\"",
        "-1",
        "--origin",
        "http://a.example",
    ];
    let finished = connect(&[&[&*format!("{url}headers")], &asked[..]].concat(), "");
    let headers: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(
        (&headers["x-quoted"], &headers["origin"]),
        (&"\"1\"".into(), &"http://a.example".into())
    );
}
