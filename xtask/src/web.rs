//! The browser: the step `browser`, which runs the conformance suite on a page, and `cargo xtask
//! web`, which builds the example page and weighs it.

mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::interop::{self, Server};
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, tools};

use self::toolchain::{Toolchain, WasmBindgen, products};

const CONFORMANCE: &str = "talkback-conformance";
const PAGE: &str = "talkback-web-page";
const MODULE: &str = "talkback_web_page";

/// How long the tests of one file may take, in seconds.
const TEST_LIMIT: &str = "300";
const TOOL_LIMIT: Duration = Duration::from_secs(120);

/// What the library may add to a page, gzipped, in bytes.
const ADDED_SIZE_MAX: u64 = 60_000;

/// The step `browser`.
pub(crate) fn browser() -> Result<Tally> {
    let toolchain = Toolchain::find()?;
    let bindgen = WasmBindgen::find()?;
    let chromium = tools::chromium()?;
    let driver = tools::chromedriver()?;
    let server = cargo::build(CONFORMANCE, "conformance-server")?;
    let server = Server::start(&mut Command::new(server))?;
    let run = |file: &str| {
        let arguments = ["--package", CONFORMANCE, "--test", file, "--no-fail-fast"];
        let mut command = toolchain.cargo("test", &arguments)?;
        let runner = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER";
        command.env(runner, bindgen.test_runner());
        command.env("CHROMEDRIVER", &driver);
        command.env("WASM_BINDGEN_TEST_TIMEOUT", TEST_LIMIT);
        command.env("TALKBACK_CONFORMANCE_URL", server.url());
        cargo::counted_lines(command)
    };
    let (mut tally, output) = run("browser")?;
    let scenarios = scenarios_passed(&output);
    println!(
        "  Chromium: {scenarios} scenarios{}",
        of_all(&server.output())
    );
    let (resources, _) = run("browser_resources")?;
    tally += resources;
    match weigh(toolchain, &bindgen) {
        Ok(()) => tally += Tally::PASSED + page_in_use(&server, &chromium)?,
        Err(error) => tally.check("the library is light", Err(error)),
    }
    Ok(tally)
}

/// Uses the example page as a person would.
fn page_in_use(server: &Server, chromium: &Path) -> Result<Tally> {
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join("page.cjs"));
    node.arg(folder("channel")?).arg(server.url()).arg(chromium);
    interop::script("page", &mut node)
}

/// `cargo xtask web`: builds the example page, and says where it is and what it weighs.
pub(crate) fn build() -> Result<()> {
    weigh(Toolchain::find()?, &WasmBindgen::find()?)?;
    println!(
        "  serve {} and open index.html?ws://SERVER/ of it",
        folder("channel")?.display()
    );
    Ok(())
}

/// Builds the page with the library and without; what is wrong if the difference is too large.
fn weigh(toolchain: Toolchain, bindgen: &WasmBindgen) -> Result<()> {
    let without = page(toolchain, bindgen, "plain", &["--no-default-features"])?;
    let with = page(toolchain, bindgen, "channel", &[])?;
    let added = with.saturating_sub(without);
    println!("  a page, gzipped: {without} bytes, with talkback {with}: {added} more");
    if added > ADDED_SIZE_MAX {
        return Err(format!("it may add {ADDED_SIZE_MAX} bytes").into());
    }
    Ok(())
}

/// Builds the page into a folder; returns the gzipped size of all that is loaded, in bytes.
///
/// binaryen's wasm-opt is left out: it would take off one part in fifty, and Debian's (108) breaks
/// the tables of what this compiler makes.
fn page(toolchain: Toolchain, bindgen: &WasmBindgen, name: &str, features: &[&str]) -> Result<u64> {
    let arguments = [&["--package", PAGE, "--profile", "web"], features].concat();
    let compiled = cargo::checked(toolchain.cargo("build", &arguments)?)?;
    if compiled.failed > 0 {
        return Err("the page does not compile".into());
    }
    let folder = folder(name)?;
    fs::create_dir_all(&folder)?;
    let mut bind = Command::new(bindgen.bindgen());
    bind.args(["--target", "web", "--no-typescript"]);
    bind.args(["--remove-name-section", "--remove-producers-section"]);
    bind.arg("--out-dir").arg(&folder);
    tool(bind.arg(products("web")?.join(format!("{MODULE}.wasm"))))?;
    let code = folder.join(format!("{MODULE}_bg.wasm"));
    let index = folder.join("index.html");
    fs::copy(cargo::root().join("examples/web/index.html"), &index)?;
    let loaded = [index, folder.join(format!("{MODULE}.js")), code];
    loaded.iter().map(|file| gzipped_size(file)).sum()
}

fn folder(name: &str) -> Result<PathBuf> {
    Ok(cargo::scratch("web")?.join(name))
}

fn gzipped_size(file: &Path) -> Result<u64> {
    let mut gzip = Command::new("gzip");
    tool(
        gzip.args(["-9", "--no-name", "--keep", "--force"])
            .arg(file),
    )?;
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    Ok(fs::metadata(name)?.len())
}

fn tool(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let finished = process::run(command, Input::Nothing, Stderr::Kept, TOOL_LIMIT)?;
    finished.expect(&format!("{program} succeeds"), Finished::success)
}

/// How many scenarios passed: their tests are in modules.
fn scenarios_passed(output: &str) -> usize {
    let names = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"));
    names.filter(|name| name.contains("::")).count()
}

/// How many there are, as the server prints it beside its URL: `ws://127.0.0.1:80/ (111 scenarios)`.
fn of_all(output: &str) -> String {
    let (_, count) = output.split_once('(').unwrap_or_default();
    let (count, _) = count.split_once(' ').unwrap_or_default();
    format!(" of {count}, the others are exceptions with their reasons")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_counted_by_their_lines() {
        let output = "running 3 tests\ntest payload::text ... ok\ntest payload::emoji ... FAIL\n\
            test the_exceptions ... ok\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        assert_eq!(scenarios_passed(output), 1);
        assert!(of_all("ws://127.0.0.1:80/ (111 scenarios)\n").starts_with(" of 111,"));
    }
}
