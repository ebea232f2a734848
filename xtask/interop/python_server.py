"""Python's websockets as the server of `talkback connect` and of the demo.

Usage: python_server.py [--cert FILE --key FILE]

With a certificate it speaks wss://.

Echoes what it receives, and prints its address and then what it sees, one line each. It knows the
subprotocol `chat`. On the path /bye it closes with 4001 "bye"; /missing is a 404.
"""

import argparse
import asyncio
import ssl

from websockets.asyncio.server import serve


def log(line):
    print(line, flush=True)


async def echo(socket):
    if socket.request.path == "/bye":
        await socket.close(4001, "bye")
        return
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


def tls(cert, key):
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cert")
    arguments.add_argument("--key")
    files = arguments.parse_args()
    context = tls(files.cert, files.key)
    scheme = "wss" if context else "ws"
    choices = {"process_request": process_request, "select_subprotocol": select_subprotocol}
    async with serve(echo, "127.0.0.1", 0, ssl=context, **choices) as server:
        port = server.sockets[0].getsockname()[1]
        log(f"listening on {scheme}://127.0.0.1:{port}/")
        await server.serve_forever()


asyncio.run(main())
