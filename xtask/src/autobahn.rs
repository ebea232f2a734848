//! `cargo xtask autobahn`: our server and our client under the Autobahn test suite.
//!
//! A run is one of them over TCP or TLS. Its cases go to two processes of the suite at the same time,
//! as each uses one core; their results are one again.

mod chroot;
mod json;
mod options;
mod results;
mod suite;
mod table;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use self::options::{Handle, Options, Role, Run, Transport};
use self::results::Case;
use self::suite::{Folder, Suite};
use self::table::Ran;
use crate::interop::{Certificate, Server};
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, usage};

/// A run takes minutes, but many times as long where others use the processors too; one that hangs does
/// not hold up the rest for ever.
const RUN_LIMIT: Duration = Duration::from_secs(60 * 60);

const HELP: &str = "\
Runs the Autobahn test suite against `talkback echo` and against a client of the crate.

Usage:
  cargo xtask autobahn [server|client] [ws|wss] [--cases LIST] [--channel]

  server, client   only this end of ours; both if none is named
  ws, wss          only over TCP, only over TLS
  --cases LIST     only these cases: numbers and patterns, such as 1.*,9.1.6
  --channel        the client's WebSocketChannel in place of its WebSocket

The results are in target/autobahn/results.md, with the suite's own pages beside it.
";

/// The command, for a person.
pub(crate) fn start(arguments: &[OsString]) -> ExitCode {
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(message) => return usage(&format!("autobahn: {message}")),
    };
    match run_all(&options) {
        Ok(tally) => {
            println!("{tally}");
            match tally.failed {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            eprintln!("cargo xtask autobahn: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The step: every case in both roles, each over one of the transports. All four passes, which the
/// command makes, take about 20 minutes.
pub(crate) fn autobahn() -> Result<Tally> {
    run_all(&Options::for_step())
}

fn run_all(options: &Options) -> Result<Tally> {
    // One waits for the network, the other for the processors.
    let (suite, ours) = thread::scope(|scope| {
        let suite = scope.spawn(|| Suite::prepare().map_err(|error| error.to_string()));
        let ours = Programs::build();
        (joined(suite), ours)
    });
    let (suite, ours) = (suite?, ours?);
    let reports = cargo::scratch("autobahn")?;
    let mut tally = Tally::default();
    let mut done = Vec::new();
    for run in &options.runs {
        let pass = Pass {
            run: *run,
            suite: &suite,
            ours: &ours,
            reports: reports.join(run.name().replace(['(', ')'], "").replace(' ', "-")),
        };
        match pass.go(&options.parts) {
            Ok(ran) => {
                println!("  {}", ran.summary());
                tally += judge(&ran, options);
                done.push(ran);
            }
            Err(error) => tally.check(&run.name(), Err(error)),
        }
    }
    fs::write(reports.join("results.md"), table::page(&done))?;
    Ok(tally)
}

fn joined<T>(
    thread: thread::ScopedJoinHandle<'_, std::result::Result<T, String>>,
) -> std::result::Result<T, String> {
    let outcome = thread.join();
    outcome.unwrap_or_else(|_| Err("a thread has died".to_owned()))
}

/// Counts each case, and those that are not there.
fn judge(ran: &Ran, options: &Options) -> Tally {
    let mut tally = Tally::default();
    for case in &ran.cases {
        let outcome = match case.is_perfect() {
            true => Ok(()),
            false => Err(format!("{}. {}", case.outcome(), case.story)),
        };
        tally.check(&format!("{} {}", ran.name, case.number), outcome);
    }
    let count = ran.cases.len();
    if count == 0 || (options.is_whole && count != results::CASES) {
        let wanted = match options.is_whole {
            true => results::CASES.to_string(),
            false => "some".to_owned(),
        };
        let what = format!("{count} cases have run, not {wanted}");
        tally.check(&ran.name, Err(what));
    }
    tally
}

/// What is tested, built as people get it.
struct Programs {
    server: PathBuf,
    client: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        let (server, client) = ("talkback", "autobahn_client");
        // The features of each package are its own, and not those that the other asks for.
        for arguments in [
            ["--package", "talkback-cli", "--bin", server],
            ["--package", "talkback", "--example", client],
        ] {
            let mut build = cargo::cargo(&["build", "--release"]);
            build.args(arguments);
            if cargo::checked(build)?.failed > 0 {
                return Err(format!("{} does not build", arguments[3]).into());
            }
        }
        let folder = cargo::scratch("release")?;
        let program = |name: &str| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Ok(Self {
            server: program(server),
            client: program(&format!("examples/{client}")),
        })
    }
}

/// A run and what it needs.
struct Pass<'a> {
    run: Run,
    suite: &'a Suite,
    ours: &'a Programs,
    /// Where the suite's own pages go.
    reports: PathBuf,
}

impl Pass<'_> {
    fn go(&self, parts: &[Vec<String>]) -> Result<Ran> {
        let began = Instant::now();
        if self.reports.exists() {
            fs::remove_dir_all(&self.reports)?;
        }
        let server = match self.run.role {
            Role::Server => Some(self.echo_server()?),
            Role::Client => None,
        };
        let part = |(number, cases): (usize, &Vec<String>)| {
            let outcome = self.part(number, cases, server.as_ref());
            // A boxed error stays in its thread.
            outcome.map_err(|error| error.to_string())
        };
        let mut cases = thread::scope(|scope| {
            let threads: Vec<_> = parts
                .iter()
                .enumerate()
                .map(|numbered| scope.spawn(move || part(numbered)))
                .collect();
            let outcomes = threads.into_iter().map(joined);
            outcomes.collect::<std::result::Result<Vec<_>, String>>()
        })?
        .concat();
        cases.sort_by_key(|case| results::order(&case.number));
        Ok(Ran {
            name: self.run.name(),
            cases,
            time: began.elapsed(),
        })
    }

    fn echo_server(&self) -> Result<Server> {
        let mut echo = Command::new(&self.ours.server);
        echo.args(["echo", "--listen", "127.0.0.1:0"]);
        if self.run.transport == Transport::Tls {
            echo.arg("--tls-self-signed");
        }
        Server::start(&mut echo)
    }

    /// Some of the cases, by one process of the suite.
    fn part(&self, number: usize, cases: &[String], server: Option<&Server>) -> Result<Vec<Case>> {
        let name = self.reports.file_name().unwrap_or_default();
        let folder = self.suite.folder(&format!("{}-{number}", name.display()))?;
        match server {
            Some(server) => {
                let servers = format!(
                    r#""servers": [{{"agent": "talkback", "url": "{}"}}]"#,
                    server.url()
                );
                write_spec(&folder, &servers, cases)?;
                self.suite.run_client(&folder, RUN_LIMIT)?;
            }
            None => self.run_our_client(&folder, cases)?,
        }
        let reports = folder.path().join("reports");
        let cases = results::read(&reports)?;
        copy(&reports, &self.reports.join(format!("part-{number}")))?;
        Ok(cases)
    }

    fn run_our_client(&self, folder: &Folder, cases: &[String]) -> Result<()> {
        let port = suite::free_port()?;
        let url = format!("{}://127.0.0.1:{port}", self.run.transport.scheme());
        let mut peer = format!(r#""url": "{url}""#);
        let mut client = Command::new(&self.ours.client);
        client.arg(&url);
        if self.run.handle == Handle::Channel {
            client.arg("--channel");
        }
        if self.run.transport == Transport::Tls {
            let made = Certificate::make(folder.path())?;
            client.arg("--ca").arg(&made.chain);
            for (name, file) in [("cert", &made.chain), ("key", &made.key)] {
                let file = folder.inside(&file.file_name().unwrap_or_default().to_string_lossy());
                write!(peer, r#", "{name}": "{file}""#)?;
            }
        }
        write_spec(folder, &peer, cases)?;
        let _server = self.suite.start_server(folder, port)?;
        let finished = process::run(&mut client, Input::Nothing, Stderr::Kept, RUN_LIMIT)?;
        finished.expect("our client runs to its end", Finished::success)
    }
}

/// Writes what the suite is to do; nothing is excluded.
fn write_spec(folder: &Folder, peer: &str, cases: &[String]) -> Result<()> {
    let reports = folder.inside("reports");
    let cases = format!("{cases:?}");
    let spec = format!(
        r#"{{"outdir": "{reports}", {peer}, "cases": {cases}, "exclude-cases": [], "exclude-agent-cases": {{}}}}"#
    );
    Ok(fs::write(folder.path().join("spec.json"), spec)?)
}

/// Copies the files of a folder that has no folders in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
