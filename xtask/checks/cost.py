"""What an echoed message costs, in system calls of the server.

The server's other descriptors do not count: its threads wake each other by writing, as the scheduler likes, and
its log is written too. A call during which another thread ran has a second line, `<... call resumed>`, which does
not count either.
"""

import re
import socket
import tempfile

from run import Program, built

MESSAGES = 1_000
# Those of the handshake, and of the first wait.
EXTRA_CALLS = 8
REQUEST = (
    "GET / HTTP/1.1\r\nHost: cost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def echo(url):
    """Waits for each echo of 64 bytes before it sends the next message."""
    with socket.create_connection(("127.0.0.1", int(re.search(r":(\d+)", url)[1])), timeout=20) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.sendall(REQUEST.encode())
        answers = stream.makefile("rb")
        while answers.readline() != b"\r\n":
            pass
        payload = b"x" * 64
        for _ in range(MESSAGES):
            # Masked with a key of zeros, which leaves the payload as it is.
            stream.sendall(b"\x82\xc0\0\0\0\0" + payload)
            if answers.read(66) != b"\x82\x40" + payload:
                raise AssertionError("the echo is another message")


def count():
    calls = "--trace=accept4,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg"
    with tempfile.NamedTemporaryFile() as log:
        command = ["strace", "-f", "--seccomp-bpf", calls, "-o", log.name]
        with Program(*command, built("talkback"), "echo", "--listen", "127.0.0.1:0") as server:
            echo(server.url())
            lines = open(log.name, errors="replace").read()
    connection = re.search(r"accept4.* = (\d+)$", lines, re.MULTILINE)[1]
    number = lambda names: len(re.findall(rf"^\d+ (?:{names})\({connection},", lines, re.MULTILINE))
    receives, sends = number("read|readv|recvfrom|recvmsg"), number("write|writev|sendto|sendmsg")
    print(f"  {MESSAGES} echoes of 64 bytes: {receives} receives, {sends} sends")
    if not all(MESSAGES <= calls <= MESSAGES + EXTRA_CALLS for calls in (receives, sends)):
        raise AssertionError(f"between {MESSAGES} and {MESSAGES + EXTRA_CALLS} of each were expected")

