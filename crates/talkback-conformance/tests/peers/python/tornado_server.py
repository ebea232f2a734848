"""Tornado as an echo server, as aiohttp_server.py: tornado_server.py PORT"""

import asyncio
import sys

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    # Without this it declines compression.
    get_compression_options = dict

    def select_subprotocol(self, offered):
        return "chat" if "chat" in offered else None

    def open(self):
        if self.request.path == "/bye":
            self.close(4001, "bye")
        if self.request.path == "/ping":
            self.ping(b"there?")

    async def on_message(self, message):
        await self.write_message(message, binary=isinstance(message, bytes))

    def on_pong(self, data):
        self.write_message(f"pong {data.decode()}")

    def on_close(self):
        print("closed", self.close_code, self.close_reason, flush=True)


class Missing(RequestHandler):
    def get(self):
        self.set_status(404)
        self.finish("there is nothing here\n")


async def main():
    Application([("/missing", Missing), ("/.*", Echo)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
