"""An echo server of ASGI, as aiohttp_server.py: asgi_server.py PORT hypercorn, or an engine of uvicorn's

ASGI has no pings of the program's own. The servers ping by themselves, and often; uvicorn gives up who does not answer.
"""

import asyncio
import sys

import hypercorn.asyncio
import uvicorn

PORT, ENGINE = int(sys.argv[1]), sys.argv[2]
PING_INTERVAL, PING_TIMEOUT = 0.1, 5


async def app(scope, receive, send):
    assert scope["type"] == "websocket", "there is nothing to be started"
    await receive()
    if scope["path"] == "/missing":
        await send({"type": "websocket.http.response.start", "status": 404, "headers": [(b"content-length", b"22")]})
        return await send({"type": "websocket.http.response.body", "body": b"there is nothing here\n"})
    chosen = "chat" if "chat" in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    if scope["path"] == "/bye":
        await send({"type": "websocket.close", "code": 4001, "reason": "bye"})
    while (event := await receive())["type"] == "websocket.receive":
        kind = "text" if event.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: event[kind]})
    print("closed", event["code"], event.get("reason"), flush=True)


if ENGINE == "hypercorn":
    config = hypercorn.Config()
    config.bind, config.websocket_ping_interval = [f"127.0.0.1:{PORT}"], PING_INTERVAL
    asyncio.run(hypercorn.asyncio.serve(app, config))
else:
    pings = {"ws_ping_interval": PING_INTERVAL, "ws_ping_timeout": PING_TIMEOUT}
    uvicorn.run(app, port=PORT, ws=ENGINE, lifespan="off", log_level="warning", **pings)
