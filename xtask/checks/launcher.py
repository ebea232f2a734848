"""`cargo xtask`, but for the demo: the commands, and how steps are run and counted."""

import collections
import contextlib
import os
import shutil
import signal
import sys
import time

import crates
import docs
import share
import shown
import soak
import steps
import tools
import web
import window
from run import COUNTS, ROOT, TARGET, end_with, failed, must, scratch

HELP = """\
Builds, tests and starts everything in this repository:
  cargo xtask test               what every change passes, in minutes
  cargo xtask test --all         that, and all else that .ci/run passes
  cargo xtask test STEP...       the steps of these names (cargo xtask test --list)
  cargo xtask soak NAME          what takes longer (cargo xtask soak list)
  cargo xtask demo [ARGUMENT]... build and start the demo (also: cargo demo)
  cargo xtask web                build the demo's tab and the example page, and weigh them
  cargo xtask windows            build for Windows, and run the tests in wine: the soak of that name
  cargo xtask share              put the demo's tab, completions and man pages where a package of the command has them
  cargo xtask pictures           take the pictures of the documentation anew, and its moving one
  cargo xtask claims [WORD]      run what docs/claims.md says (of lines with a word), and write its figures anew
  cargo xtask api                write the public names of each crate into docs/api
  cargo xtask bench codec        count what a message costs, beside other libraries (valgrind)
  cargo xtask bench deflate      count what compression costs and saves by level (valgrind)
  cargo xtask bench counts       count what an echoed message costs our servers: the step `cost`
  cargo xtask bench crowd        measure what 10,000 clients at a time are to our server (--help)
  cargo xtask bench compare      measure echo servers and clients beside others (--help; all of it takes 40 minutes)
"""


# `fuzz` is the name of `fuzz_long`, too.
name_of = lambda function: function.__name__.partition("_")[0]


def listed(functions):
    return "".join(f"  {name_of(function):<12}{function.__doc__}\n" for function in functions)


def find(functions, name):
    """
    >>> [name_of(find(steps.FAST_STEPS + steps.MORE_STEPS, name)) for name in ("unit", "format", "fuzz")]
    ['unit', 'format', 'fuzz']
    >>> with contextlib.redirect_stderr(sys.stdout), contextlib.suppress(SystemExit):
    ...     find(soak.SOAKS[1:3], "unti")
    cargo xtask: nothing is named unti; there is fuzz, autobahn; `cargo xtask help` tells what there is
    """
    known = {name_of(function): function for function in functions}
    return known.get(name) or usage(f"nothing is named {name}; there is {', '.join(known)}")


def usage(message):
    print(f"cargo xtask: {message}; `cargo xtask help` tells what there is", file=sys.stderr)
    sys.exit(2)


def run_steps(chosen, *arguments):
    """Runs the steps, each to its end whatever became of those before; the total is the last line."""
    lines, every = [], collections.Counter()
    total = lambda counts: f"{counts['passed']} passed, {counts['failed']} failed"
    for step in chosen:
        COUNTS.clear()
        name, begin = name_of(step), time.monotonic()
        try:
            step(*arguments)
        except Exception as error:
            failed(f"{name}: {error}")
        if not COUNTS:
            failed(f"{name}: it has checked nothing")
        lines.append(f"{name:<12}{total(COUNTS):<24}{time.monotonic() - begin:>9.1f} s")
        print(lines[-1], flush=True)
        every.update(COUNTS)
    print("", *lines, "", total(every), sep="\n")
    sys.exit(min(every["failed"], 1))


def test(*names):
    every = steps.FAST_STEPS + steps.MORE_STEPS
    if names[:1] in (("list",), ("--list",), ("--help",), ("-h",)):
        print(listed(steps.FAST_STEPS), "with --all, and by name:\n", listed(steps.MORE_STEPS), sep="", end="")
    elif names == ("--all",):
        tools.install_all()
        run_steps(every)
    else:
        run_steps([find(every, name) for name in names] or steps.FAST_STEPS)


def pictures():
    """Uses the window, the tab, the pages of the servers and the command, and has what was pictured in the documentation."""
    # None of an earlier run is taken for one of this run.
    shutil.rmtree(taken := scratch("demo"))
    steps.window()
    web.page_in_use(web.tab())
    web.hubs_in_use()
    shown.pictures()
    if COUNTS["failed"]:
        sys.exit("what is pictured does not work; no picture was replaced")
    tools.need("convert", "imagemagick")
    for picture in (ROOT / "docs/images").glob("*-*.png"):
        # Few colours are light; those of a window's edge are many.
        must("convert", taken / picture.name, *"-strip +dither -colors 64 -define png:compression-level=9".split(), f"PNG8:{picture}")
        print(" ", picture)
    window.film(ROOT / "docs/images/app.gif")


def soak_one(name="list", *arguments):
    if {"list", "--list", "--help", "-h"} & {name, *arguments}:
        return print(listed(soak.SOAKS), end="")
    run_steps([find(soak.SOAKS, name)], *arguments)


def bench(what="nothing", *arguments):
    if what == "counts" and not arguments:
        run_steps([steps.cost])
    if what in ("codec", "deflate") and not arguments:
        tools.need("valgrind")
        program, arguments = sys.executable, [scratch("bench")]
    elif what in ("compare", "crowd"):
        program = tools.python(tools.MATPLOTLIB)
    else:
        usage(f"no bench is {' '.join([what, *arguments])}; there is codec, deflate, counts, crowd and compare")
    os.execv(program, [str(part) for part in (program, ROOT / f"bench/{what}.py", *arguments)])


def main(command="help", *arguments):
    commands = {"test": test, "soak": soak_one, "web": web.web, "pictures": pictures, "bench": bench}
    commands |= {"claims": docs.claims, "api": crates.write, "share": share.write}
    commands["windows"] = lambda: soak_one("windows")
    if command in ("help", "--help", "-h"):
        print(HELP, end="")
    elif command not in commands:
        usage(f"there is no {command}")
    elif len(arguments) > {"web": 0, "windows": 0, "api": 0, "share": 0, "pictures": 0, "claims": 1}.get(command, len(arguments)):
        usage(f"{command} takes no {arguments[-1]}")
    else:
        commands[command](*arguments)
    sys.stdout.flush()


if __name__ == "__main__":
    # What cargo told about the launcher itself; some build scripts run again when it changes.
    for told in [name for name in os.environ if name.startswith(("CARGO_PKG_", "CARGO_MANIFEST_"))]:
        del os.environ[told]
    if os.environ.get("CARGO_TARGET_DIR") and not os.path.isabs(os.environ["CARGO_TARGET_DIR"]):
        os.environ["CARGO_TARGET_DIR"] = str(TARGET)
    for number in filter(None, (getattr(signal, name, None) for name in ("SIGHUP", "SIGINT", "SIGTERM"))):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` has it ignored.
            signal.signal(number, end_with)
    try:
        main(*sys.argv[1:])
    except BrokenPipeError:
        # Who reads has gone, as `head` does. Python's own end would write once more.
        os._exit(1)
