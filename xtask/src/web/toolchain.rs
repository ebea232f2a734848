//! What compiles for the browser, and what runs it there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::{Result, cargo, tools};

const TARGET: &str = "wasm32-unknown-unknown";
const ASK_LIMIT: Duration = Duration::from_secs(20);
const TOOL_LIMIT: Duration = Duration::from_secs(120);
const INSTALL_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Debian's compiler, which brings its library as source.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "rust-web-src", "lld"];

/// A compiler for the browser's target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Toolchain {
    /// The one that compiles everything else: rustup has added the target.
    Ordinary,
    /// Debian's, which compiles the standard library too.
    Debian,
}

impl Toolchain {
    /// The ordinary one if it has the target; else Debian's, which is installed if that can be.
    pub(super) fn find() -> Result<Self> {
        if is_added(TARGET) {
            return Ok(Self::Ordinary);
        }
        if !has_debians() {
            let hint = format!("the target {TARGET} (rustup target add {TARGET})");
            tools::install(&hint, DEBIAN_PACKAGES)?;
        }
        if has_debians() {
            Ok(Self::Debian)
        } else {
            Err(format!("install it: rustup target add {TARGET}").into())
        }
    }

    /// A cargo command for the target, with a target directory of its own.
    pub(super) fn cargo(self, subcommand: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = cargo::cargo(&[subcommand, "--target", TARGET]);
        command.env("CARGO_TARGET_DIR", target_folder()?);
        if matches!(self, Self::Debian) {
            use_debians(&mut command);
            command.arg("-Zbuild-std=std,panic_abort");
            command.env("RUSTFLAGS", "-C linker=wasm-ld -C linker-flavor=wasm-ld");
        }
        command.args(arguments);
        Ok(command)
    }
}

/// A cargo command for a target of this machine, compiled as [`Toolchain`] says.
pub(crate) fn native_cargo(subcommand: &str, target: &str) -> Result<Command> {
    let mut command = cargo::cargo(&[subcommand, "--target", target]);
    if is_added(target) {
        return Ok(command);
    }
    if !has_debians_source() {
        let hint = format!("the target {target} (rustup target add {target})");
        tools::install(&hint, DEBIAN_PACKAGES)?;
    }
    use_debians(&mut command);
    command.arg("-Zbuild-std=std,panic_unwind");
    Ok(command)
}

/// Has a command compile with Debian's compiler.
fn use_debians(command: &mut Command) {
    command.env("RUSTC", DEBIAN_RUSTC);
    command.env("RUSTDOC", DEBIAN_RUSTDOC);
    command.env("RUSTC_BOOTSTRAP", "1");
}

/// Whether rustup has added a target.
fn is_added(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut ask = Command::new(rustc);
    ask.args(["--print", "target-libdir", "--target", target]);
    answer(&mut ask).is_some_and(|folder| Path::new(&folder).is_dir())
}

/// Where a profile's products for the target lie.
pub(super) fn products(profile: &str) -> Result<PathBuf> {
    Ok(target_folder()?.join(TARGET).join(profile))
}

fn target_folder() -> Result<PathBuf> {
    Ok(cargo::scratch("web")?.join("target"))
}

/// The programs of wasm-bindgen in the version that the workspace is compiled against.
#[derive(Debug)]
pub(super) struct WasmBindgen(PathBuf);

impl WasmBindgen {
    /// Installs them, once for each version.
    pub(super) fn find() -> Result<Self> {
        let lock = std::fs::read_to_string(cargo::root().join("Cargo.lock"))?;
        let version = locked_version(&lock, "wasm-bindgen").ok_or("no wasm-bindgen is locked")?;
        let folder = cargo::scratch("web")?.join(format!("wasm-bindgen-{version}"));
        let found = Self(folder.join("bin"));
        if found.test_runner().is_file() {
            return Ok(found);
        }
        println!("  installing wasm-bindgen-cli {version} (once: about two minutes)");
        // Without `--locked`: one of the versions that it locks has been withdrawn.
        let mut install = tools::cargo_install("wasm-bindgen-cli", version, "1");
        install.args(["--quiet", "--root"]).arg(&folder);
        let finished = process::run(&mut install, Input::Nothing, Stderr::Kept, INSTALL_LIMIT)?;
        finished.expect("wasm-bindgen-cli installs", Finished::success)?;
        Ok(found)
    }

    /// Makes a page's module out of what was compiled.
    pub(super) fn bind(&self, compiled: &Path, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut bind = Command::new(self.0.join(program("wasm-bindgen")));
        bind.args(["--target", "web", "--no-typescript"]);
        bind.args(["--remove-name-section", "--remove-producers-section"]);
        bind.arg("--out-dir").arg(folder).arg(compiled);
        tool(&mut bind)
    }

    /// The program that runs tests on a page.
    pub(super) fn test_runner(&self) -> PathBuf {
        self.0.join(program("wasm-bindgen-test-runner"))
    }
}

fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Whether Debian's compiler is there with its library's source and its linker.
fn has_debians() -> bool {
    has_debians_source() && tools::in_path("wasm-ld").is_some()
}

fn has_debians_source() -> bool {
    let mut ask = Command::new(DEBIAN_RUSTC);
    ask.args(["--print", "sysroot"]);
    let source = |sysroot: &String| {
        let library = Path::new(sysroot).join("lib/rustlib/src/rust/library");
        library.is_dir()
    };
    answer(&mut ask).is_some_and(|sysroot| source(&sysroot))
}

/// Runs a program that has to succeed.
pub(super) fn tool(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let finished = process::run(command, Input::Nothing, Stderr::Kept, TOOL_LIMIT)?;
    finished.expect(&format!("{program} succeeds"), Finished::success)
}

/// The line that a program answers with, if it succeeds.
fn answer(command: &mut Command) -> Option<String> {
    let finished = process::run(command, Input::Nothing, Stderr::Kept, ASK_LIMIT).ok()?;
    finished
        .success()
        .then(|| finished.stdout.trim().to_owned())
}

/// A package's version in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
            [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
