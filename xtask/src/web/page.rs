//! Builds a page: compiles its crate, makes a module of it, and weighs what is loaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, cargo};

use super::optimize;
use super::toolchain::{Toolchain, WasmBindgen, products, tool};

/// What pages are built with.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) toolchain: Toolchain,
    pub(super) bindgen: WasmBindgen,
    /// wasm-opt.
    optimizer: Option<PathBuf>,
}

/// A crate that is a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) package: &'static str,
    /// The name of its library.
    pub(super) module: &'static str,
    /// The files beside its module: paths in the repository.
    pub(super) files: &'static [&'static str],
}

impl Builder {
    pub(super) fn find() -> Result<Self> {
        Ok(Self {
            toolchain: Toolchain::find()?,
            bindgen: WasmBindgen::find()?,
            optimizer: optimize::find(),
        })
    }

    /// Builds a page into a folder; returns the gzipped size of all that is loaded, in bytes.
    pub(super) fn build(&self, page: Page, folder: &Path, features: &[&str]) -> Result<u64> {
        let arguments = [&["--package", page.package, "--profile", "web"], features].concat();
        let compiled = cargo::checked(self.toolchain.cargo("build", &arguments)?)?;
        if compiled.failed > 0 {
            return Err(format!("the page {} does not compile", page.package).into());
        }
        let compiled = products("web")?.join(format!("{}.wasm", page.module));
        self.bindgen.bind(&compiled, folder)?;
        let code = folder.join(format!("{}_bg.wasm", page.module));
        if let Some(optimizer) = &self.optimizer {
            optimize::shrink(optimizer, &code)?;
        }
        let mut loaded = vec![folder.join(format!("{}.js", page.module)), code];
        for file in page.files {
            let source = cargo::root().join(file);
            let copy = folder.join(source.file_name().ok_or("a file has a name")?);
            fs::copy(source, &copy)?;
            loaded.push(copy);
        }
        loaded.iter().map(|file| gzipped_size(file)).sum()
    }
}

fn gzipped_size(file: &Path) -> Result<u64> {
    let mut gzip = Command::new("gzip");
    tool(
        gzip.args(["-9", "--no-name", "--keep", "--force"])
            .arg(file),
    )?;
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    let size = fs::metadata(&name)?.len();
    fs::remove_file(name)?;
    Ok(size)
}
