//! What a person types at the prompt of `talkback listen`.

use talkback::Message;

/// For one client, or for all, or what is wrong with it.
pub(super) fn read(typed: Message) -> Result<(Option<u64>, Message), String> {
    let Message::Text(text) = &typed else {
        return Ok((None, typed));
    };
    let Some(command) = text.strip_prefix('/') else {
        return Ok((None, typed));
    };
    if command.starts_with('/') {
        return Ok((None, command.into()));
    }
    let one = || {
        let (number, text) = command.strip_prefix("to ")?.split_once(' ')?;
        let number = number.strip_prefix('#').unwrap_or(number);
        Some((Some(number.parse().ok()?), text.into()))
    };
    one().ok_or_else(|| {
        "not sent: write /to N TEXT for one client, or // to begin a text with a slash".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_all_unless_it_names_one() {
        let for_all = |text: &str| Ok((None, Message::from(text)));
        assert_eq!(read("hi /to 1".into()), for_all("hi /to 1"));
        assert_eq!(read("//to 1 x".into()), for_all("/to 1 x"));
        for text in ["/to 2 a  b", "/to #2 a  b"] {
            assert_eq!(read(text.into()), Ok((Some(2), "a  b".into())));
        }
        for text in ["/", "/to", "/to 2", "/to x y", "/tell 2 x"] {
            assert!(
                read(text.into()).unwrap_err().contains("/to N TEXT"),
                "{text}"
            );
        }
    }
}
