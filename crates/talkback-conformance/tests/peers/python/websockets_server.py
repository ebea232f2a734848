"""Python's websockets as an echo server, as aiohttp_server.py: websockets_server.py PLACE [CERT KEY [CA]]

A place is a port, of which 0 takes a free one, or the path of a Unix socket. With a certificate it speaks wss://, with
a CA to clients alone that show a certificate of that one. It prints its address and what it sees, one line each. On
/fragments it answers in fragments.
"""

import asyncio
import contextlib
import functools
import ssl
import sys

from websockets.asyncio.server import serve, unix_serve
from websockets.exceptions import ConnectionClosed

log = functools.partial(print, flush=True)


async def echo(socket):
    if socket.request.path == "/bye":
        await socket.close(4001, "bye")
    if socket.request.path == "/ping":
        # It completes only for a pong with the same payload.
        await (await socket.ping(b"there?"))
        await socket.send("pong there?")
    # Any close code but 1000 and 1001 is an error to it.
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            log(f"received {message!r}" if len(message) < 100 else "received")
            in_fragments = socket.request.path == "/fragments"
            await socket.send([message[:1], message[1:1], message[1:]] if in_fragments else message)
    log(f"closed {socket.close_code} {socket.close_reason}")


def process_request(connection, request):
    log("asked", *(request.headers.get(name) for name in ("Host", "Origin", "Cookie", "User-Agent")))
    log(f"token {request.headers.get('X-Token')}")
    if request.path == "/missing":
        return connection.respond(404, "there is nothing here\n")


def select_subprotocol(connection, offered):
    # Left to itself, websockets refuses a client that offers none.
    return "chat" if "chat" in offered else None


async def main(place, cert=None, key=None, ca=None):
    if tls := cert and ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER):
        tls.load_cert_chain(cert, key)
    if ca:
        tls.load_verify_locations(ca)
        tls.verify_mode = ssl.CERT_REQUIRED
    options = {"process_request": process_request, "select_subprotocol": select_subprotocol}
    options |= {"ssl": tls, "max_size": 2**24}
    is_path = "/" in place
    serving = unix_serve(echo, place, **options) if is_path else serve(echo, "127.0.0.1", int(place), **options)
    async with serving as server:
        address = place if is_path else f"127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        log(f"listening on {'wss' if tls else 'ws'}://{address}")
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
