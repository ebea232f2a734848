//! What an error says of a message, and what it does not.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use super::*;

/// A value out of which serde makes something before it looks at it.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
#[expect(dead_code, reason = "they are never made")]
enum Untagged {
    Number(u32),
    Named { count: u32 },
}

/// As many send their messages.
#[derive(Deserialize, Debug)]
#[serde(tag = "type")]
#[expect(dead_code, reason = "they are never made")]
enum Tagged {
    Count { count: u32 },
    Name { name: String },
}

#[derive(Deserialize, Debug)]
#[serde(tag = "type", content = "data")]
#[expect(dead_code, reason = "they are never made")]
enum Adjacent {
    Count { count: u32 },
    Name(String),
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "they are never made")]
struct Flat {
    count: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, bool>,
}

fn error<T: DeserializeOwned + Debug>(text: &str) -> CodecError {
    maybe_error::<T>(text).unwrap()
}

fn maybe_error<T: DeserializeOwned + Debug>(text: &str) -> Option<CodecError> {
    let codec = &Json as &dyn Codec<(), T>;
    let error = codec.decode(&Message::text(text)).err()?;
    let bytes = Message::from(text.as_bytes().to_vec());
    let of_bytes = codec.decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), of_bytes.to_string());
    Some(error)
}

/// An order whose member is this.
fn with(member: &str) -> String {
    let other = r#""name": "", "lines": [], "notes": {}, "how": "Post""#;
    let name = member.split('"').nth(1).unwrap();
    let members: Vec<_> = other.split(", ").filter(|it| !it.contains(name)).collect();
    format!("{{{}, {member}}}", members.join(", "))
}

/// A member of an order, or the whole of what is to be one, and what is told.
const TOLD: &[(&str, &str)] = &[
    (
        r#""name": 7"#,
        "name: expected a string, found an integer (line 1, column 51)",
    ),
    (
        r#""lines": 7"#,
        "lines: expected a sequence, found an integer (line 1, column 51)",
    ),
    (
        r#""lines": [{"count": 1}, {"count": "x"}]"#,
        "lines[1].count: expected u8, found a string (line 1, column 78)",
    ),
    (
        r#""lines": [{"count": 256}]"#,
        "lines[0].count: expected u8, found an integer out of range (line 1, column 64)",
    ),
    (
        r#""lines": [{}]"#,
        "lines[0].count: it is missing (line 1, column 53)",
    ),
    (
        r#""lines": [{"count": 1, "count": 1}]"#,
        "lines[0].count: it is there twice (line 1, column 71)",
    ),
    (
        r#""lines": [{"cuont": 1}]"#,
        "lines[0]: a field that is not known, expected `count` (line 1, column 59)",
    ),
    (
        r#""lines": [7]"#,
        "lines[0]: expected struct Line, found an integer (line 1, column 52)",
    ),
    (
        r#""notes": {"a": null}"#,
        "notes.*: expected u32, found null (line 1, column 60)",
    ),
    (
        r#""how": "Fly""#,
        "how: expected one of `Post`, `Ship`, `Fetch`, found another name (line 1, column 51)",
    ),
    (
        r#""how": {"Ship": [1]}"#,
        "how.Ship: expected tuple variant How::Ship with 2 elements, found 1 elements (line 1, column 58)",
    ),
    (
        r#""how": {"Ship": [1, true]}"#,
        "how.Ship[1]: expected f32, found a boolean (line 1, column 63)",
    ),
    (
        r#""how": {"Fetch": {"at": 0.5}}"#,
        "how.Fetch.at: expected u64, found a number with a fraction or an exponent (line 1, column 66)",
    ),
    (
        r#""gift": {}"#,
        "gift: expected a boolean, found an object (line 1, column 62)",
    ),
    ("{}", "name: it is missing (line 1, column 2)"),
    (
        "[\n7]",
        "[0]: expected a string, found an integer (line 2, column 1)",
    ),
    (
        "{\n",
        "it is not JSON: EOF while parsing an object (line 2, column 0)",
    ),
    ("", "it is empty (line 1, column 0)"),
    (" \n", "it is empty (line 2, column 0)"),
    (
        r#"{"name": "", "lines": [], "notes": {}, "how": "Post"} 7"#,
        "it is not JSON: trailing characters (line 1, column 55)",
    ),
    (
        r#""notes": {"a": tru}"#,
        "it is not JSON: expected ident (line 1, column 60)",
    ),
];

#[test]
fn ts3_an_error_names_the_field_what_was_expected_and_where() {
    for (text, told) in TOLD {
        let text = match text.starts_with('"') {
            true => with(text),
            false => (*text).to_owned(),
        };
        assert_eq!(error::<Order>(&text).to_string(), *told, "{text}");
    }
    let error = error::<Vec<Vec<u8>>>("[[], [1, 2, -1]]");
    assert_eq!((error.path(), error.position()), ("[1][2]", Some((1, 14))));
}

/// What is none of `Post`, `Ship` and `Fetch`, and what was found; or what is told in place of that.
const NO_VARIANTS: &[(&str, &str)] = &[
    ("null", "null (line 1, column 1)"),
    ("\n true", "a boolean (line 2, column 2)"),
    ("-1.5", "a number (line 1, column 1)"),
    (r#"[["Post"]]"#, "an array (line 1, column 1)"),
    ("{ }", "an empty object (line 1, column 3)"),
    (
        r#"{"Ship": [1, 2], "Post": null}"#,
        "an object with several members (line 1, column 15)",
    ),
    (r#""Fly""#, "another name (line 1, column 5)"),
    (r#"{"Fly": 1}"#, "another name (line 1, column 6)"),
];

#[test]
fn ts3_what_is_no_enum_is_told_beside_its_variants() {
    for (text, found) in NO_VARIANTS {
        let told = format!("expected one of `Post`, `Ship`, `Fetch`, found {found}");
        assert_eq!(error::<How>(text).to_string(), told, "{text}");
    }
    let within = error::<Vec<How>>(r#"["Post", {"Fetch": {"at": 7}}, 7]"#);
    let told = "[2]: expected one of `Post`, `Ship`, `Fetch`, found a number (line 1, column 32)";
    assert_eq!(within.to_string(), told);
    for (text, what) in [
        ("", "it is empty"),
        ("Post", "it is not JSON: expected value"),
        ("[[[", "it is not JSON: expected value"),
        (r#"{"Fetch": {"at": }}"#, "it is not JSON: expected value"),
        (r#"{"Post""#, "it is not JSON: EOF while parsing an object"),
    ] {
        let told = error::<How>(text).to_string();
        assert_eq!(told.split(" (line").next(), Some(what), "{text}");
    }
}

#[test]
fn ts3_a_number_that_does_not_fit_is_out_of_range() {
    for (text, found) in [
        ("-1", "an integer out of range"),
        ("4294967296", "an integer out of range"),
        ("18446744073709551616", "a number out of range"),
        ("1e99", "a number out of range"),
        ("1.0", "a number with a fraction or an exponent"),
        ("1e3", "a number with a fraction or an exponent"),
    ] {
        let told = error::<u32>(text).to_string();
        assert!(
            told.starts_with(&format!("expected u32, found {found} (")),
            "{told}"
        );
    }
    let told = error::<f64>("1e999").to_string();
    assert!(told.starts_with("number out of range ("), "{told}");
}

#[test]
fn ts3_where_serde_reads_ahead_the_way_ends() {
    let rows = [
        (
            error::<Adjacent>(r#"{"type": "Count", "data": {"count": "x"}}"#),
            "data.count: expected u32, found a string (line 1, column 39)",
        ),
        (
            error::<Vec<Tagged>>(r#"[{"type": "Count", "count": "x"}]"#),
            "[0]: expected u32, found a string (line 1, column 33)",
        ),
        (
            error::<Tagged>(r#"{"type": "Count"}"#),
            "count: it is missing",
        ),
        (
            error::<Tagged>("{}"),
            "type: it is missing (line 1, column 2)",
        ),
        (
            error::<Untagged>(r#"{"count": "x"}"#),
            "its type refuses what it says",
        ),
        (
            error::<Flat>(r#"{"count": "x"}"#),
            "count: expected u32, found a string (line 1, column 13)",
        ),
        (error::<Never>(r#""x""#), "its type refuses what it says"),
        (
            error::<Vec<Never>>(r#"["x"]"#),
            "[0]: its type refuses what it says (line 1, column 5)",
        ),
    ];
    let told = rows.each_ref().map(|(error, _)| error.to_string());
    assert_eq!(
        told.each_ref().map(String::as_str),
        rows.each_ref().map(|(_, told)| *told)
    );
}

/// What is wrong with a text, if something is.
type Decode = fn(&str) -> Option<CodecError>;

#[tokio::test]
async fn ts4_no_text_repeats_anything_of_the_message() {
    let texts = [
        r#""hunter2""#,
        r#"{"hunter2": 1}"#,
        r#"{"name": "", "hunter2": [tru]}"#,
        r#"{"lines": [{"hunter2": 1}]}"#,
        r#"{"lines": [{"count": "hunter2"}]}"#,
        r#"{"notes": {"hunter2": "hunter2"}}"#,
        r#"{"notes": {"hunter2": hunter2}}"#,
        r#"{"how": "hunter2"}"#,
        r#"{"how": {"hunter2": "hunter2"}}"#,
        r#"{"type": "hunter2"}"#,
        r#"{"type": "Count", "count": "hunter2"}"#,
        r#"{"type": "Count", "data": {"hunter2": 1, "count": "hunter2"}}"#,
        r#"{"count": 1, "hunter2": "hunter2"}"#,
        "hunter2",
        r#"["hunter2" hunter2]"#,
    ];
    let codecs: [(_, Decode); 6] = [
        ("order", maybe_error::<Order>),
        ("tagged", maybe_error::<Tagged>),
        ("adjacent", maybe_error::<Adjacent>),
        ("untagged", maybe_error::<Untagged>),
        ("flat", maybe_error::<Flat>),
        ("never", maybe_error::<Never>),
    ];
    let mut seen = 0;
    for text in texts {
        for (name, error) in codecs {
            let Some(error) = error(text) else {
                continue;
            };
            seen += 1;
            let told = format!("{error} {error:?} {error:#?} {}", error.path());
            assert!(!told.contains("hunter2"), "{name} {text}: {told}");
        }
        let (client, server) = pair();
        client.send(text).await.unwrap();
        let error = server.json::<(), Order>().recv().await.unwrap_err();
        let told = format!("{error} {error:?} {error:#?}");
        assert!(!told.contains("hunter2"), "{told}");
        let begins = format!(
            "a message of {} bytes is not what was expected: ",
            text.len()
        );
        assert!(error.to_string().starts_with(&begins), "{error}");
    }
    // One of them says nothing wrong to one of the types.
    assert_eq!(seen, texts.len() * codecs.len() - 1);
}
