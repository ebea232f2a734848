"""Windows where there is none: compiled with mingw, and run in wine."""

import contextlib
import os

import tools
from run import Program, answer, cargo, check, counted, expect, must, once, passed, scratch, until

TARGET = "x86_64-pc-windows-gnu"
# Compiled once, in one set of features.
NAMES = ("", "-proto", "-echo", "-terminal", "-cli", "-demo", "-conformance")
CRATES = " ".join(f"--package talkback{name}" for name in NAMES)
FEATURES = "--features talkback/upgrade,talkback/json,talkback/metrics,talkback/server,talkback/test-util,talkback/tracing"

# The tests that are left out, each with what keeps it from passing here: a fault of wine 8, or that there is no Windows.
# Wine has one process that is asked about each use of a socket, and takes half a second to start a program.
WINE = {
    "compile::": "it asks a compiler that runs on Windows",
    "crates::": "it asks a cargo that runs on Windows",
    "attacks::": "millions of frames and thousands of connections take wine an hour; their cost is known on Linux alone",
    "fault_cuts::": "a connection that is cut at each byte, thousands of them, takes wine minutes for each test",
    "fault_tls::": "as fault_cuts",
    "handshake::client_cut": "a program for each byte of a response takes wine minutes for each test",
    "server_cuts::v54_each_end_of_a_request_is_logged_as_one": "wine's accept fails for a client that has reset (10057)",
    "reconnect::heartbeat::re86_a_silent_peer_is_asked_and_given_up": "wine takes 10 s for it, while the test's time stands"
                                                                       " still: a machine that has slept",
    "memory::re126_idle_connections_cost_little": "mio holds 260 bytes more for a socket of Windows; the bounds are Linux's",
    "signals::tests::ctrl_break_before_it_is_waited_for_is_told": "wine's GenerateConsoleCtrlEvent sends Ctrl-C alone",
}


@once
def wine():
    """The environment of a wine with a Windows of its own."""
    tools.wine()
    prefix = scratch("wine")
    # Without a screen, and with UTF-8 at a terminal.
    env = {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe="}
    env |= {"DISPLAY": None, "LC_ALL": "C.UTF-8"}
    library = prefix / "drive_c/windows/system32/bcryptprimitives.dll"
    if not library.exists():
        must("wine", "wineboot", "--init", env=env, limit=300)
        must("x86_64-w64-mingw32-gcc", "-shared", "-o", library, tools.HERE / "bcryptprimitives.c", "-ladvapi32")
    return env


@contextlib.contextmanager
def running():
    """A Windows that stays up from one program to the next, which spares starting it each time."""
    env = wine()
    # The one that made it may be about to end.
    must("wineserver", "--wait", env=env, limit=300)
    must("wineserver", "--persistent", env=env)
    try:
        yield env
    finally:
        answer("wineserver", "--kill", env=env)


def on_windows(run, line, *more, env=None, **limits):
    """Runs a cargo command for Windows."""
    options, ours = tools.compiler_for(TARGET)
    ours["CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER"] = "wine"
    return run(*cargo(line), *options, *more, env=ours | (env or {}), **limits)


def tests(env, packages, **limits):
    left_out = [part for name in WINE for part in ("--skip", name)]
    # Most of them wait more than they compute.
    line = f"test --no-fail-fast {packages}"
    on_windows(counted, line, "--", "--test-threads=6", *left_out, env=env, **limits)


class Console:
    """A program of Windows at a terminal, what that shows, and keys that are pressed."""

    def __init__(self, *command, env):
        self.keys, screen = os.openpty()
        os.set_blocking(self.keys, False)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), screen)
        # Ctrl-C is a signal, which is for those who are controlled by the terminal.
        options = {"preexec_fn": lambda: os.login_tty(0)}
        self.program = Program("wine", *command, env=env | {"TERM": "xterm"}, **streams, **options)
        os.close(screen)
        self.screen = b""

    def __enter__(self):
        self.program.__enter__()
        return self

    def __exit__(self, *what):
        self.program.__exit__(*what)
        os.close(self.keys)

    def press(self, keys):
        os.write(self.keys, keys.encode())

    def shows(self, text, limit=60):
        """Waits until this comes onto the screen behind what was waited for before."""

        def is_there():
            with contextlib.suppress(OSError):  # Nothing more has come, or comes.
                self.screen += os.read(self.keys, 1 << 16)
            return text.encode() in self.screen

        until(is_there, limit, lambda: f"no {text!r} in {self.screen!r}")
        self.screen = self.screen.partition(text.encode())[2]


def prompt(env):
    """A person types Hangul, sends a file by its path, and leaves."""
    program = scratch(f"web/target/{TARGET}/debug") / "talkback.exe"
    file = scratch("wine/한글 폴더") / "글.txt"
    file.write_text("파일에서")
    path = "Z:" + str(file).replace("/", "\\")
    with Program("wine", program, "echo", "-vv", "--listen", "127.0.0.1:0", env=env) as echo:
        url = echo.url(limit=60)
        with Console(program, "connect", url, env=env) as console:
            console.shows("> ")
            console.press("안녕하세요?\x7f!\r")
            echo.says("안녕하세요!", limit=60)
            console.press(f"/file {path}\r")
            console.shows("sending 12 bytes as text")
            console.shows("파일에서")
            console.press("\x04")
            expect(console.program.process.wait(60), 0)
        with Console(program, "connect", url, env=env) as console:
            console.shows("> ")
            console.press("\x03")
            expect(console.program.process.wait(60), 130)


def windows_all():
    """20 min  libraries, command and demo for Windows, and their tests and a prompt in wine"""
    with running() as env:
        tests(env, f"{CRATES} {FEATURES} --lib --bins --tests", limit=7200)
        check("a prompt", prompt, env)
        on_windows(must, "build --package talkback-demo --features window", env=env)
        passed()
    for name, fault in WINE.items():
        print(f"  left out: {name}: {fault}")
