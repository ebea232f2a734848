"""Python's websockets as the client of our programs, as ws_client.cjs: URL PID [CA]; PID 0 is no `talkback echo`."""

import asyncio
import functools
import os
import signal
import ssl
import sys

from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

CHECK_TIMEOUT = 30
URL, PID = sys.argv[1], int(sys.argv[2])
TLS = ssl.create_default_context(cafile=sys.argv[3]) if sys.argv[3:] else None
connect = functools.partial(client.connect, URL, ssl=TLS)


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.300}, wanted {wanted!r:.300}")


async def echoes(message, compression="deflate", sent=None):
    """Sends a message, in the fragments `sent` if given, and expects it back unchanged."""
    async with connect(compression=compression, max_size=2**24) as socket:
        await socket.send(message if sent is None else sent)
        expect(await socket.recv(), message)


async def messages_of_both_kinds_keep_their_order():
    messages = ["0", b"0", "", b"", "안녕하세요", bytes(range(256))] * 50
    async with connect() as socket:
        for message in messages:
            await socket.send(message)
        expect([await socket.recv() for _ in messages], messages)


async def fragmented_text_with_a_ping_between():
    async def fragments(socket):
        yield "Hello, "
        await (await socket.ping())
        yield "세계"

    async with connect() as socket:
        await socket.send(fragments(socket))
        expect(await socket.recv(), "Hello, 세계")


async def ping_is_answered_with_its_payload():
    async with connect() as socket:
        # websockets completes this only for a pong with the same payload.
        expect(await (await socket.ping(b"\x00ping\xff")) > 0, True)


async def subprotocol(offered, chosen):
    async with connect(subprotocols=offered) as socket:
        expect(socket.subprotocol, chosen)


async def close_is_echoed(code, reason):
    async with connect() as socket:
        await socket.close(code, reason)
        expect(socket.protocol.close_rcvd, Close(code, reason))
        expect(socket.protocol.close_rcvd_then_sent, False)


async def sigterm_closes_with_1012():
    async with connect() as socket:
        await socket.send("still there?")
        expect(await socket.recv(), "still there?")
        os.kill(PID, signal.SIGTERM)
        try:
            raise AssertionError(f"{await socket.recv()!r} came")
        except ConnectionClosed as closed:
            expect(closed.rcvd and closed.rcvd.code, 1012)


LARGE, LONG = os.urandom(2**20), "가나다 abc " * 10_000
CHECKS = {
    "text: Korean": lambda: echoes("안녕하세요"),
    "text: emoji": lambda: echoes("👋🏽 🇰🇷 👩‍👩‍👧"),
    "text: empty": lambda: echoes(""),
    "text: 120 kB": lambda: echoes(LONG),
    "binary: empty": lambda: echoes(b""),
    "binary: 1 MB": lambda: echoes(LARGE),
    "uncompressed text: Korean": lambda: echoes("안녕하세요", None),
    "uncompressed text: 120 kB": lambda: echoes(LONG, None),
    "uncompressed binary: 1 MB": lambda: echoes(LARGE, None),
    "fragments: text": lambda: echoes("안녕, world", sent=["안", "", "녕, ", "world"]),
    "fragments: binary": lambda: echoes(LARGE, sent=[LARGE[:1], LARGE[1:70_000], LARGE[70_000:]]),
    "fragments: a ping between": fragmented_text_with_a_ping_between,
    "messages of both kinds keep their order": messages_of_both_kinds_keep_their_order,
    "ping is answered with its payload": ping_is_answered_with_its_payload,
    "subprotocol: none": lambda: subprotocol(None, None),
    "close: without a reason": lambda: close_is_echoed(1000, ""),
    "close: 1000": lambda: close_is_echoed(1000, "done"),
    "close: 3000": lambda: close_is_echoed(3000, "끝났어요"),
    "close: 4999": lambda: close_is_echoed(4999, "r" * 123),
}
OF_TALKBACK_ECHO = {
    "subprotocol: the one both know": lambda: subprotocol(["chat.v9", "chat.v2"], "chat.v2"),
    "SIGTERM closes with 1012": sigterm_closes_with_1012,
}


async def main():
    for name, check in (CHECKS | (OF_TALKBACK_ECHO if PID else {})).items():
        try:
            await asyncio.wait_for(check(), CHECK_TIMEOUT)
            print(f"ok {name}", flush=True)
        except Exception as error:
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)


asyncio.run(main())
