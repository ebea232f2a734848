//! The demo's window on a screen that nobody sees: real keys go in, pictures come out.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::demo;
use crate::interop::{self, Server};
use crate::process::{self, Input, Running, Stderr, wait_until};
use crate::report::Tally;
use crate::{Result, cargo, tools};

const TITLE: &str = "WebSocket Demo";
const SCREEN: &str = "520x720x24";
/// The width and height of the window in a picture.
const PICTURE: (&str, &str) = ("480", "360");
/// A window without a graphics card, on a machine that does other things as well.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
const KEY_LIMIT: Duration = Duration::from_secs(20);
const CLOSE_LIMIT: Duration = Duration::from_secs(20);
/// How long an idle window is watched, and how many ticks of 10 ms it may have used then.
const IDLE: Duration = Duration::from_secs(2);
const IDLE_TICKS_MAX: u64 = 3;
/// How often a text is typed that does not arrive whole.
const ATTEMPTS: usize = 4;

/// Types, looks, and closes, in the light theme and in the dark one.
pub(crate) fn check(tally: &mut Tally) -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("  skipped: the window is tried on a virtual screen of X11, which is for Linux");
        return Ok(());
    }
    tools::virtual_screen()?;
    demo::prepare_window()?;
    let screen = Screen::open()?;
    for theme in ["light", "dark"] {
        let name = format!("window, {theme}: keys go in, answers come out, closing closes");
        tally.check(&name, converse(&screen, theme));
    }
    Ok(())
}

fn converse(screen: &Screen, theme: &str) -> Result<()> {
    let server = Server::start(&mut interop::python("server")?)?;
    let mut demo = screen.command(demo::window_program()?);
    demo.args(["--window", "--theme", theme, "--url", server.url()]);
    demo.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut demo = Running::start(&mut demo)?;
    let id = demo.id().to_string();
    let search = [
        "search",
        "--sync",
        "--onlyvisible",
        "--pid",
        &id,
        "--name",
        TITLE,
        "windowfocus",
    ];
    screen.run("xdotool", search, OPEN_LIMIT)?;
    for text in ["Hello!", "안녕하세요"] {
        screen.send(text, &server)?;
    }
    let picture = cargo::scratch("demo")?.join(format!("window-{theme}.png"));
    screen.take_picture(&picture)?;
    is_idle(demo.id())?;
    // The window manager asks the window to close, as a click on its cross does.
    screen.run("xdotool", ["key", "alt+F4"], KEY_LIMIT)?;
    match demo.wait(CLOSE_LIMIT)? {
        Some(status) if status.success() => server.has_logged(&["closed 1005"]),
        Some(status) => Err(format!("{status}: {}", demo.complaints()).into()),
        None => Err("the window does not close".into()),
    }
}

/// Whether a window that shows nothing new is not painted.
fn is_idle(id: u32) -> Result<()> {
    let before = ticks(id)?;
    std::thread::sleep(IDLE);
    let used = ticks(id)? - before;
    println!("  an idle window used {used} ticks of 10 ms in {IDLE:?}");
    if used <= IDLE_TICKS_MAX {
        return Ok(());
    }
    Err(format!("an idle window used {used} ticks in {IDLE:?}").into())
}

/// The processor time of a process (proc(5): `utime` and `stime`).
fn ticks(id: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no process")?;
    let times = fields.split_whitespace().skip(11).take(2);
    Ok(times
        .map(str::parse::<u64>)
        .sum::<std::result::Result<_, _>>()?)
}

/// A screen of X11 with a window manager.
struct Screen {
    display: String,
    _window_manager: Running,
    _server: Running,
}

impl Screen {
    fn open() -> Result<Self> {
        let mut server = Command::new("Xvfb");
        server.args([
            "-displayfd",
            "1",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            SCREEN,
        ]);
        server.stdout(Stdio::piped()).stderr(Stdio::piped());
        let server = Running::start(&mut server)?;
        if !wait_until(KEY_LIMIT, || server.output().ends_with('\n')) {
            return Err(format!("Xvfb does not start: {}", server.complaints()).into());
        }
        let display = format!(":{}", server.output().trim());
        let mut manager = Command::new("openbox");
        manager.env("DISPLAY", &display);
        manager.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self {
            display,
            _window_manager: Running::start(&mut manager)?,
            _server: server,
        })
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        limit: Duration,
    ) -> Result<()> {
        let mut command = self.command(program);
        let finished = process::run(command.args(arguments), Input::Nothing, Stderr::Kept, limit)?;
        finished.expect(&format!("{program} succeeds"), process::Finished::success)
    }

    /// Makes the window as large as its content, and takes its picture with its frame.
    fn take_picture(&self, picture: &Path) -> Result<()> {
        let (width, height) = PICTURE;
        let resize = ["getactivewindow", "windowsize", "--sync", width, height];
        self.run("xdotool", resize, OPEN_LIMIT)?;
        // The answer is on its way, and the window is painted anew.
        std::thread::sleep(Duration::from_secs(1));
        let import = ["-frame", "-window", TITLE].map(OsStr::new);
        let import = import.into_iter().chain([picture.as_os_str()]);
        self.run("import", import, KEY_LIMIT)?;
        println!("  {}", picture.display());
        Ok(())
    }

    /// Types a text and Enter, until the server has it.
    ///
    /// For a letter that the keyboard lacks, xdotool gives it a key for a moment. A window that
    /// learns of that too late misses the letter, so this is tried again: what was sent is selected,
    /// and the next try replaces it.
    fn send(&self, text: &str, server: &Server) -> Result<()> {
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            self.run("xdotool", ["type", "--delay", "300", text], KEY_LIMIT)?;
            self.run("xdotool", ["key", "Return"], KEY_LIMIT)?;
            outcome = server.has_logged(&[&format!("received '{text}'")]);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}
