//! README.md, as far as it shows the command at work.

use std::process::Command;

use super::terminal::Folder;

const README: &str = include_str!("../../../README.md");

/// What stands in the blocks of text that begin so, each without the line of its fence.
pub(crate) fn blocks(begin: &str) -> Vec<&'static str> {
    let blocks = README.split("```text\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.starts_with(begin)).collect()
}

/// What a person does in ten ways with as many tools: for each task its commands, with how many characters README.md
/// says they are.
pub(crate) fn tasks() -> Vec<Vec<(usize, &'static str)>> {
    let block = blocks("1. ");
    let mut tasks = Vec::new();
    for line in block.concat().leak().lines() {
        match line.trim_start().split_once("  ") {
            _ if !line.starts_with(' ') => tasks.push(Vec::new()),
            Some((count, command)) => {
                let task = tasks.last_mut().expect("a task begins the block");
                // What a tool cannot do has no count.
                task.extend(count.parse().ok().map(|count| (count, command)));
            }
            None => panic!("{line:?} is neither a task nor a command"),
        }
    }
    tasks
}

/// A shell that finds the built command, in this folder.
pub(crate) fn shell(command: &str, folder: &Folder) -> Command {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_talkback"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    std::fs::create_dir_all(&folder.0).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
        .current_dir(&folder.0)
        .env("PATH", path)
        .env_remove("RUST_LOG");
    shell
}
