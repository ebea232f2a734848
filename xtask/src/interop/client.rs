//! `talkback connect` against a server of another kind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::server::Server;
use crate::Result;
use crate::demo::GREETINGS;
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;

const LIMIT: Duration = Duration::from_secs(30);

/// `talkback connect`, and the server that it connects to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) talkback: &'a Path,
    pub(super) server: &'a Server,
    /// The certificate to trust, if the server speaks TLS.
    pub(super) ca: Option<&'a Path>,
}

/// Counts what `talkback connect` does with a server that `peer` names.
pub(super) fn check(peer: &str, client: Client<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut counted = |name, outcome| tally.check(&format!("{peer}: {name}"), outcome);

    let echoed = client.connect("", Input::Text(GREETINGS))?;
    counted("its lines come back", lines_came_back(&echoed));
    counted("the subprotocol is reported", reports(&echoed, &["chat"]));
    counted(
        "the server saw the lines and the header",
        saw_lines_and_header(client.server),
    );

    // Nobody types: the program ends because the server closes.
    let closed = client.connect("bye", Input::Silence)?;
    counted(
        "close code and reason are reported",
        reports(&closed, &["4001", "bye"]),
    );

    let refused = client.connect("missing", Input::Text(GREETINGS))?;
    counted("a refused handshake takes one line", is_refused(&refused));
    Ok(tally)
}

impl Client<'_> {
    fn connect(self, path: &str, input: Input<'_>) -> Result<Finished> {
        let mut command = Command::new(self.talkback);
        command.arg("connect");
        command.arg(format!("{}{path}", self.server.url()));
        command.args(["--subprotocol", "chat", "-H", "X-Token: open sesame"]);
        if let Some(ca) = self.ca {
            command.arg("--ca").arg(ca);
        }
        process::run(&mut command, input, Stderr::Kept, LIMIT)
    }
}

fn lines_came_back(finished: &Finished) -> Result<()> {
    finished.expect("its lines come back and it exits with 0", |client| {
        client.success() && client.stdout == GREETINGS
    })
}

/// What is wrong if it has not ended, or has not said these words on standard error.
fn reports(finished: &Finished, words: &[&str]) -> Result<()> {
    finished.expect(&format!("it ends and stderr names {words:?}"), |client| {
        client.status.is_some() && words.iter().all(|word| client.stderr.contains(word))
    })
}

fn saw_lines_and_header(server: &Server) -> Result<()> {
    server.has_logged(&["Hello!", "안녕하세요", "token open sesame"])
}

fn is_refused(finished: &Finished) -> Result<()> {
    finished.expect(
        "it fails with one line on stderr that names 404",
        |client| client.is_one_line_failure() && client.stderr.contains("404"),
    )
}
