"""Python's websockets as a client that answers, as ws_answers.cjs: URL [CA]. It tells its subprotocol and the end."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url, ca=None):
    tls = ssl.create_default_context(cafile=ca) if ca else None
    async with connect(url, ssl=tls, subprotocols=["chat"]) as socket:
        print(f"speaks {socket.subprotocol}", flush=True)
        try:
            while True:
                await socket.send(f"got {await socket.recv()}")
        except ConnectionClosed as closed:
            print(f"closed {closed.rcvd.code}", flush=True)


asyncio.run(main(*sys.argv[1:]))
