//! The browser: the step `browser`, which runs the conformance suite on a page, and `cargo xtask web`,
//! which builds the demo's tab and the example page and weighs them.

mod optimize;
mod page;
mod tab;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interop::{self, Server};
use crate::report::Tally;
use crate::{Result, cargo, tools};

use self::page::{Builder, Page};
pub(crate) use self::toolchain::native_cargo;
use self::toolchain::products;

const CONFORMANCE: &str = "talkback-conformance";

/// The page without a framework.
const EXAMPLE: Page = Page {
    package: "talkback-web-page",
    module: "talkback_web_page",
    files: &["examples/web/index.html"],
};

/// How long the tests of one file may take, in seconds.
const TEST_LIMIT: &str = "300";

/// What the library may add to a page, gzipped, in bytes.
const ADDED_SIZE_MAX: u64 = 60_000;

/// The step `browser`.
pub(crate) fn browser() -> Result<Tally> {
    let builder = Builder::find()?;
    let chromium = tools::chromium()?;
    let driver = tools::chromedriver()?;
    let server = cargo::build(CONFORMANCE, "conformance-server")?;
    let server = Server::start(&mut Command::new(server))?;
    let run = |file: &str| {
        let arguments = ["--package", CONFORMANCE, "--test", file, "--no-fail-fast"];
        let mut command = builder.toolchain.cargo("test", &arguments)?;
        let runner = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER";
        command.env(runner, builder.bindgen.test_runner());
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
    for file in ["browser_resources", "browser_hostile", "browser_worker"] {
        let (more, _) = run(file)?;
        tally += more;
    }
    tally += lifecycle(&builder, &server, &chromium)?;
    match weigh(&builder) {
        Ok(()) => tally += Tally::PASSED + page_in_use(&server, &chromium)?,
        Err(error) => tally.check("the library is light", Err(error)),
    }
    Ok(tally)
}

/// Leaves, freezes and reloads a page, and counts what its channels leave behind.
fn lifecycle(builder: &Builder, server: &Server, chromium: &Path) -> Result<Tally> {
    let arguments = ["--package", CONFORMANCE, "--example", "lifecycle"];
    let compiled = cargo::checked(builder.toolchain.cargo("build", &arguments)?)?;
    if compiled.failed > 0 {
        return Err("the example `lifecycle` does not compile".into());
    }
    let folder = folder("lifecycle")?;
    let bindgen = &builder.bindgen;
    bindgen.bind(&products("debug")?.join("examples/lifecycle.wasm"), &folder)?;
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join("lifecycle.cjs"));
    node.arg(folder).arg(server.url()).arg(chromium);
    interop::script("lifecycle", &mut node)
}

/// Uses the example page as a person would.
fn page_in_use(server: &Server, chromium: &Path) -> Result<Tally> {
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join("page.cjs"));
    node.arg(folder("channel")?).arg(server.url()).arg(chromium);
    interop::script("page", &mut node)
}

/// Builds the demo's tab, weighs it, and uses it as a person would, for the step `demo`; pictures of
/// it are left in the folder `demo`.
pub(crate) fn tab() -> Result<Tally> {
    tab::check(&Builder::find()?, &tools::chromium()?)
}

/// `cargo xtask web`: builds the demo's tab and the example page, and says where they are and what
/// they weigh.
pub(crate) fn build() -> Result<()> {
    let builder = Builder::find()?;
    let tab = tab::build(&builder)?.display().to_string();
    println!("  any static host serves {tab}, and so does: talkback echo --web {tab}");
    weigh(&builder)?;
    println!(
        "  serve {} and open index.html?ws://SERVER/ of it",
        folder("channel")?.display()
    );
    Ok(())
}

/// Builds the page with the library and without; what is wrong if the difference is too large.
fn weigh(builder: &Builder) -> Result<()> {
    let without = builder.build(EXAMPLE, &folder("plain")?, &["--no-default-features"])?;
    let with = builder.build(EXAMPLE, &folder("channel")?, &[])?;
    let added = with.saturating_sub(without);
    println!("  a page, gzipped: {without} bytes, with talkback {with}: {added} more");
    if added > ADDED_SIZE_MAX {
        return Err(format!("it may add {ADDED_SIZE_MAX} bytes").into());
    }
    Ok(())
}

fn folder(name: &str) -> Result<PathBuf> {
    Ok(cargo::scratch("web")?.join(name))
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
