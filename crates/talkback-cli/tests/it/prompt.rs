//! `talkback connect` in a terminal: what a person types, pastes and finds again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::attack::assert_linear;
use crate::support::server::{open, server};
use crate::support::terminal::{Folder, Terminal, counting};

#[test]
fn korean_is_composed_edited_and_pasted() {
    let mut terminal = Terminal::connect(&Folder::new("korean"), &[&counting()]);
    // A syllable may come in two pieces.
    let syllables = "안녕하".as_bytes();
    terminal.press_bytes(&syllables[..7]);
    terminal.press_bytes(&syllables[7..]);
    terminal.shows("> 안녕하\x1b[9G");
    terminal.press("\x7f히\r");
    terminal.shows("#1 text 9 bytes 1 lines 안녕히.");
    // Decomposed, as other systems have it in names of files.
    terminal.paste("\u{1112}\u{1161}\u{11ab}글");
    terminal.press("\x7f\r");
    terminal.shows("#2 text 9 bytes 1 lines \u{1112}\u{1161}\u{11ab}.");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_line_of_any_size_is_sent_at_once() {
    let mut terminal = Terminal::connect(&Folder::new("sizes"), &[&counting()]);
    for (number, size) in (1..).step_by(2).zip([1023, 1024, 2048, 65_536, 1_000_000]) {
        let line = format!("{}end", "x".repeat(size - 3));
        terminal.press(&format!("{line}\r"));
        terminal.shows(&format!("#{number} text {size} bytes 1 lines end."));
        terminal.paste(&line);
        terminal.press("\r");
        let number = number + 1;
        terminal.shows(&format!("#{number} text {size} bytes 1 lines end."));
    }
    // It has an end, and what is pasted beyond it is not sent in part.
    terminal.paste(&"x".repeat((1 << 20) + 1));
    terminal.shows("not inserted: a line holds 1048576 bytes at most");
    terminal.press("short\r");
    terminal.shows("#11 text 5 bytes 1 lines ort.");
}

#[test]
fn a_long_line_costs_what_as_many_characters_cost_in_short_ones() {
    let (mut terminal, usage) = Terminal::measured(&Folder::new("long"), &[&counting()]);
    terminal.shows("> ");
    // Key by key, as far as they are taken so.
    let types = |terminal: &Terminal, count: usize| {
        (0..count).for_each(|_| terminal.press("한 줄 x"));
        terminal.press("\r");
    };
    let before = usage.ticks();
    (0..32).for_each(|_| types(&terminal, 100));
    terminal.shows("#32 text 900 bytes");
    let (short, begin) = (usage.ticks() - before, usage.ticks());
    types(&terminal, 3200);
    terminal.shows("#33 text 28800 bytes");
    assert_linear("characters", short, usage.ticks() - begin);
}

#[test]
fn a_thousand_lines_are_as_many_messages_or_one_where_the_terminal_marks_a_paste() {
    let mut terminal = Terminal::connect(&Folder::new("lines"), &[&counting()]);
    terminal.press(&"한 줄\r".repeat(1000));
    terminal.shows("#1000 text 7 bytes 1 lines 한 줄.");
    terminal.paste(&"한 줄\r\n".repeat(1000));
    terminal.press("\r");
    terminal.shows("#1001 text 7999 bytes 1000 lines 한 줄.");
    terminal.press("one\x1b\rtwo\r");
    terminal.shows("#1002 text 7 bytes 2 lines two.");
}

#[test]
fn a_tab_is_a_tab_and_words_are_deleted() {
    let mut terminal = Terminal::connect(&Folder::new("keys"), &[&counting()]);
    terminal.press("a\tb\r");
    terminal.shows("#1 text 3 bytes 1 lines a\tb.");
    terminal.press("안녕 하세요\x17!\x01\x0b\x19?\r");
    terminal.shows("#2 text 9 bytes 1 lines  !?.");
    terminal.press("x\x0c");
    terminal.shows("\x1b[2J\x1b[1;1H");
    terminal.shows("> x");
}

#[test]
fn a_terminal_made_narrower_keeps_no_row_of_the_prompt() {
    let mut terminal = Terminal::connect(&Folder::new("narrow"), &[&counting()]);
    terminal.press(&"x".repeat(50));
    terminal.shows("\x1b[53G");
    terminal.resize(20);
    // The cursor had got into the third row.
    terminal.shows("\x1b[2A\x1b[1G\x1b[J> xxxxxxxxxxxxxxxxx\x1b[20G");
    terminal.resize(80);
    terminal.shows(&format!("\x1b[1G\x1b[J> {}\x1b[53G", "x".repeat(50)));
}

#[test]
fn lines_are_kept_for_the_next_run_and_found_again() {
    let (url, folder) = (counting(), Folder::new("history"));
    let mut terminal = Terminal::connect(&folder, &[&url]);
    for (number, line) in ["안녕 1", "other", " secret", "안녕 2"].iter().enumerate() {
        terminal.press(&format!("{line}\r"));
        terminal.shows(&format!("#{} ", number + 1));
    }
    terminal.paste("{\n\"a\\n\": 1}");
    terminal.press("\r");
    terminal.shows("#5 ");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
    let path = folder.0.join("talkback/history");
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "안녕 1\nother\n안녕 2\n{\\n\"a\\\\n\": 1}\n");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut terminal = Terminal::connect(&folder, &[&url]);
    terminal.press("\x1b[A\r");
    terminal.shows("#1 text 11 bytes 2 lines  1}.");
    terminal.press("\x12안녕");
    terminal.shows("search `안녕`: 안녕 2");
    terminal.press("\x12");
    terminal.shows("search `안녕`: 안녕 1");
    terminal.press("\r");
    terminal.shows("#2 text 8 bytes 1 lines 녕 1.");
    // Escape leaves the search with what it has found.
    terminal.press("\x12oth\x1b");
    terminal.shows("> other");
    terminal.press("!\r");
    terminal.shows("#3 text 6 bytes 1 lines er!.");
}

#[test]
fn no_history_is_kept_if_that_is_asked_for_or_cannot_be() {
    let (url, folder) = (counting(), Folder::new("none"));
    let mut terminal = Terminal::connect(&folder, &[&url, "--no-history"]);
    terminal.press("a\r");
    terminal.shows("#1 ");
    terminal.press("\x1b[A\r");
    terminal.shows("#2 text 1 bytes");
    assert!(!folder.0.exists());
    // A file where a folder has to be.
    fs::write(&folder.0, "").unwrap();
    let binary = env!("CARGO_BIN_EXE_talkback");
    let mut terminal = Terminal::start(&folder, &[binary, "connect", &url], &[]);
    terminal.shows("no history is kept in ");
    terminal.shows("history: Not a directory\r\n");
    terminal.press("a\r");
    terminal.shows("#1 ");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_is_continued() {
    let (url, folder) = (counting(), Folder::new("suspended"));
    let mut terminal = Terminal::start(&folder, &["sh", "-i"], &[("PS1", "shell: ")]);
    let binary = env!("CARGO_BIN_EXE_talkback");
    terminal.shows("shell: ");
    terminal.press(&format!("{binary} connect {url}\r"));
    terminal.shows("connected to ");
    terminal.shows("> ");
    terminal.press("draft\x1a");
    terminal.shows("\x1b[?2004l");
    terminal.shows("shell: ");
    // The shell's own mode is back: it echoes, and its line ends are complete.
    terminal.press("echo a''b\n");
    terminal.shows("ab\r\n");
    terminal.press("fg\n");
    terminal.shows("\x1b[?2004h");
    terminal.shows("> draft");
    terminal.press("!\r");
    terminal.shows("#1 text 6 bytes 1 lines ft!.");
    terminal.press("\x04");
    terminal.shows("shell: ");
    terminal.press("exit\n");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn ctrl_c_does_not_wait_for_a_server_that_reads_nothing() {
    for keys in ["\x03", "\x04\x03"] {
        stop_by(keys);
    }
}

#[track_caller]
fn stop_by(keys: &str) {
    let url = server(|stream| async {
        let _socket = open(stream).await;
        std::future::pending::<()>().await;
    });
    let arguments = [&*url, "--no-compression"];
    let mut terminal = Terminal::connect(&Folder::new("stuck"), &arguments);
    let line = "x".repeat(1_000_000);
    // More than the sockets of both ends take, and than may wait.
    for _ in 0..20 {
        terminal.paste(&line);
        terminal.press("\r");
    }
    terminal.shows("not sent: the server has not taken what was entered before");
    terminal.press(keys);
    assert_eq!(terminal.exit_code(), Some(130));
}
