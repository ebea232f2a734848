"""Containerfile without containers: its steps, in folders of their own with a Debian in each."""

import json
import pathlib
import re
import shlex
import shutil

from run import ROOT, Program, expect, must, passed, scratch
from tools import HERE, IS_DEBIAN_ROOT, need, quietly

RECIPE = ROOT / "Containerfile"
# What a container's first program finds set.
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def instructions(text):
    r"""The instructions of a container file, each with its arguments; a line that ends with a backslash goes on.

    >>> list(instructions("# why\nFROM debian AS build\nRUN a \\\n    && b\n\nENV A=1\n"))
    [('FROM', 'debian AS build'), ('RUN', 'a     && b'), ('ENV', 'A=1')]
    """
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    for line in filter(str.strip, lines.splitlines()):
        name, _, arguments = line.strip().partition(" ")
        yield name, arguments.strip()


class Image:
    """What the steps behind a FROM make: a folder, and how a program begins in it."""

    def __init__(self, base, folder):
        must("cp", "--archive", "--reflink=auto", base, folder)
        self.folder, self.place, self.env = folder, pathlib.PurePosixPath("/"), dict(ENV)
        self.user, self.entry, self.command = "root", [], []

    def outside(self, path):
        """Where a path of the image is for us."""
        return self.folder / str(self.place / path).lstrip("/")

    def inside(self, *command):
        """The command that runs another in it, with /proc and /dev of its own that end with it."""
        mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$@"'
        env = [f"{name}={value}" for name, value in self.env.items()]
        where = [f"--userspec={self.user}", self.folder, "env", "-i", f"--chdir={self.place}", *env]
        apart = "unshare --mount --pid --fork --kill-child sh -c".split()
        return [*apart, mounts, self.folder, *where, *command]

    def run(self, line):
        quietly(*self.inside("sh", "-c", line))

    def copy(self, arguments, images):
        """Copies files of ours that git knows, or those of an image before this one."""
        *options, source, target = shlex.split(arguments)
        place = self.outside(target)
        if options:
            (stage,) = (option.removeprefix("--from=") for option in options)
            place.mkdir(parents=True, exist_ok=True)
            return shutil.copy2(images[stage].outside(source), place)
        left_out = tuple(line for line in (ROOT / ".dockerignore").read_text().split("\n") if line and line[0] != "#")
        known = "ls-files -z --cached --others --exclude-standard".split()
        for file in filter(None, must("git", "-C", ROOT, *known, source).split("\0")):
            is_left_out = any(file == name or file.startswith(f"{name}/") for name in left_out)
            if not is_left_out and (ROOT / file).exists():
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, place / file)


def build(base, folder):
    """Does what the file says; returns the last image. What is not known here is an error."""
    images, image = {}, None
    for name, arguments in instructions(RECIPE.read_text()):
        if name == "FROM":
            source, _, stage = arguments.partition(" AS ")
            expect(source.rpartition("/")[2], "debian:bookworm-slim")
            image = images[stage] = Image(base, folder / (stage or "last"))
        elif name == "RUN":
            image.run(arguments)
        elif name == "COPY":
            image.copy(arguments, images)
        elif name == "ENV":
            image.env |= [pair.split("=", 1) for pair in shlex.split(arguments)]
        elif name == "WORKDIR":
            image.place = image.place / arguments
            image.outside("").mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            image.user = arguments
        elif name == "ENTRYPOINT":
            image.entry = json.loads(arguments)
        elif name == "CMD":
            image.command = json.loads(arguments)
        elif name != "EXPOSE":
            raise RuntimeError(f"{name} {arguments}: this cannot be done here")
        print(f"  {name} {arguments}", flush=True)
    return image


def container():
    """15 min  builds what Containerfile says in a Debian of its own, and has the command echo there (debootstrap)"""
    if not IS_DEBIAN_ROOT:
        raise RuntimeError("it needs root on Debian; elsewhere: podman build .")
    need("debootstrap", "debootstrap debian-archive-keyring")
    folder = scratch("container")
    shutil.rmtree(folder)
    folder.mkdir()
    quietly("sh", HERE / "container.sh", folder / "base", env={"TMPDIR": None})
    image = build(folder / "base", folder)
    talkback = lambda *arguments: image.inside(*image.entry, *arguments)
    told = must(*talkback("--version"))
    expect(told.startswith("talkback "), True)
    passed()
    expect(must(*image.inside("id", "-un")).strip(), image.user)
    expect(image.user != "root", True)
    passed()
    # The machine's ports are its own, too: another one than an echo server of ours may have.
    *options, _ = image.command
    with Program(*talkback(*options, "127.0.0.1:0")) as echo:
        answer = must(*talkback("connect", "--quiet", "-1", "--send", "안녕하세요", echo.url()))
        expect(answer, "안녕하세요\n")
    passed()
