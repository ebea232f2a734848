"""What runs in browsers: the conformance suite, the example page and the demo's tab."""

import gzip
import json
import re
import shutil
import sys

from run import ROOT, Program, answer, built, cargo, counted, must, passed, scratch
from tools import HERE, WASM, bindgen, build, chromium, compiler_for, firefox, node

# What the library may add to a page, what it may if its channel reconnects, and what the demo's tab may load, gzipped,
# in bytes.
ADDED_SIZE_MAX, RECONNECTING_SIZE_MAX, TAB_SIZE_MAX = 51_000, 64_000, 150_000
# Older ones of wasm-opt break the tables of a module that has reference types, as Debian's 108 does.
OPTIMIZER_MIN = 116
SUITE = "--package talkback-conformance"
TAB = [f"crates/talkback-demo-tab/page/{name}" for name in ("index.html", "start.js", "tab.css")]


def wasm(run, line, *more, **env):
    """Runs a cargo command for the browser."""
    options, ours = compiler_for(WASM)
    return run(*cargo(line), *options, *more, env=ours | env)


def bind(compiled, name):
    """Makes a page's module out of what was compiled; returns the page's folder."""
    options = "--target web --no-typescript --remove-name-section --remove-producers-section --out-dir".split()
    folder = scratch(f"web/{name}")
    must(bindgen() / "wasm-bindgen", *options, folder, scratch(f"web/target/{WASM}") / compiled)
    return folder


def page(name, package, *files, options=""):
    """Builds a page; returns its folder, and the gzipped size of all that it loads."""
    wasm(must, f"build --profile web --package {package} {options}")
    module = package.replace("-", "_")
    folder = bind(f"web/{module}.wasm", name)
    loaded = [folder / f"{module}.js", folder / f"{module}_bg.wasm"]
    version = re.search(r"version (\d+)", answer("wasm-opt", "--version") or "")
    if version and int(version[1]) >= OPTIMIZER_MIN:
        must("wasm-opt", "-Oz", loaded[1], "--output", loaded[1])
    loaded += [shutil.copy(ROOT / file, folder) for file in files]
    return folder, sum(len(gzip.compress(open(file, "rb").read(), 9, mtime=0)) for file in loaded)


def weighed(what, size, size_max):
    print(f"  {what}, gzipped: {size:,} bytes of at most {size_max:,}", flush=True)
    if size > size_max:
        raise AssertionError("too heavy")
    passed()


def example():
    """The page without a framework, and what the library adds to it."""
    made = lambda name, options="": page(name, "talkback-web-page", "examples/web/index.html", options=options)
    _, without = made("plain", "--no-default-features")
    _, reconnecting = made("reconnecting", "--features reconnect")
    folder, size = made("channel")
    weighed("what talkback adds to a page", size - without, ADDED_SIZE_MAX)
    weighed("to one whose channel reconnects", reconnecting - without, RECONNECTING_SIZE_MAX)
    return folder


def tab():
    folder, size = page("demo", "talkback-demo-tab", *TAB)
    weighed("the demo's tab", size, TAB_SIZE_MAX)
    return folder


def web():
    """`cargo xtask web`."""
    folder = tab()
    print(f"  any static host serves {folder}, and so does: talkback echo --web {folder}")
    print(f"  serve {example()} and open index.html?ws://SERVER/ of it")


def engines():
    """The browsers to test in, by playwright's names for them."""
    found = {"chromium": chromium()}
    try:
        found["firefox"] = firefox()
    except RuntimeError as error:
        if "--all" in sys.argv:
            raise
        print(f"  skipped (Firefox): {error}")
    return found


def drive(browsers, script, pages, *urls):
    """Has a script use pages in browsers, one after the other."""
    for engine, program in browsers.items():
        print(f"  {script.partition('.')[0]} in {engine}", flush=True)
        options = [engine, program, pages, *urls[:1], scratch("demo"), *urls[1:]]
        # A browser makes folders in its user's home.
        counted("node", "--test-reporter=tap", HERE / script, *options, env=node() | {"HOME": str(scratch("home"))})


def use(browsers, script, folder, *urls):
    """Has a script use a folder's pages as a person would."""
    with Program(sys.executable, "-um", "http.server", "--bind", "127.0.0.1", "--directory", folder, 0) as pages:
        drive(browsers, script, pages.url(), *urls)


def suite(browsers, url):
    """The conformance suite, against the server at `url`."""
    told = wasm(must, f"test {SUITE} --test it --no-run --message-format json", TALKBACK_CONFORMANCE_URL=url)
    compiled = [json.loads(line) for line in told.splitlines() if line.startswith('{"reason":"compiler-artifact"')]
    (tests,) = (artifact["executable"] for artifact in compiled if artifact["profile"]["test"])
    # `resources::` counts a page's objects and the server's connections: it has a page of its own.
    for place, names in (("BROWSER", "page::"), ("BROWSER", "resources::"), ("DEDICATED_WORKER", "worker::")):
        # It serves a page that runs the tests, to any browser and for as long as it lives.
        env = {f"WASM_BINDGEN_USE_{place}": "1", "NO_HEADLESS": "1", "WASM_BINDGEN_TEST_ADDRESS": "127.0.0.1:0"}
        with Program(bindgen() / "wasm-bindgen-test-runner", tests, names, env=env) as runner:
            drive(browsers, "suite.cjs", runner.url(limit=120))


def lifecycle(browsers, url):
    """What becomes of pages and their channels, whose server is at `url`."""
    wasm(must, f"build {SUITE} --example lifecycle")
    folder = bind("debug/examples/lifecycle.wasm", "lifecycle")
    script = 'import start, * as page from "./lifecycle.js"; start().then(() => window.page = page)'
    html = f'<!doctype html><link rel="icon" href="data:,"><script type="module">{script}</script>'
    (folder / "lifecycle.html").write_text(html)
    use(browsers, "lifecycle.cjs", folder, url)


def browser():
    """the suite on a page in Chromium and in Firefox, pages in use, and what the library adds to a page"""
    build()
    browsers = engines()
    with Program(built("conformance-server")) as server:
        url = server.url()
        print(*(f"  {line}" for line in server.output().splitlines()[:-1]), sep="\n", flush=True)
        suite(browsers, url)
        lifecycle(browsers, url)
        with Program(built("talkback"), "echo", "--listen", "127.0.0.1:0") as echo:
            folder = example()
            use(browsers, "browser.cjs", folder, echo.url(), url)
    page_in_use(folder)
    chat_in_use()
    hubs_in_use()


def page_in_use(folder):
    """The page that `talkback echo` serves; pictures of it are left in `demo`."""
    with Program(built("talkback"), "echo", "--listen", "127.0.0.1:0") as echo:
        use({"chromium": chromium()}, "page.cjs", folder, echo.url())


def chat_in_use():
    """The chat room, which is stopped and started again; pictures of it are left in `demo`."""
    drive({"chromium": chromium()}, "chat.cjs", "", built("talkback-chat"))


def hubs_in_use():
    """The page of `talkback hub`, with two over a Redis; pictures of it are left in `demo`."""
    drive({"chromium": chromium()}, "hub.cjs", "", built("talkback"))


def tab_in_use():
    """The tab, which `talkback echo` serves, and the app's page, as trunk makes it; pictures of them are left in `demo`."""
    folder = tab()
    wasm(must, "build --package talkback-app")
    html, start = (ROOT / "examples/app/index.html").read_text(), 'import start from "./talkback-app.js"; start()'
    html = html.replace('<link data-trunk rel="rust">', f'<script type="module">{start}</script>')
    (bind("debug/talkback-app.wasm", "demo/app") / "index.html").write_text(html)
    build()
    with Program(built("talkback"), "echo", "--listen", "127.0.0.1:0", "--web", folder) as echo:
        for script in ("tab.cjs", "phone.cjs"):
            use({"chromium": chromium()}, script, folder, echo.url())
