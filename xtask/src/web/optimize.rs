//! binaryen's wasm-opt, where there is one that knows what today's compilers make.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Input, Stderr};
use crate::{Result, tools};

use super::toolchain::tool;

/// Older ones break the tables of a module that has reference types, as Debian's 108 does.
const VERSION_MIN: u32 = 116;
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// The program, if it is present and new enough; prints which is used.
pub(super) fn find() -> Option<PathBuf> {
    let program = tools::in_path("wasm-opt");
    let version = program.as_deref().and_then(version_of);
    match version {
        Some(version) if version >= VERSION_MIN => {
            println!("  made smaller by wasm-opt {version}");
            program
        }
        Some(version) => {
            println!("  not made smaller: wasm-opt {version} is older than {VERSION_MIN}");
            None
        }
        None => {
            println!("  not made smaller: there is no wasm-opt");
            None
        }
    }
}

/// Makes a module smaller, in place.
pub(super) fn shrink(program: &Path, module: &Path) -> Result<()> {
    let mut command = Command::new(program);
    tool(command.arg("-Oz").arg(module).arg("--output").arg(module))
}

fn version_of(program: &Path) -> Option<u32> {
    let mut ask = Command::new(program);
    ask.arg("--version");
    let finished = process::run(&mut ask, Input::Nothing, Stderr::Kept, ASK_LIMIT).ok()?;
    parse_version(&finished.stdout)
}

/// From `wasm-opt version 132 (version_132)`.
fn parse_version(output: &str) -> Option<u32> {
    let (_, version) = output.split_once("version ")?;
    let end = version
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_number() {
        assert_eq!(
            parse_version("wasm-opt version 132 (version_132)\n"),
            Some(132)
        );
        assert_eq!(parse_version("wasm-opt version 108"), Some(108));
        assert_eq!(parse_version("command not found"), None);
    }
}
