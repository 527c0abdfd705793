"""A JSON-RPC 2.0 server of Python's `json-rpc` over WebSocket, for the tests. It prints its port and ends when its standard input does."""

import asyncio
import logging
import os
import sys

from jsonrpc import JSONRPCResponseManager, dispatcher
from websockets.asyncio.server import serve


@dispatcher.add_method
def subtract(minuend, subtrahend):
    return minuend - subtrahend


@dispatcher.add_method
def join(*parts):
    return list(parts)


async def handle(ws):
    async for message in ws:
        response = JSONRPCResponseManager.handle(message, dispatcher)
        if response is not None:
            await ws.send(response.json)


async def main():
    logging.disable()  # what the tests ask for wrongly is no news
    async with serve(handle, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)


asyncio.run(main())
