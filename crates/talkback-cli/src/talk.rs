//! What a person types at the prompt: messages, and commands that begin with a slash.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use talkback::{CloseCode, Message};
use talkback_terminal::explain::without_numbers;
use talkback_terminal::show::escaped;

use crate::args::Form;
use crate::input;

/// The commands, each with a blank behind it if more follows.
pub(crate) const WORDS: &[&str] = &["/binary ", "/close", "/file ", "/help", "/ping"];

/// What `/help` tells, a line each.
pub(crate) const HELP: &[&str] = &[
    "/binary HEX           send bytes: two digits for each, such as ca fe",
    "/file PATH            send a file as one message: as text if it is UTF-8, or else as binary",
    "/ping                 ping, and tell how long the pong took",
    "/close [CODE REASON]  close, as in /close 4000 bye",
    "//TEXT                send /TEXT",
    "Ctrl-R searches earlier lines, Tab completes commands, Alt-Enter begins a new line in the message,",
    "Ctrl-L clears the screen, Ctrl-Z suspends, Ctrl-D closes, Ctrl-C ends. A line that begins with a blank is",
    "not kept in the history.",
];

/// How far from a command what was typed may be to be taken for it.
const DISTANCE_MAX: usize = 2;

/// What was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Message(Message),
    Ping,
    /// With a code that may be sent, or without one.
    Close(Option<(CloseCode, String)>),
    File(PathBuf),
    Help,
}

/// What a line is, or what is wrong with it; a message has this size at most.
pub(crate) fn parse(form: Form, line: &str, size_max: u64) -> Result<Said, String> {
    let is_command = line.starts_with('/') && !line.contains('\n');
    if !is_command || line.starts_with("//") {
        let text = match is_command {
            true => &line[1..],
            false => line,
        };
        let message = input::message(form, text.as_bytes().to_vec(), size_max);
        return message
            .map(Said::Message)
            .map_err(|what| format!("not sent: the line {what}"));
    }
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match command {
        "/help" => Ok(Said::Help),
        "/ping" => Ok(Said::Ping),
        "/close" => close(rest),
        "/binary" => {
            let message = input::message(Form::Hex, rest.as_bytes().to_vec(), size_max);
            message
                .map(Said::Message)
                .map_err(|what| format!("not sent: what follows /binary {what}"))
        }
        "/file" if rest.is_empty() => {
            Err("not sent: name a file, as in /file message.json".to_owned())
        }
        "/file" => Ok(Said::File(rest.into())),
        command => Err(unknown(command)),
    }
}

fn close(rest: &str) -> Result<Said, String> {
    if rest.is_empty() {
        return Ok(Said::Close(None));
    }
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let number = code.parse().ok().map(CloseCode::new);
    let Some(code) = number.filter(|code| code.is_sendable()) else {
        return Err(format!(
            "not closed: {} is not a code that may be sent, which are 1000 to 1003, 1007 to 1014 and 3000 to 4999",
            escaped(code)
        ));
    };
    // A control frame's payload has 125 bytes at most (RFC 6455 §5.5), two of them the code.
    match reason.len() {
        0..=123 => Ok(Said::Close(Some((code, reason.to_owned())))),
        size => Err(format!(
            "not closed: the reason has {size} bytes, and 123 at most can be sent"
        )),
    }
}

fn unknown(command: &str) -> String {
    let distance = |word: &&&str| strsim::damerau_levenshtein(word.trim_end(), command);
    let nearest = WORDS.iter().min_by_key(distance);
    let nearest = nearest.filter(|word| distance(word) <= DISTANCE_MAX);
    let advice = match nearest {
        Some(word) => format!("did you mean {}?", word.trim_end()),
        None => "see /help.".to_owned(),
    };
    let shown: String = command.chars().take(40).collect();
    format!(
        "not sent: there is no {}: {advice} A message that begins with / is typed as //.",
        escaped(&shown)
    )
}

/// Reads a file as one message.
pub(crate) fn read(path: &Path, size_max: u64) -> Result<Message, String> {
    let read = || {
        // Opening a pipe waits until something writes to it.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(size_max.saturating_add(1))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let wrong = |what: String| {
        let text = format!("not sent: {}: {what}", path.display());
        escaped(&without_numbers(&text))
    };
    let bytes = read().map_err(|error: io::Error| wrong(error.to_string()))?;
    if bytes.len() as u64 > size_max {
        return Err(wrong(format!("it {}", input::too_large(size_max))));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => error.into_bytes().into(),
    })
}

/// What is told of a file that goes.
pub(crate) fn sent(message: &Message) -> String {
    let kind = match message {
        Message::Text(_) => "text",
        Message::Binary(_) => "binary",
    };
    format!("sending {} bytes as {kind}", message.len())
}

/// Where lines are kept from one run to the next, as the XDG Base Directory Specification has it.
pub(crate) fn history() -> Option<PathBuf> {
    let folder = |variable: &str| {
        let folder = std::env::var_os(variable).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let home = || Some(folder("HOME")?.join(".local/state"));
    let state = folder("XDG_STATE_HOME").or_else(home);
    Some(
        state
            .or_else(|| folder("LOCALAPPDATA"))?
            .join("talkback/history"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<Said, String> {
        parse(Form::Text, line, 20)
    }

    #[test]
    fn a_slash_begins_a_command_and_two_a_message() {
        let message = |text: &str| Ok(Said::Message(text.into()));
        assert_eq!(said("a /b"), message("a /b"));
        assert_eq!(said("//a"), message("/a"));
        assert_eq!(said("///"), message("//"));
        assert_eq!(
            said("/* several\nlines */"),
            message("/* several\nlines */")
        );
        let bytes = Message::from(vec![0xca, 0xfe]);
        assert_eq!(said("/binary ca FE"), Ok(Said::Message(bytes.clone())));
        assert_eq!(parse(Form::Hex, "cafe", 2), Ok(Said::Message(bytes)));
        assert_eq!(said("/file a b "), Ok(Said::File("a b".into())));
        let path = r"C:\폴더\new 파일.txt";
        let file = Ok(Said::File(path.into()));
        assert_eq!(said(&format!("/file {path}")), file);
        assert_eq!(
            (said("/ping"), said("/help")),
            (Ok(Said::Ping), Ok(Said::Help))
        );
        assert_eq!(said("/close"), Ok(Said::Close(None)));
        let bye = Some((CloseCode::new(4000), "bye bye".to_owned()));
        assert_eq!(said("/close 4000 bye bye"), Ok(Said::Close(bye)));
    }

    #[test]
    fn what_is_wrong_with_a_command_is_told_and_nothing_is_sent() {
        let long = format!("/close 4000 {}", "가".repeat(42));
        let (text, binary) = ("x".repeat(21), format!("/binary {}", "ca".repeat(21)));
        for (line, expected) in [
            ("/pign", "there is no /pign: did you mean /ping? A message"),
            ("/quit", "there is no /quit: see /help. A message"),
            ("/binary caf", "two digits for each byte"),
            (
                &binary,
                "what follows /binary is longer than the limit of 20 bytes",
            ),
            (&text, "the line is longer than the limit of 20 bytes"),
            ("/file", "name a file"),
            ("/close 1006", "1006 is not a code that may be sent"),
            ("/close bye", "bye is not a code"),
            (&long, "126 bytes, and 123 at most"),
        ] {
            let what = said(line).unwrap_err();
            assert!(
                what.starts_with("not ") && what.contains(expected),
                "{what}"
            );
            assert!(!what.contains('\n'), "{what}");
        }
        let what = parse(Form::Hex, "xyz", 20).unwrap_err();
        assert!(
            what.starts_with("not sent: the line is not hexadecimal"),
            "{what}"
        );
    }

    #[test]
    fn a_file_is_text_or_binary_and_not_endless() {
        let path = std::env::temp_dir().join(format!("talkback-파일-{}", std::process::id()));
        std::fs::write(&path, "안녕\n").unwrap();
        assert_eq!(read(&path, 7), Ok("안녕\n".into()));
        let what = read(&path, 6).unwrap_err();
        assert!(what.contains("the limit of 6 bytes"), "{what}");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read(&path, 7), Ok(vec![0xff].into()));
        std::fs::remove_file(&path).unwrap();
        // The system's words are in its language.
        let missing = without_numbers(&File::open(&path).unwrap_err().to_string());
        for (path, expected) in [(&*path, &*missing), (&std::env::temp_dir(), "not a file")] {
            let what = read(path, 7).unwrap_err();
            assert!(
                what.ends_with(expected) && !what.contains("os error"),
                "{what}"
            );
            assert!(what.contains(&*path.to_string_lossy()), "{what}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("talkback-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let what = read(&path, 7).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert!(what.contains("not a file"), "{what}");
    }

    #[test]
    fn each_command_is_in_the_help() {
        for word in WORDS.iter().filter(|word| **word != "/help") {
            assert!(HELP.iter().any(|line| line.starts_with(word)), "{word}");
        }
    }
}
