//! `talkback connect` in a terminal: commands, and what is shown of messages.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::server::{echo_of_the_library, open, server};
use crate::support::terminal::{Folder, Terminal, counting};
use crate::support::{connect, echo};

#[test]
fn commands_do_what_they_say() {
    let folder = Folder::new("commands");
    let mut terminal = Terminal::connect(&folder, &[&counting()]);
    terminal.press("/he\t\r");
    terminal.shows("/close [CODE REASON]");
    terminal.press("/binary ca fe\r");
    terminal.shows("#1 binary 2 bytes");
    let path = folder.0.join("안녕 message.json");
    fs::write(&path, "{\n}").unwrap();
    terminal.press(&format!("/file {}\r", path.display()));
    terminal.shows("sending 3 bytes as text");
    terminal.shows(
        "#2 text 3 bytes 2 lines {\n}."
            .replace('\n', "\\n")
            .as_str(),
    );
    terminal.press("/ping\r");
    terminal.shows("latency: ");
    terminal.press("//slash\r");
    terminal.shows("#3 text 6 bytes 1 lines ash.");
    terminal.press("/close 4000 bye\r");
    terminal.shows("closed by this end, code 4000, reason \"bye\"");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_ping_is_answered_on_a_connection_that_another_follows() {
    let (_server, url) = echo(&[]);
    let mut terminal = Terminal::connect(&Folder::new("ping"), &[&url, "--reconnect"]);
    terminal.press("/ping\r");
    terminal.shows("latency: ");
    terminal.press("/close 1000 done\r");
    terminal.shows("code 1000 (normal), reason \"done\"");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_ping_between_two_connections_says_that_there_is_none() {
    let is_first = AtomicBool::new(true);
    let url = server(move |stream| {
        let is_first = is_first.swap(false, Ordering::Relaxed);
        async move {
            // Lost at once, and never open again.
            if is_first {
                open(stream).await;
            }
        }
    });
    let mut terminal = Terminal::connect(&Folder::new("lost"), &[&url, "--reconnect"]);
    terminal.shows("Reconnecting.");
    terminal.press("/ping\r");
    terminal.shows("not sent: there is no connection now");
}

#[test]
fn nothing_waits_for_a_server_that_does_not_read() {
    for end in ["/close 4000 bye\r", "\x04"] {
        let (cut, is_cut) = tokio::sync::watch::channel(());
        let url = server(move |stream| {
            let mut is_cut = is_cut.clone();
            async move {
                let _socket = open(stream).await;
                let _ = is_cut.changed().await;
            }
        });
        let folder = Folder::new("unread");
        let mut terminal = Terminal::connect(&folder, &[&url, "--no-compression"]);
        fs::create_dir_all(&folder.0).unwrap();
        let path = folder.0.join("large");
        fs::write(&path, vec![b'x'; 3 << 20]).unwrap();
        // More than the sockets of both ends take.
        for _ in 0..9 {
            terminal.press(&format!("/file {}\r", path.display()));
        }
        terminal.shows("not sent: the server has not taken what was entered before");
        terminal.press("/help\r");
        terminal.shows("/close [CODE REASON]");
        terminal.press("/ping\r");
        terminal.shows("not sent: the server has not taken what was entered before");
        terminal.press(end);
        // The terminal has its own mode again.
        terminal.shows("\x1b[?2004l");
        cut.send(()).unwrap();
        terminal.shows(" bytes, which the server did not take");
        assert_ne!(terminal.exit_code(), Some(0));
    }
}

#[test]
fn nothing_is_sent_for_what_is_wrong() {
    let mut terminal = Terminal::connect(&Folder::new("wrong"), &[&counting(), "--quiet"]);
    for (line, told) in [
        ("/pign", "there is no /pign: did you mean /ping?"),
        ("/binary xy", "is not hexadecimal"),
        (
            "/file /nowhere",
            "not sent: /nowhere: No such file or directory\r\n",
        ),
        ("/file /dev/zero", "it is not a file"),
        ("/close 1006", "1006 is not a code that may be sent"),
    ] {
        terminal.press(&format!("{line}\r"));
        terminal.shows(told);
    }
    terminal.press("first\r");
    terminal.shows("#1 text 5 bytes");
}

#[test]
fn what_is_typed_is_held_to_the_largest_message() {
    let (_server, url) = echo(&[]);
    let arguments = [&*url, "--max-message", "3"];
    let mut terminal = Terminal::connect(&Folder::new("limit"), &arguments);
    for line in ["four", "/binary 01020304"] {
        terminal.press(&format!("{line}\r"));
        terminal.shows("longer than the limit of 3 bytes: raise --max-message");
    }
    terminal.press("abc\r");
    terminal.shows("> abc\r\n");
    terminal.shows("abc\r\n");
}

#[test]
fn hexadecimal_is_typed_at_the_prompt_as_in_a_pipe() {
    let mut terminal = Terminal::connect(&Folder::new("hex"), &[&counting(), "--hex"]);
    terminal.press("xy\r");
    terminal.shows("not sent: the line is not hexadecimal");
    terminal.press("ca fe\r");
    terminal.shows("#1 binary 2 bytes");
}

#[test]
fn json_that_is_pasted_is_one_message_and_is_shown_with_a_line_for_each_member() {
    let url = echo_of_the_library();
    let binary = env!("CARGO_BIN_EXE_talkback");
    for (environment, arguments, shown) in [
        (
            ("A", "b"),
            &[][..],
            "{\r\n  \x1b[36m\"a\"\x1b[0m: [\r\n    \x1b[33m1\x1b[0m\r\n  ]\r\n}\r\n",
        ),
        (
            ("NO_COLOR", "1"),
            &[],
            "{\r\n  \"a\": [\r\n    1\r\n  ]\r\n}\r\n",
        ),
        (
            ("NO_COLOR", "1"),
            &["--color", "always"],
            "{\r\n  \x1b[36m\"a\"",
        ),
        (("TERM", "dumb"), &[], "{\r\n  \"a\": ["),
        (("A", "b"), &["--color", "never"], "{\r\n  \"a\": ["),
        (("A", "b"), &["--escape"], "{\\n\"a\": [1]}\r\n"),
    ] {
        let command = [&[binary, "connect", &url], arguments].concat();
        let mut terminal = Terminal::start(&Folder::new("json"), &command, &[environment]);
        terminal.shows("> ");
        terminal.paste("{\n\"a\": [1]}\n");
        terminal.shows("> {↵\"a\": [1]}");
        terminal.press("\r");
        terminal.shows("> {↵\"a\": [1]}\r\n");
        terminal.shows(shown);
    }
}

#[test]
fn times_stand_before_messages() {
    let (_server, url) = echo(&[]);
    let finished = connect(&[&url, "--escape", "--times", "-1"], "a\n");
    let (time, message) = finished.stdout.split_once(' ').unwrap();
    let is_time = time.bytes().zip(b"00:00:00.000Z").all(|pair| match pair {
        (byte, b'0') => byte.is_ascii_digit(),
        (byte, expected) => byte == *expected,
    });
    assert!(is_time && time.len() == 13, "{time}");
    assert_eq!(message, "a\n");
}

#[test]
fn messages_come_while_one_types() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        while let Ok(Some(message)) = socket.recv().await {
            for number in 0..100 {
                let _ = socket.send(format!("{message} {number}")).await;
            }
        }
    });
    let mut terminal = Terminal::connect(&Folder::new("typing"), &[&url]);
    terminal.press("안\r");
    terminal.press("녕");
    terminal.shows("안 99\r\n");
    terminal.shows("> 녕\x1b[5G");
    terminal.press("\r");
    terminal.shows("녕 99\r\n");
}
