"""A WebSocket server of Python's `websockets` for the tests: server.py [--deflate none|default|PARAMETERS] [--unix PATH]

It prints its port and ends when its standard input does. The path of a URL says what it does; peers/server.js is its
twin. PARAMETERS are RFC 7692's, "server_no_context_takeover; client_max_window_bits=10", imposed on every client.
"""

import argparse
import asyncio
import base64
import http
import json
import logging
import os
import sys
import urllib.parse

os.environ["WEBSOCKETS_MAX_FRAGMENTS"] = "1000000"
from websockets.asyncio.server import serve, unix_serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

CREDENTIALS = "Basic " + base64.b64encode(b"user:secret").decode()


async def echo(ws, query):
    async for message in ws:
        await ws.send(message)


async def close(ws, query):
    """Closes at once: ?code=N&reason=TEXT."""
    await ws.close(int(query.get("code", 1000)), query.get("reason", ""))


async def drop(ws, query):
    """Ends the TCP connection with no Close."""
    await ws.send("last words")
    ws.transport.abort()


async def subprotocol(ws, query):
    await ws.send(ws.subprotocol or "none")
    await ws.close()


async def negotiated(ws, query):
    await ws.send(ws.response.headers.get("Sec-WebSocket-Extensions", "none"))
    await ws.close()


async def headers(ws, query):
    await ws.send(json.dumps([[name.lower(), value] for name, value in ws.request.headers.raw_items()]))
    await ws.close()


async def firehose(ws, query):
    """?count=N&size=S messages as fast as they go; ?binary=1."""
    text = "0123456789abcdef" * (int(query.get("size", 16)) // 16)
    for _ in range(int(query["count"])):
        await ws.send(text.encode() if query.get("binary") else text)


async def slow(ws, query):
    """?count=N messages, ?ms=M apart."""
    for number in range(int(query["count"])):
        await ws.send(f"slow {number}")
        await asyncio.sleep(int(query["ms"]) / 1000)


async def ping(ws, query):
    """?count=N pings; a message for each pong."""
    for number in range(int(query["count"])):
        await (await ws.ping(f"ping {number}"))
        await ws.send(f"pong {number}")


async def fragments(ws, query):
    async def parts():
        for word in ("one ", "message ", "in ", "five ", "fragments"):
            yield word
    await ws.send(parts())


async def data(ws, query):
    """The binary message that ?hex= spells."""
    await ws.send(bytes.fromhex(query["hex"]))


HANDLERS = {f"/{handler.__name__}": handler
            for handler in (echo, close, drop, subprotocol, negotiated, headers, firehose, slow, ping, fragments, data)}


async def handle(ws):
    url = urllib.parse.urlsplit(ws.request.path)
    await HANDLERS[url.path.removeprefix("/private")](ws, dict(urllib.parse.parse_qsl(url.query)))


def refuse(ws, request):
    path = urllib.parse.urlsplit(request.path).path
    if path.startswith("/private") and request.headers.get("Authorization") != CREDENTIALS:
        refusal = ws.respond(http.HTTPStatus.UNAUTHORIZED, "members only\n")
        refusal.headers["WWW-Authenticate"] = 'Basic realm="tests"'
        return refusal
    if path.removeprefix("/private") not in HANDLERS:
        return ws.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    return None


def choose(ws, offered):
    return next((name for name in ("chat.v2", "chat.v1") if name in offered), None)


def deflate(text):
    if text == "none":
        return []
    options = {}
    for parameter in filter(None, text.removeprefix("default").split(";")):
        name, _, value = parameter.strip().partition("=")
        options[name] = int(value) if value else True
    return [ServerPerMessageDeflateFactory(**options)]


async def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # clients that vanish are part of the tests
    parser = argparse.ArgumentParser()
    parser.add_argument("--deflate", default="none")
    parser.add_argument("--unix")
    arguments = parser.parse_args()
    settings = dict(max_size=None, ping_interval=None, compression=None, extensions=deflate(arguments.deflate),
                    subprotocols=["chat.v2", "chat.v1"], select_subprotocol=choose, process_request=refuse)
    serving = unix_serve(handle, arguments.unix, **settings) if arguments.unix else serve(handle, "127.0.0.1", 0, **settings)
    async with serving as server:
        print(0 if arguments.unix else server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)  # the connections of a test that failed are not worth waiting for


asyncio.run(main())
