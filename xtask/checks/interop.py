"""Our programs against those of others, on 127.0.0.1."""

import subprocess

from run import GREETINGS, Program, built, check, counted, expect, must, scratch
from tools import HERE, WEBSOCKETS, need, node, python

# Of the certificate of the servers that `talkback connect` speaks TLS with.
OPENSSL = """distinguished_name = req\nx509_extensions = server\n[server]
basicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1, DNS:localhost\n"""


def certificate(folder):
    """Makes the files of a certificate for 127.0.0.1 and of its key."""
    cert, key, settings = (folder / name for name in ("server.pem", "server.key", "openssl.cnf"))
    settings.write_text(f"[req]\n{OPENSSL}")
    options = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=x".split()
    must(need("openssl"), *options, "-config", settings, "-out", cert, "-keyout", key)
    return cert, key


in_python = lambda script: [python(WEBSOCKETS), HERE / f"python_{script}.py"]
in_node = lambda script: ["node", "--test-reporter=tap", HERE / f"node_{script}.cjs"]


def client(language, url, pid="0", *ca):
    """Runs a client's script, which prints a line for each of its checks."""
    counted(*language("client"), url, pid, *ca, env=node(), limit=600)


def client_of_echo(peer, language, *ca):
    echo = [built("talkback"), "echo", "--listen", "127.0.0.1:0", "--subprotocol", "chat.v1", "--subprotocol", "chat.v2"]
    with Program(*echo, *(f"--tls-self-signed={file}" for file in ca)) as echo:
        client(language, echo.url(), echo.pid, *ca)
        echo.process.terminate()
        check(f"{peer}: the server exits with 0 after SIGTERM", lambda: expect(echo.process.wait(15), 0))


def client_of_axum(language):
    """The example that is answered through hyper, which has neither our subprotocols nor our pages."""
    with Program(built("examples/axum_server"), "127.0.0.1:0") as axum:
        client(language, f"{axum.url()}echo")


def server_of_connect(peer, language, *tls):
    with Program(*language("server"), *tls, env=node()) as server:
        connect = [built("talkback"), "connect", "--subprotocol", "chat", "-H", "X-Token: open sesame"]
        connect += ["--ca", tls[0]] if tls else []

        options = {"input": GREETINGS, "text": True, "capture_output": True, "timeout": 30}
        run = lambda path: subprocess.run([*connect, server.url() + path], **options)

        def close_is_reported():
            # Nobody types: the program ends because the server closes.
            with Program(*connect, f"{server.url()}bye") as closed:
                closed.process.wait(30)
                closed.says("4001", "bye")

        def is_refused():
            refused = run("missing")
            expect((refused.returncode > 0, refused.stdout, refused.stderr.count("\n")), (True, "", 1))
            expect("404" in refused.stderr, True)

        echoed = run("")
        check(f"{peer}: its lines come back", expect, (echoed.returncode, echoed.stdout), (0, GREETINGS))
        check(f"{peer}: the subprotocol is reported", expect, "chat" in echoed.stderr, True)
        seen = ("Hello!", "안녕하세요", "token open sesame")
        check(f"{peer}: the server saw the lines and the header", server.says, *seen)
        check(f"{peer}: close code and reason are reported", close_is_reported)
        check(f"{peer}: a refused handshake takes one line", is_refused)


def demo_of_python():
    with Program(*in_python("server")) as server:
        demo = [built("talkback-demo"), "--url", server.url()]
        demo = subprocess.run(demo, input=GREETINGS, text=True, capture_output=True, timeout=60)
        check("demo: python sends its lines back", expect, (demo.returncode, demo.stdout), (0, GREETINGS))
        check("demo: python has seen its lines", server.says, "received 'Hello!'", "received '안녕하세요'")


def all_languages():
    folder = scratch("interop")
    files = certificate(folder)
    for name, language in (("python", in_python), ("node", in_node)):
        client_of_echo(f"{name} client", language)
        client_of_echo(f"{name} client over TLS", language, folder / "echo.pem")
        client_of_axum(language)
        server_of_connect(f"{name} server", language)
        server_of_connect(f"{name} server over TLS", language, *files)
    demo_of_python()
