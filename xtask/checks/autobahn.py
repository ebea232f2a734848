"""Our server and our client under the Autobahn test suite.

A run is `server:ws`, `client:wss` or `channel:ws`, the client's other handle, with cases behind another colon if not
all are to be tried: `server:ws:1.*,9.1.6`.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile

from run import ROOT, Program, cargo, failed, must, passed, scratch, until
from tools import need, suite

IMAGE, CASES = "crossbario/autobahn-testsuite", 517
# In these the RFC leaves the choice to the implementation: they are not judged.
INFORMATIONAL = ["7.1.6", "7.13.1", "7.13.2"]
# All cases in lists that take about as long: a process of the suite uses one core only.
PARTS = ["1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,12.1.*,12.2.*,12.3.*,12.5.*", "12.4.*,13.*"]
# Of the certificate of the server that our client speaks TLS with.
OPENSSL = """distinguished_name = req\nx509_extensions = server\n[server]
basicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1, DNS:localhost\n"""


def certificate(folder):
    """Makes the files of a certificate for 127.0.0.1 and of its key."""
    cert, key, settings = (folder / name for name in ("server.pem", "server.key", "openssl.cnf"))
    settings.write_text(f"[req]\n{OPENSSL}")
    options = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=x".split()
    must(need("openssl"), *options, "-config", settings, "-out", cert, "-keyout", key)
    return cert, key


def inside(path):
    """What the suite calls a file of ours."""
    return str(path).removeprefix(suite())


def wstest(folder, mode, **peer):
    """The command of the suite; nothing is excluded."""
    spec = {"outdir": inside(folder / "reports"), "exclude-cases": [], "exclude-agent-cases": {}, **peer}
    (folder / "spec.json").write_text(json.dumps(spec))
    command = ["wstest", "--mode", mode, "--webport", "0", "--spec", inside(folder / "spec.json")]
    container = ["run", "--rm", "--init", "--network=host", f"--volume={folder}:{folder}", IMAGE]
    return ["chroot", suite(), *command] if suite() else [need("docker"), *container, *command]


def try_server(folder, cases, scheme):
    tls = ["--tls-self-signed"] if scheme == "wss" else []
    with Program(scratch("release") / "talkback", "echo", "--listen", "127.0.0.1:0", *tls) as echo:
        servers = [{"agent": "talkback", "url": echo.url()}]
        must(*wstest(folder, "fuzzingclient", cases=cases, servers=servers))


def try_client(folder, cases, scheme, *options):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    peer = {"url": f"{scheme}://127.0.0.1:{port}"}
    if scheme == "wss":
        cert, key = certificate(folder)
        peer |= {"cert": inside(cert), "key": inside(key)}
        options = [*options, "--ca", cert]
    with Program(*wstest(folder, "fuzzingserver", cases=cases, **peer)) as server:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 60, server.output)
        must(scratch("release") / "examples/autobahn_client", peer["url"], *options)


def try_part(run, number, cases):
    """Has one process of the suite try these cases; returns how each ended, and what is wrong with it."""
    role, scheme = run.split(":")[:2]
    with tempfile.TemporaryDirectory(dir=f"{suite()}/tmp") as name:
        folder, handle = pathlib.Path(name), ["--channel"] if role == "channel" else []
        try_one = try_server if role == "server" else try_client
        try_one(folder, cases.split(","), scheme, *handle)
        (ended,) = json.loads((folder / "reports/index.json").read_text()).values()
        shutil.copytree(folder / "reports", scratch("autobahn") / f"{role}-{scheme}-{number}", dirs_exist_ok=True)
        return {case: (entry["behavior"], story(case, entry, folder)) for case, entry in ended.items()}


def story(case, entry, folder):
    """What a case's own report says, in one line without tags, if it is not as it has to be.

    >>> story("7.1.6", {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"}, ROOT)
    >>> story("1.1.1", {"behavior": "OK", "behaviorClose": "NON-STRICT", "reportfile": "no.json"}, ROOT)
    Traceback (most recent call last):
    FileNotFoundError: ...
    """
    behaviors, wanted = (entry["behavior"], entry["behaviorClose"]), "INFORMATIONAL" if case in INFORMATIONAL else "OK"
    if behaviors == (wanted, wanted):
        return None
    report = json.loads((folder / "reports" / entry["reportfile"]).read_text())
    fields = " ".join(f"{name}: {report[name]}" for name in ("description", "expectation", "result", "resultClose"))
    return f"{behaviors} " + " ".join(re.sub(r"</?[a-z][^>]*>", " ", fields).split())


def try_all(*runs):
    """Has the suite try each run, as many of their parts at a time as there are cores; its own pages are left in the
    folder `autobahn`."""
    suite()
    # As people get it. One command for both would compile both with the features of the client's tests, and the
    # server is what the step `cost` has built.
    for what in ("talkback-cli --bin talkback", "talkback --example autobahn_client"):
        must(*cargo(f"build --release --package {what}"))
    shutil.rmtree(scratch("autobahn"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        begin = lambda run: [pool.submit(try_part, run, *part) for part in enumerate(run.split(":")[2:] or PARTS)]
        for run, parts in [(run, begin(run)) for run in runs]:
            tell(run, parts)


def tell(run, parts):
    outcomes = {case: outcome for part in parts for case, outcome in part.result().items()}
    for case, (_, wrong) in outcomes.items():
        failed(f"{run} {case}: {wrong}") if wrong else passed()
    counts = collections.Counter(behavior for behavior, _ in outcomes.values())
    print(f"  {run}: {', '.join(f'{count} {behavior}' for behavior, count in counts.items())}", flush=True)
    if run.count(":") == 1 and len(outcomes) != CASES:
        raise AssertionError(f"{len(outcomes)} cases have run, not {CASES}")


def autobahn():
    """all 517 cases of the Autobahn test suite: server over ws, client over wss"""
    try_all("server:ws", "client:wss")


def autobahn_all(*runs):
    """20 min  [server|client|channel:ws|wss[:CASES]]… every end of ours over ws and wss"""
    try_all(*(runs or (f"{end}:{scheme}" for end in ("server", "client", "channel") for scheme in ("ws", "wss"))))
