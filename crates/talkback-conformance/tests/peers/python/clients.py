"""aiohttp, Tornado or websockets as the client of our echo server: clients.py NAME URL...

The server agrees on compression in another way at each URL; if there is one only, it is that of `talkback echo`, which
has no other paths. A line for each check says whether it is as it should be.
"""

import asyncio
import json
import os
import sys

import aiohttp
import websockets
from tornado.websocket import websocket_connect

CHECK_TIMEOUT = 60
SIZE_MAX = 2**24
NAME, URLS = sys.argv[1], sys.argv[2:]
URL = URLS[0]


class Aiohttp:
    """Each of these opens a connection, and `recv` returns a message, or how the connection ended."""

    async def open(self, url, subprotocols=(), deflate=True):
        # The newest session ends with the program, and those before are not needed any more.
        self.session = aiohttp.ClientSession()
        options = {"compress": 15 if deflate else 0, "max_msg_size": SIZE_MAX, "autoping": False}
        try:
            self.socket = await self.session.ws_connect(url, protocols=subprotocols, **options)
        except aiohttp.WSServerHandshakeError as error:
            await self.session.close()
            return error.status
        self.subprotocol = self.socket.protocol
        return self

    async def send(self, message):
        await (self.socket.send_str if isinstance(message, str) else self.socket.send_bytes)(message)

    async def recv(self):
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.PING:
                await self.socket.pong(message.data)
            elif message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return message.data
            else:
                await self.session.close()
                return self.socket.close_code, message.extra or ""

    async def ping(self, payload):
        await self.socket.ping(payload)
        message = await self.socket.receive()
        return message.type is aiohttp.WSMsgType.PONG and message.data

    async def close(self, code, reason):
        await self.socket.close(code=code, message=reason.encode())
        await self.session.close()


class Tornado:
    async def open(self, url, subprotocols=(), deflate=True):
        options = {"compression_options": {} if deflate else None, "max_message_size": SIZE_MAX}
        try:
            # Of an empty list it makes an empty header, which the grammar does not have.
            self.socket = await websocket_connect(url, subprotocols=list(subprotocols) or None, **options)
        except Exception as error:
            return error.code
        self.subprotocol = self.socket.selected_subprotocol
        return self

    async def send(self, message):
        await self.socket.write_message(message, binary=isinstance(message, bytes))

    async def recv(self):
        message = await self.socket.read_message()
        # It has no code of its own for a connection that was lost.
        return (self.socket.close_code or 1006, self.socket.close_reason or "") if message is None else message

    async def ping(self, payload):
        pong = asyncio.Future()
        self.socket.on_pong = pong.set_result
        self.socket.ping(payload)
        return await pong

    async def close(self, code, reason):
        self.socket.close(code, reason)
        expect(await self.recv(), (code, reason))


class Websockets:
    async def open(self, url, subprotocols=(), deflate=True):
        options = {"compression": "deflate" if deflate else None, "max_size": SIZE_MAX}
        try:
            self.socket = await websockets.connect(url, subprotocols=subprotocols or None, **options)
        except websockets.InvalidStatus as error:
            return error.response.status_code
        self.subprotocol = self.socket.subprotocol
        return self

    async def send(self, message):
        await self.socket.send(message)

    async def recv(self):
        try:
            return await self.socket.recv()
        except websockets.ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason

    async def ping(self, payload):
        # It completes for a pong with the same payload only.
        await (await self.socket.ping(payload))
        return payload

    async def close(self, code, reason):
        await self.socket.close(code, reason)
        expect((self.socket.close_code, self.socket.close_reason), (code, reason))


CLIENT = {"aiohttp": Aiohttp, "tornado": Tornado, "websockets": Websockets}[NAME]
# Its parser loses parameters without a value, so that it does not forget its context where our server asks it to.
FORGETS = NAME != "tornado"

LONG, LARGE = "가나다 abc é 👋🏽 " * 5_000, os.urandom(2**20)
# Alike, so that a context makes them shorter, and is missed where it is gone.
ALIKE = [json.dumps({"user": "이몽룡", "number": number, "tags": ["a"] * 9}) * 20 for number in range(5)]
MESSAGES = ["안녕하세요", "👋🏽 🇰🇷 👩‍👩‍👧", "", b"", b"\0\xff", LONG, LARGE, *ALIKE, *map(str.encode, ALIKE), LONG]


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.300}, wanted {wanted!r:.300}")


def opened(url, **options):
    return CLIENT().open(url, **options)


async def echoes(url, **options):
    socket = await opened(url, **options)
    for message in MESSAGES:
        await socket.send(message)
        expect(await socket.recv(), message)
    await socket.close(1000, "")


async def context_that_is_kept():
    """Our server cannot read the second message, and says so."""
    socket = await opened(URL)
    await socket.send(ALIKE[0])
    expect(await socket.recv(), ALIKE[0])
    await socket.send(ALIKE[1])
    expect((await socket.recv())[0], 1002)


async def burst():
    socket = await opened(URL, deflate=FORGETS)
    messages = [text if number % 2 else text.encode() for number, text in enumerate(map(str, range(1000)))]
    for message in messages:
        await socket.send(message)
    expect([await socket.recv() for _ in messages], messages)
    await socket.close(1000, "")


async def subprotocol(offered, chosen):
    socket = await opened(URL, subprotocols=offered)
    expect(socket.subprotocol, chosen)
    await socket.close(1000, "")


async def ping():
    socket = await opened(URL)
    expect(await socket.ping(b"\0ping\xff"), b"\0ping\xff")
    await socket.close(1000, "")


async def first_message(path, wanted):
    socket = await opened(URL + path)
    expect(await socket.recv(), wanted)


async def deflate(deflates):
    """At which of the URLs messages are compressed."""
    for url, wanted in zip(URLS, deflates):
        socket = await opened(f"{url}deflate")
        expect(await socket.recv(), wanted)
        await socket.close(1000, "")


async def close():
    socket = await opened(f"{URL}told")
    await socket.close(4002, "done")


async def refused():
    expect(await opened(f"{URL}missing"), 404)


CHECKS = {
    "messages, neither end keeps a context": lambda: echoes(URL, deflate=FORGETS),
    "messages, both ends keep theirs": lambda: echoes(URLS[1]),
    "messages, with small windows": lambda: echoes(URLS[2]),
    "messages, compression declined": lambda: echoes(URLS[3]),
    "messages, compression not offered": lambda: echoes(URL, deflate=False),
    "messages in fragments": lambda: echoes(f"{URLS[1]}fragments"),
    "a burst": burst,
    "subprotocol: none": lambda: subprotocol((), None),
    "subprotocol: the one both know": lambda: subprotocol(("other", "chat"), "chat"),
    "what is compressed": lambda: deflate(["true", "true", "true", "false"]),
    "ping": ping,
    "ping of the server's": lambda: first_message("ping", "answered"),
    "close": close,
    "close of the server's": lambda: first_message("bye", (4001, "bye")),
    "no close frame": lambda: first_message("cut", (1006, "")),
    "refused": refused,
} | ({} if FORGETS else {"a context that is kept": context_that_is_kept})


# `talkback echo` leaves clients their context.
OF_TALKBACK_ECHO = {"messages, compressed": lambda: echoes(URL)}


async def main():
    for name, check in (CHECKS if URLS[1:] else OF_TALKBACK_ECHO).items():
        try:
            await asyncio.wait_for(check(), CHECK_TIMEOUT)
            print(f"ok {name}", flush=True)
        except Exception as error:
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)
    if URLS[1:]:
        # It goes without a close frame.
        gone = await opened(f"{URL}told")
        os._exit(0 if gone.subprotocol is None else 1)


asyncio.run(main())
