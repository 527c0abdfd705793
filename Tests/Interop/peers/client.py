"""A line client of Python's `websockets`: client.py [--count N] [--subprotocol NAME] [--ca FILE] [--auth U:P] [--deflate] URL

Lines of stdin become messages, messages lines of stdout; after N of them it closes with 1000. At the end "closed CODE
REASON" or "refused STATUS" goes to stderr. peers/client.js is its twin.
"""

import argparse
import asyncio
import base64
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--deflate", action="store_true")
    for option in ("--subprotocol", "--ca", "--auth"):
        parser.add_argument(option)
    parser.add_argument("url")
    wants = parser.parse_args()
    context = ssl.create_default_context(cafile=wants.ca) if wants.url.startswith("wss:") else None
    credentials = {"Authorization": "Basic " + base64.b64encode(wants.auth.encode()).decode()} if wants.auth else {}
    try:
        async with connect(wants.url, max_size=None, ping_interval=None, proxy=None, ssl=context,
                           subprotocols=[wants.subprotocol] if wants.subprotocol else None, additional_headers=credentials,
                           compression="deflate" if wants.deflate else None) as ws:
            if wants.subprotocol:
                print(f"subprotocol {ws.subprotocol}", file=sys.stderr)
            if wants.deflate:
                print(f"extensions {ws.response.headers.get('Sec-WebSocket-Extensions', 'none')}", file=sys.stderr)
            sender = asyncio.create_task(send_lines(ws))
            try:
                await print_messages(ws, wants.count)
            except ConnectionClosed:
                pass  # ws knows the code
            sender.cancel()
            print(f"closed {ws.close_code} {ws.close_reason}", file=sys.stderr)
    except InvalidStatus as refusal:
        print(f"refused {refusal.response.status_code}", file=sys.stderr)


async def print_messages(ws, count):
    received = 0
    async for message in ws:
        data = message.encode() if isinstance(message, str) else message
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
        received += 1
        if received == count:
            await ws.close()


async def send_lines(ws):
    try:
        for line in sys.stdin.buffer.read().splitlines():
            await ws.send(line.decode())
    except ConnectionClosed:
        pass  # the loop that receives tells why


asyncio.run(main())
