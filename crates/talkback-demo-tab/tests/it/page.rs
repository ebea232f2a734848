//! What stands in the page and in its style, held against what the state says of the recipe's screen.

use talkback_demo::state::{ANSWER_SPACE, FIELD_LABEL, PADDING, SEND_LABEL, TITLE};

const PAGE: &str = include_str!("../../page/index.html");
const STYLE: &str = include_str!("../../page/tab.css");

/// What stands between two texts, the first of which is there once.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let mut parts = text.split(before).skip(1);
    let part = parts.next().unwrap_or_else(|| panic!("no {before}"));
    assert_eq!(parts.next(), None, "{before}");
    let (found, _) = part.split_once(after).unwrap_or_default();
    found
}

/// A property of the style, in the rule that is the selector's alone.
#[track_caller]
fn property<'a>(selector: &str, name: &str) -> &'a str {
    let rule = between(STYLE, &format!("\n{selector} {{"), "}");
    let declarations = rule.split(';').map(str::trim);
    let mut values = declarations.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.next_back().unwrap_or_default()
}

#[test]
fn title_and_labels_are_the_states() {
    assert_eq!(between(PAGE, "<title>", "</title>"), TITLE);
    assert_eq!(between(PAGE, "<h1 id=\"title\">", "</h1>"), TITLE);
    assert_eq!(
        between(PAGE, "<label for=\"field\">", "</label>"),
        FIELD_LABEL
    );
    let button = between(PAGE, "<button id=\"send\"", ">");
    for attribute in ["title", "aria-label"] {
        let value = between(button, &format!(" {attribute}=\""), "\"");
        assert_eq!(value, SEND_LABEL, "{attribute}");
    }
}

#[test]
fn room_is_as_the_state_says() {
    let padding = format!("{PADDING}px");
    let body = property("main", "padding");
    // Above, at the sides; below there is space for the button, too.
    let sides = [&*padding, &*padding];
    assert!(body.split(' ').take(2).eq(sides), "{body}");
    assert_eq!(property("header", "padding"), format!("0 {padding}"));
    assert_eq!(property("#answer", "margin"), format!("{ANSWER_SPACE}px 0"));
}

/// The colour says that something is under way, in both themes, and the words are not read out each second.
#[test]
fn that_it_reconnects_is_said_in_its_colour() {
    assert_eq!(property("#reconnecting", "color"), "var(--busy)");
    let line = between(PAGE, "<p id=\"reconnecting\"", ">");
    assert_eq!(line, " role=\"timer\"");
    assert_eq!(STYLE.matches("--busy: #").count(), 2);
}
