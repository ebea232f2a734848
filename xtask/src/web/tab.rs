//! The demo's tab: builds it, weighs it, and uses it in Chromium as a person would.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interop::{self, Server};
use crate::report::Tally;
use crate::{Result, cargo, tools};

use super::page::{Builder, Page};

const TAB: Page = Page {
    package: "talkback-demo-tab",
    module: "talkback_demo_tab",
    files: &[
        "crates/talkback-demo-tab/page/index.html",
        "crates/talkback-demo-tab/page/start.js",
        "crates/talkback-demo-tab/page/tab.css",
    ],
};

/// What the tab may load, gzipped, in bytes.
const SIZE_MAX: u64 = 150_000;

/// Builds the tab into a folder that any static host serves, and weighs it.
pub(super) fn build(builder: &Builder) -> Result<PathBuf> {
    let folder = super::folder("demo")?;
    let size = builder.build(TAB, &folder, &[])?;
    println!("  the demo's tab, gzipped: {size} bytes of at most {SIZE_MAX}");
    if size > SIZE_MAX {
        return Err(format!("the tab may weigh {SIZE_MAX} bytes").into());
    }
    Ok(folder)
}

/// Builds the tab, has `talkback echo` serve it, and uses it.
pub(super) fn check(builder: &Builder, chromium: &Path) -> Result<Tally> {
    let folder = build(builder)?;
    let talkback = cargo::build("talkback-cli", "talkback")?;
    let mut echo = Command::new(talkback);
    echo.args(["echo", "--listen", "127.0.0.1:0", "--web"]);
    let echo = Server::start(echo.arg(&folder))?;
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join("tab.cjs"));
    node.arg(&folder).arg(echo.url()).arg(chromium);
    node.arg(cargo::scratch("demo")?);
    Ok(Tally::PASSED + interop::script("tab", &mut node)?)
}
