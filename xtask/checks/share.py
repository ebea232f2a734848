"""What a package of the command holds beside its source: the demo's tab, completions, the manual's pages."""

import contextlib
import shutil

from run import ROOT, built, cargo, must
from web import tab

SHARE = ROOT / "crates/talkback-cli/share"
# Where shells look for them by name.
COMPLETIONS = {"bash": "talkback.bash", "fish": "talkback.fish", "zsh": "_talkback"}


def clear():
    for kind in ("completions", "demo", "man"):
        shutil.rmtree(SHARE / kind, ignore_errors=True)


def write():
    """`cargo xtask share`: puts it where `cargo publish` finds it."""
    clear()
    must(*cargo("build --package talkback-cli"))
    must(built("talkback"), "man", SHARE / "man")
    for shell, name in COMPLETIONS.items():
        (SHARE / "completions").mkdir(exist_ok=True)
        (SHARE / "completions" / name).write_text(must(built("talkback"), "completions", shell))
    # Last, and from the files alone: a tree with a demo builds a command with it.
    (SHARE / "demo").mkdir()
    for file in tab().iterdir():
        if file.is_file():
            shutil.copy(file, SHARE / "demo")


@contextlib.contextmanager
def shared():
    """It is there while a package is made, and not when the tests run."""
    write()
    try:
        yield
    finally:
        clear()
