"""The demo's window and the recipe's app on a screen that nobody sees: real keys go in, pictures come out."""

import contextlib
import pathlib
import time

from run import Program, built, check, expect, must, scratch, until
from tools import PEERS, WEBSOCKETS, need, python, screen

TITLE = "WebSocket Demo"
# How often an idle window may be painted in 2 s: a cursor that blinks is painted four times, on any machine.
IDLE_PAINTS_MAX = 8
# How often a paint writes, which most of it does to the X server.
PAINT_WRITES = 19
# How many ticks of 10 ms an idle window may have used in 2 s, and for each paint: how long one takes is the machine's.
IDLE_TICKS_MAX, PAINT_TICKS_MAX = 3, 10
# What is typed while the server is away, and how long an app first waits at most, in seconds.
AWAY, FIRST_WAIT_MAX = "Still there?", 5
# A film that is longer bores.
FILM_SECONDS_MAX = 15


def send(display, text, server):
    """Types a text and Enter, until the server has it.

    For a letter that the keyboard lacks, xdotool gives it a key for a moment. A window that learns of that too
    late misses the letter, so this is tried again: what was sent is selected, and the next try replaces it.
    """
    for attempt in range(4):
        must("xdotool", "type", "--delay", "300", text, env=display)
        must("xdotool", "key", "Return", env=display)
        try:
            return server.says(f"received '{text}'")
        except AssertionError as error:
            outcome = error
    raise outcome


def work(pid):
    """How often a process has written (proc(5): `syscw`), and its processor time (`utime` and `stime`)."""
    process = pathlib.Path("/proc", pid)
    writes = (process / "io").read_text().partition("syscw: ")[2].split()[0]
    fields = (process / "stat").read_text().rpartition(") ")[2].split()
    return int(writes), int(fields[11]) + int(fields[12])


def idle(pid):
    """Holds what a window does that nobody touches to what its cursor needs."""
    before = work(pid)
    time.sleep(2)
    writes, ticks = (now - then for now, then in zip(work(pid), before))
    paints = round(writes / PAINT_WRITES)
    told = f"an idle window was painted {paints} times in 2 s, and used {ticks} ticks of 10 ms"
    print(f"  {told}", flush=True)
    if paints > IDLE_PAINTS_MAX or ticks > IDLE_TICKS_MAX + PAINT_TICKS_MAX * paints:
        raise AssertionError(told)


def echo(port="0"):
    """A server that prints what it sees."""
    return Program(python(WEBSOCKETS), PEERS / "python/websockets_server.py", port)


def converse(display, picture, program, *options):
    with echo() as server:
        with Program(built(program), *options, server.url(), env=display) as demo:
            search = ["search", "--sync", "--onlyvisible", "--pid", demo.pid, "--name", TITLE, "windowfocus"]
            must("xdotool", *search, env=display, limit=60)
            send(display, "Hello!", server)
            send(display, "안녕하세요", server)
            must("xdotool", "getactivewindow", "windowsize", "--sync", "480", "360", env=display)
            # The answer is on its way, and the window is painted anew.
            time.sleep(1)
            must("import", "-frame", "-window", TITLE, scratch("demo") / f"{picture}.png", env=display)
            idle(demo.pid)
            # The window manager asks the window to close, as a click on its cross does.
            must("xdotool", "key", "alt+F4", env=display)
            expect(demo.process.wait(20), 0)
            server.says("closed 1005")


@contextlib.contextmanager
def desktop():
    """A screen with a window manager."""
    screen()
    with Program("Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "520x720x24") as xvfb:
        number = until(lambda: xvfb.output().endswith("\n") and xvfb.output().split()[-1], 20, xvfb.output)
        display = {"DISPLAY": f":{number}", "WAYLAND_DISPLAY": None}
        with Program("openbox", env=display):
            yield display


def film(path):
    """Some seconds of the recipe's app: a greeting is answered, the server is killed, a message is typed, the server is
    back, and so is the answer.

    The app's waits are drawn at random, so that takes are made until one fits.
    """
    need("ffmpeg")
    taken, look = scratch("demo") / "app.mkv", "split[a][b];[a]palettegen=max_colors=32[p];[b][p]paletteuse=dither=none"
    with desktop() as display:
        until(lambda: take(taken, display) <= FILM_SECONDS_MAX, 600, lambda: "each take was too long")
    must("ffmpeg", "-y", "-i", taken, "-vf", look, path)


def take(path, display):
    """Films the app once, and returns how many seconds that has taken."""
    source = f"-f x11grab -draw_mouse 0 -framerate 8 -video_size 482x230 -i {display['DISPLAY']} -c:v ffv1".split()
    with echo() as server, Program(built("talkback-app"), url := server.url(), env=display):
        window = ["search", "--sync", "--onlyvisible", "--name", TITLE, "windowsize", 480, 206, "windowmove", 0, 0]
        must("xdotool", *window, "windowfocus", env=display)
        time.sleep(1)
        began = time.monotonic()
        with Program("ffmpeg", "-y", *source, path) as recorder:
            time.sleep(1)
            send(display, "안녕하세요", server)
            time.sleep(1.5)
            server.kill()
            killed = time.monotonic()
            time.sleep(1)
            must("xdotool", "type", "--delay", "100", AWAY, env=display)
            must("xdotool", "key", "Return", env=display)
            # The first wait is over by then, so that a try was refused.
            time.sleep(max(0, killed + FIRST_WAIT_MAX - time.monotonic()))
            with echo(url.strip("/").rpartition(":")[2]) as server:
                server.says(f"received '{AWAY}'", limit=60)
                time.sleep(2)
                # It ends as a person ends it.
                recorder.process.communicate(b"q", timeout=60)
    expect(recorder.process.returncode, 0)
    return time.monotonic() - began


def windows():
    demo = "talkback-demo --window --theme"
    commands = {"window-light": f"{demo} light --url", "window-dark": f"{demo} dark --url", "app-window": "talkback-app"}
    with desktop() as display:
        for name, command in commands.items():
            check(f"{name}: keys go in, answers come out, closing closes", converse, display, name, *command.split())
