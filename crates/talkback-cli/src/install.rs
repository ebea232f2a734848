//! What is installed beside the command: completions, and the manual's pages.

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
    match io::stdout().write_all(&script) {
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
