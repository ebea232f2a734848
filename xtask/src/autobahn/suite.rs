//! Where the suite runs, and `wstest`, its program.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::chroot;
use crate::process::{self, Input, Running, Stderr, wait_until};
use crate::{Result, cargo, tools};

const IMAGE: &str = "crossbario/autobahn-testsuite";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Where the suite runs.
#[derive(Clone, Debug)]
pub(super) enum Suite {
    /// In a Debian of its own, in this folder.
    Chroot(PathBuf),
    /// In a container; docker or podman runs it.
    Container(&'static str),
}

impl Suite {
    /// Installs the suite in the way that this machine allows.
    pub(super) fn prepare() -> Result<Self> {
        if tools::is_root() && tools::in_path("apt-get").is_some() {
            return Ok(Self::Chroot(chroot::prepare()?));
        }
        let engines = ["docker", "podman"];
        let works = |engine: &&str| tools::succeeds(Command::new(engine).arg("info"));
        let Some(engine) = engines.into_iter().find(works) else {
            return Err(
                "the Autobahn test suite runs on Python 2.7, in a container or in a Debian \
                of its own: install docker or podman and start it, or run this as root on Debian"
                    .into(),
            );
        };
        tools::must_succeed(Command::new(engine).args(["pull", "--quiet", IMAGE]))?;
        Ok(Self::Container(engine))
    }

    /// An empty folder for one process of the suite.
    pub(super) fn folder(&self, name: &str) -> Result<Folder> {
        let unique = format!("{name}-{}", std::process::id());
        let folder = match self {
            Self::Chroot(root) => Folder {
                outside: root.join("tmp").join(&unique),
                inside: format!("/tmp/{unique}"),
                name: unique,
            },
            Self::Container(_) => Folder {
                outside: cargo::scratch("autobahn")?.join(&unique),
                inside: "/reports".to_owned(),
                name: unique,
            },
        };
        fs::create_dir_all(&folder.outside)?;
        Ok(folder)
    }

    fn command(&self, folder: &Folder) -> Command {
        let mut wstest = match self {
            Self::Chroot(root) => chroot::command(root, "wstest"),
            Self::Container(engine) => {
                let mut run = Command::new(engine);
                run.args(["run", "--rm", "--init", "--network=host", "--name"]);
                run.arg(&folder.name);
                run.arg("--volume");
                run.arg(format!("{}:{}", folder.outside.display(), folder.inside));
                run.args(owner(engine)).args([IMAGE, "wstest"]);
                run
            }
        };
        wstest.arg("--spec").arg(folder.inside("spec.json"));
        wstest.arg("--mode");
        wstest
    }

    /// Ends a process of the suite that may outlive its command.
    fn end(&self, folder: &Folder) {
        if let Self::Container(engine) = self {
            // Mostly it has ended by itself and is gone already.
            let _ = tools::succeeds(Command::new(engine).args(["rm", "--force", &folder.name]));
        }
    }

    /// Runs the suite's client against a server, to its end.
    pub(super) fn run_client(&self, folder: &Folder, limit: Duration) -> Result<()> {
        let mut wstest = self.command(folder);
        let finished = process::run(
            wstest.arg("fuzzingclient"),
            Input::Nothing,
            Stderr::Kept,
            limit,
        );
        self.end(folder);
        finished?.expect("the suite runs to its end", process::Finished::success)
    }

    /// Starts the suite's server, which its specification has listen on this port.
    pub(super) fn start_server<'a>(&'a self, folder: &'a Folder, port: u16) -> Result<Server<'a>> {
        let mut wstest = self.command(folder);
        wstest.args(["fuzzingserver", "--webport", "0"]);
        wstest.stdin(Stdio::null());
        wstest.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = Server {
            running: Running::start(&mut wstest)?,
            suite: self,
            folder,
        };
        let listens = wait_until(START_LIMIT, || {
            let has_ended = !matches!(server.running.wait(Duration::ZERO), Ok(None));
            has_ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        match server.running.wait(Duration::ZERO)? {
            None if listens => Ok(server),
            _ => Err(format!("the suite does not listen: {}", server.running.complaints()).into()),
        }
    }
}

/// The suite's server, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server<'a> {
    running: Running,
    suite: &'a Suite,
    folder: &'a Folder,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.suite.end(self.folder);
    }
}

/// A folder that the suite sees too, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    name: String,
    outside: PathBuf,
    inside: String,
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.outside
    }

    /// A file of it, by the path that the suite knows.
    pub(super) fn inside(&self, file: &str) -> String {
        format!("{}/{file}", self.inside)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is small, and in a folder for such things.
        let _ = fs::remove_dir_all(&self.outside);
    }
}

/// The option with which the reports belong to whoever runs this: podman's do by themselves.
fn owner(engine: &str) -> Option<String> {
    let id = |option| {
        let output = Command::new("id").arg(option).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match engine {
        "docker" => Some(format!("--user={}:{}", id("-u")?, id("-g")?)),
        _ => None,
    }
}

/// A port that is free, and most probably still is a moment later.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
