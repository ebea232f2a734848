"""Python's websockets as the server of `talkback connect` and of the demo, as node_server.cjs: [CERT KEY]"""

import asyncio
import functools
import ssl
import sys

from websockets.asyncio.server import serve

log = functools.partial(print, flush=True)


async def echo(socket):
    if socket.request.path == "/bye":
        return await socket.close(4001, "bye")
    async for message in socket:
        log(f"received {message!r}")
        await socket.send(message)
    log(f"closed {socket.close_code}")


def process_request(connection, request):
    log(f"token {request.headers.get('X-Token')}")
    if request.path == "/missing":
        return connection.respond(404, "there is nothing here\n")


def select_subprotocol(connection, offered):
    # Left to itself, websockets refuses a client that offers none.
    return "chat" if "chat" in offered else None


async def main(cert=None, key=None):
    if tls := cert and ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER):
        tls.load_cert_chain(cert, key)
    choices = {"process_request": process_request, "select_subprotocol": select_subprotocol}
    async with serve(echo, "127.0.0.1", 0, ssl=tls, **choices) as server:
        port = server.sockets[0].getsockname()[1]
        log(f"listening on {'wss' if tls else 'ws'}://127.0.0.1:{port}/")
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
