//! The corpora of `fuzz/corpus`: an archive each, which is unpacked to run and packed anew to keep more.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::{Result, cargo};

/// Packing is quick; a merge runs each input once.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The archive of a target.
pub(super) fn archive(target: &str) -> PathBuf {
    cargo::root().join(format!("fuzz/corpus/{target}.tar.gz"))
}

/// Where a target's corpus lies to run.
pub(super) fn folder(target: &str) -> Result<PathBuf> {
    cargo::scratch(&format!("fuzz/corpus/{target}"))
}

/// Unpacks a corpus anew.
pub(super) fn unpack(target: &str) -> Result<()> {
    std::fs::remove_dir_all(folder(target)?)?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive(target));
    tar.arg("-C").arg(folder(target)?);
    done(&mut tar, "the corpus is unpacked")
}

/// Adds what covers more, of the folder `found`, and packs the corpus; `merge` is `cargo fuzz run TARGET`.
pub(super) fn keep(target: &str, mut merge: Command, found: &Path) -> Result<()> {
    merge.arg(folder(target)?).arg(found);
    merge.args(["--", "-merge=1", "-use_counters=0", "-use_cmp=0"]);
    done(&mut merge, "what covers more is merged")?;
    pack(&folder(target)?, &archive(target))
}

/// The same files give the same bytes, on any day and for any user.
fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--format=ustar", "--sort=name", "--mtime=@0"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u=rwX,go=rX", "-I", "gzip -9n", "-cf"]);
    tar.arg(archive).arg("-C").arg(folder).arg(".");
    done(&mut tar, "the corpus is packed")
}

fn done(command: &mut Command, what: &str) -> Result<()> {
    let finished = process::run(command, Input::Nothing, Stderr::Kept, LIMIT)?;
    finished.expect(what, Finished::success)
}
