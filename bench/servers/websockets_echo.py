"""Python's `websockets` on asyncio, as its documentation has an echo server."""

import asyncio
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    compression = "deflate" if "--deflate" in sys.argv else None
    options = {"compression": compression, "ping_interval": None, "max_size": 64 << 20, "backlog": 4096}
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


asyncio.run(main())
