"""What an echoed message costs, in system calls of the server.

Its other descriptors do not count: its threads wake each other by writing, as the scheduler likes, and its log is
written too. Nor does the second line, `<... call resumed>`, of a call during which another thread ran.
"""

import re
import tempfile

from run import Program, built, must
from tools import WEBSOCKETS, python

# Waits for each echo before it sends the next message.
CLIENT = """
import sys, websockets.sync.client
with websockets.sync.client.connect(sys.argv[1], compression=None) as socket:
    for _ in range(1_000):
        socket.send(b"x" * 64)
        assert socket.recv() == b"x" * 64
"""
# Those of the handshakes, and of the first wait.
EXTRA_CALLS = 8


def calls_on_connection(log):
    r"""How often strace's log has receives and sends on the connection that was accepted.

    >>> calls_on_connection("1 <... accept4 resumed>{}) = 9\n2 write(5, 8) = 8\n 1 read(9, 70) = 70\n1 writev(9, [] <unfi")
    (1, 1)
    """
    connection = re.search(r"accept4.* = (\d+)$", log, re.MULTILINE)[1]
    number = lambda names: len(re.findall(rf"^ *\d+ +(?:{names})\({connection},", log, re.MULTILINE))
    return number("read|readv|recvfrom|recvmsg"), number("write|writev|sendto|sendmsg")


def count():
    calls = "--trace=accept4,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg"
    with tempfile.NamedTemporaryFile() as log:
        strace = ["strace", "-f", "--seccomp-bpf", calls, "-o", log.name]
        with Program(*strace, built("talkback"), "echo", "--listen", "127.0.0.1:0") as server:
            must(python(WEBSOCKETS), "-c", CLIENT, server.url())
            lines = open(log.name, errors="replace").read()
    receives, sends = calls_on_connection(lines)
    print(f"  1,000 echoes of 64 bytes: {receives} receives, {sends} sends", flush=True)
    if not all(1_000 <= calls <= 1_000 + EXTRA_CALLS for calls in (receives, sends)):
        raise AssertionError(f"between 1,000 and {1_000 + EXTRA_CALLS} of each were expected")
