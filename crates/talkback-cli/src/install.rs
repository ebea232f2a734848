//! What is installed beside the command: completions, the manual's pages, and a unit of systemd.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{self, Failure};
use crate::files;

/// Prints what a shell reads to complete commands and options.
pub(crate) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut command = Args::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "talkback", &mut script);
    print(&script)
}

/// Prints the unit that systemd runs a hub by.
pub(crate) fn unit() -> Result<ExitCode, Failure> {
    print(include_bytes!("talkback-hub.service"))
}

fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    match io::stdout().write_all(text) {
        Ok(()) => Ok(ExitCode::from(exit::NORMAL)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::from(exit::NORMAL)),
        Err(error) => {
            let message = format!("could not write to standard output: {error}");
            Err(Failure::new(exit::OTHER, message))
        }
    }
}

/// Writes the manual's pages.
pub(crate) fn manual(folder: &Path) -> Result<ExitCode, Failure> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Args::command(), folder));
    match written {
        Ok(()) => Ok(ExitCode::from(exit::NORMAL)),
        Err(error) => {
            let what =
                format_args!("could not write the pages there: {error}. Give another folder");
            let message = files::complaint("man", folder, what);
            Err(Failure::new(exit::OTHER, message))
        }
    }
}
