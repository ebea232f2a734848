//! Finding what the steps need from outside, and installing it where that can be done unasked:
//! Debian's packages as root, Python and Node packages into cargo's target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::Result;
use crate::cargo;
use crate::process::{self, Input, Stderr};

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Where our scripts and the versions of what they import lie.
pub(crate) fn interop_sources() -> PathBuf {
    cargo::root().join("xtask/interop")
}

/// Makes sure that rustup's `component` is there, which brings `cargo SUBCOMMAND`.
pub(crate) fn rustup_component(component: &str, subcommand: &str) -> Result<()> {
    let mut version = cargo::cargo(&[subcommand, "--version"]);
    if succeeds(&mut version) {
        Ok(())
    } else {
        Err(format!("install it: rustup component add {component}").into())
    }
}

/// Makes sure that `cargo SUBCOMMAND` is there, which the package `cargo-SUBCOMMAND` brings.
pub(crate) fn cargo_subcommand(subcommand: &str, version: &str) -> Result<()> {
    if succeeds(&mut cargo::cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{subcommand}");
    println!("  installing {package} {version} (once)");
    let mut install = cargo_install(&package, version, "0");
    must_succeed(install.arg("--locked"))
}

/// The command that installs a program of crates.io. It will run for seconds: compiling it without
/// much optimization takes less time, by more than it takes longer.
pub(crate) fn cargo_install(package: &str, version: &str, optimization: &str) -> Command {
    let mut install = cargo::cargo(&["install", package, "--version", version]);
    for (setting, value) in [
        ("OPT_LEVEL", optimization),
        ("LTO", "off"),
        ("CODEGEN_UNITS", "16"),
        ("DEBUG", "false"),
    ] {
        install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    install
}

/// A Python with the packages of `requirements.txt`.
pub(crate) fn python() -> Result<PathBuf> {
    let folder = cargo::scratch("interop")?.join("python");
    let python = folder.join("bin/python");
    let requirements = interop_sources().join("requirements.txt");
    if is_installed(&folder, &requirements) {
        return Ok(python);
    }
    let system = || Command::new("python3");
    if !succeeds(system().arg("--version")) {
        install("python3", &["python3", "python3-venv"])?;
    }
    let create = || {
        let mut command = system();
        command.args(["-m", "venv", "--clear"]).arg(&folder);
        command
    };
    // Debian keeps what `venv` needs in a package of its own.
    if !succeeds(&mut create()) {
        install("python3's venv", &["python3-venv"])?;
        must_succeed(&mut create())?;
    }
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    must_succeed(pip.arg(&requirements))?;
    mark_installed(&folder, &requirements)?;
    Ok(python)
}

/// A command that runs a script of ours with Node, with the packages of `package-lock.json`.
pub(crate) fn node() -> Result<Command> {
    let folder = cargo::scratch("interop")?.join("node");
    let lock = interop_sources().join("package-lock.json");
    if !succeeds(Command::new("node").arg("--version")) {
        install("node", &["nodejs", "npm"])?;
    }
    if !is_installed(&folder, &lock) {
        if !succeeds(Command::new("npm").arg("--version")) {
            install("npm", &["npm"])?;
        }
        std::fs::create_dir_all(&folder)?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(interop_sources().join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        must_succeed(npm.current_dir(&folder))?;
        mark_installed(&folder, &lock)?;
    }
    let mut node = Command::new("node");
    node.env("NODE_PATH", folder.join("node_modules"));
    Ok(node)
}

/// A browser of Chromium's family.
pub(crate) fn chromium() -> Result<PathBuf> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let found = || names.iter().find_map(|name| in_path(name));
    let mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    if let Some(program) = found().or_else(|| Some(mac).filter(|mac| mac.exists())) {
        return Ok(program);
    }
    install("chromium", &["chromium", "chromium-driver"])?;
    found().ok_or_else(|| "chromium is installed, but not on the PATH".into())
}

/// The program that drives that browser for tests.
pub(crate) fn chromedriver() -> Result<PathBuf> {
    if let Some(program) = in_path("chromedriver") {
        return Ok(program);
    }
    install("chromedriver", &["chromium-driver"])?;
    in_path("chromedriver").ok_or_else(|| "chromedriver is installed, but not on the PATH".into())
}

/// The program that makes certificates for other servers than ours.
pub(crate) fn openssl() -> Result<Command> {
    if !succeeds(Command::new("openssl").arg("version")) {
        install("openssl", &["openssl"])?;
    }
    Ok(Command::new("openssl"))
}

/// The program that counts system calls.
pub(crate) fn strace() -> Result<PathBuf> {
    if let Some(program) = in_path("strace") {
        return Ok(program);
    }
    install("strace", &["strace"])?;
    in_path("strace").ok_or_else(|| "strace is installed, but not on the PATH".into())
}

/// A screen of X11 that nobody sees, with what types on it and takes its picture.
pub(crate) fn virtual_screen() -> Result<()> {
    let programs = ["Xvfb", "openbox", "xdotool", "import"];
    if programs.iter().all(|program| in_path(program).is_some()) {
        return Ok(());
    }
    let packages = [
        "xvfb",
        "openbox",
        "xdotool",
        "imagemagick",
        // Windows are drawn with OpenGL, and winit looks for these when it starts.
        "libgl1-mesa-dri",
        "libegl1",
        "libgl1",
        "libx11-xcb1",
        "libxcursor1",
        "libxi6",
        "libxkbcommon-x11-0",
        "fonts-noto-cjk",
    ];
    install("a virtual screen", &packages)
}

/// The program that counts instructions and allocations.
pub(crate) fn valgrind() -> Result<PathBuf> {
    if let Some(program) = in_path("valgrind") {
        return Ok(program);
    }
    install("valgrind", &["valgrind"])?;
    in_path("valgrind").ok_or_else(|| "valgrind is installed, but not on the PATH".into())
}

/// Installs Debian's packages if that is possible without asking; else says what to install.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    static UPDATED: OnceLock<()> = OnceLock::new();
    let packages = packages.join(" ");
    if in_path("apt-get").is_none() || !is_root() {
        let hint = format!("{what} is missing; install it (Debian: apt-get install {packages})");
        return Err(hint.into());
    }
    println!("  installing from Debian's packages: {packages}");
    let apt = |arguments: &str| {
        let mut command = Command::new("apt-get");
        command.args(["--quiet", "--yes", "--option=DPkg::Lock::Timeout=300"]);
        command.args(arguments.split_whitespace());
        must_succeed(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if UPDATED.set(()).is_ok() {
        apt("update")?;
    }
    apt(&format!("install --no-install-recommends {packages}"))
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A program's place, if it is on the PATH.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A folder is installed when it holds a copy of the list that it was made from.
fn is_installed(folder: &Path, list: &Path) -> bool {
    let (Ok(made_from), Ok(wanted)) = (std::fs::read(mark(folder)), std::fs::read(list)) else {
        return false;
    };
    made_from == wanted
}

fn mark_installed(folder: &Path, list: &Path) -> Result<()> {
    std::fs::copy(list, mark(folder))?;
    Ok(())
}

fn mark(folder: &Path) -> PathBuf {
    folder.join("installed-from")
}

/// Whether a command that may well fail has succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    process::run(command, Input::Nothing, Stderr::Kept, LIMIT)
        .is_ok_and(|finished| finished.success())
}

/// Runs a command to its end; its output is shown if it fails.
pub(crate) fn must_succeed(command: &mut Command) -> Result<()> {
    let finished = process::run(command, Input::Nothing, Stderr::Kept, LIMIT)?;
    if finished.success() {
        return Ok(());
    }
    print!("{}{}", finished.stdout, finished.stderr);
    let program = Path::new(command.get_program()).display();
    Err(format!("{program}: {}", finished.ending()).into())
}
