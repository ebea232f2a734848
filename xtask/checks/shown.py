"""The pictures of the command: a terminal with a talk in it, and a report of the load."""

import contextlib
import html
import os
import re

from run import Program, answer, built, must, scratch, until
from tools import chromium, need
from web import use

COLUMNS, ROWS = 78, 20
# What is typed, and what the screen shows then.
TYPED = [("talkback :9001 --times", "connected to "), ("안녕하세요", "Z 안녕하세요"),
         ('{"이름":"수진","ids":[1,2],"새":true}', "  ]"), ("/ping", "latency"), ("/close 4000 bye", 'reason "bye"')]
LOAD = "-c 100 -d 5 --ramp 2 --rate 2000 --quiet"
# The colours that the command has, of those that a terminal numbers.
COLORS = {"31": "#f48771", "32": "#9ece6a", "33": "#e0af68", "35": "#bb9af7", "36": "#7dcfff"}
STYLE = """
body { margin: 0; background: #16161e }
pre { margin: 0; padding: 12px 16px; display: inline-block; font: 15px/1.35 "DejaVu Sans Mono", "Noto Sans Mono CJK KR", monospace; color: #d5d8e8 }
"""


def page(screen):
    r"""A screen, as tmux gives it with the codes of its colours, as a page.

    >>> page("\x1b[36m<안\x1b[39m>").rpartition("<pre>")[2]
    '<span style="color: #7dcfff">&lt;안</span>&gt;</pre>\n'
    """
    shown, is_open = "", False
    for number, text in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", screen):
        if number or not text:
            shown += "</span>" * is_open
            color = COLORS.get(number.rpartition(";")[2])
            is_open = bool(color)
            shown += f'<span style="color: {color}">' if color else ""
        shown += html.escape(text)
    head = f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><style>{STYLE}</style>'
    return f"{head}<pre>{shown}</pre>\n"


@contextlib.contextmanager
def terminal():
    """A terminal with a shell that finds the command: what asks tmux, which keeps it."""
    tmux = [need("tmux"), "-u", "-S", scratch("demo") / "tmux", "-f", os.devnull]
    env = {"PATH": f"{built('talkback').parent}:{os.environ['PATH']}", "ENV": None, "LC_ALL": "C.UTF-8"}
    must(*tmux, "new-session", "-d", "-x", COLUMNS, "-y", ROWS, "sh", env=env)
    try:
        yield lambda *command: must(*tmux, *command)
    finally:
        answer(*tmux, "kill-server")


def talk():
    """What a terminal shows after a talk."""
    with terminal() as tmux:
        screen = lambda: tmux("capture-pane", "-p").strip()
        # A shell of root's has a prompt of its own.
        tmux("send-keys", "PS1='$ '; clear", "Enter")
        until(lambda: screen() == "$", 20, screen)
        for text, shown in TYPED:
            tmux("send-keys", "-l", text)
            tmux("send-keys", "Enter")
            until(lambda: shown in screen(), 20, screen)
        return tmux("capture-pane", "-e", "-p").rstrip()


def pictures():
    """Has a terminal and a report pictured; the server is where the documentation has it."""
    folder = scratch("demo/shown")
    with Program(built("talkback"), "echo") as echo:
        echo.says("localhost:9001")
        (folder / "connect-terminal.html").write_text(page(talk()))
        title = ("--title", "에코 서버 부하 시험")
        must(built("talkback"), "bench", ":9001", *LOAD.split(), *title, "--html", folder / "bench-report.html")
    # Its pages talk to no server.
    use({"chromium": chromium()}, "shown.cjs", folder, "")
