"""aiohttp as an echo server, as the others here: aiohttp_server.py PORT

It knows the subprotocol `chat`, and prints how each connection ended. On the path /bye it closes with 4001 "bye", on
/ping it says what the pong held, and /missing is a 404.
"""

import sys

from aiohttp import WSMsgType, web


async def echo(request):
    # Pongs are seen only by who answers pings by hand.
    is_pinging = request.path == "/ping"
    socket = web.WebSocketResponse(protocols=["chat"], autoping=not is_pinging, max_msg_size=2**24)
    await socket.prepare(request)
    if request.path == "/bye":
        await socket.close(code=4001, message=b"bye")
    if is_pinging:
        await socket.ping(b"there?")
    async for message in socket:
        if message.type is WSMsgType.PONG:
            await socket.send_str(f"pong {message.data.decode()}")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    print("closed", socket.close_code, flush=True)
    return socket


async def missing(_):
    return web.Response(status=404, text="there is nothing here\n")


app = web.Application()
app.add_routes([web.get("/missing", missing), web.get("/{path:.*}", echo)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
