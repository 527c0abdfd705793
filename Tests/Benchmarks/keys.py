#!/usr/bin/env python3
"""How long a key takes to be seen at a terminal while messages arrive: a table of milliseconds.

    Tests/Benchmarks/keys.py [--wsline .build/release/wsline] [--keys 200]

Each key is a character of its own, and its time runs until the program has written it to the pseudo-terminal. The line is empty at first, or has so many
characters before the cursor ("end") or after it ("start"). A frame of 16 ms is what a key may take.
"""

import argparse
import base64
import fcntl
import hashlib
import os
import pty
import select
import socket
import statistics
import struct
import termios
import threading
import time


class Feed:
    """A WebSocket server that sends `rate` messages a second to the one client that connects."""

    def __init__(self, rate):
        self.rate = rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        key = next(line.split(b":")[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        start, sent = time.monotonic(), 0
        try:
            while True:
                if self.rate == 0:
                    time.sleep(1)
                    continue
                text = f'{{"number":{sent},"price":101.25,"symbol":"ABCD"}}'.encode()
                connection.sendall(struct.pack("!BB", 0x81, len(text)) + text)
                sent += 1
                time.sleep(max(0, start + sent / self.rate - time.monotonic()))
        except OSError:
            pass


class Terminal:
    def __init__(self, program, url):
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.environ.update(TERM="xterm", LANG="C.UTF-8", HOME="/nonexistent")
            os.execv(program, [program, "--no-history", url])
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def wait(self, text, tail=b""):
        """Reads until `text` has come: milliseconds."""
        start = time.perf_counter()
        while text not in tail:
            if not select.select([self.descriptor], [], [], 60)[0]:
                raise SystemExit(f"{text!r} did not come; the end of what did: {tail[-300:]!r}")
            tail = tail[-200:] + os.read(self.descriptor, 1 << 16)
        return (time.perf_counter() - start) * 1000

    def type(self, data):
        while data:
            _, writable, _ = select.select([], [self.descriptor], [], 0.01)
            if writable:
                data = data[os.write(self.descriptor, data[:1024]):]
            while select.select([self.descriptor], [], [], 0)[0]:
                os.read(self.descriptor, 1 << 16)

    def close(self):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)
        os.close(self.descriptor)


def measure(program, rate, length, at_start, keys):
    terminal = Terminal(program, Feed(rate).url)
    terminal.wait(b"Connected")
    if length:
        terminal.type(b"\x1b[200~" + b"0123456789abcde " * (length // 16) + b"\x1b[201~")
        terminal.type("þ".encode())
        terminal.wait("þ".encode())
    if at_start:
        terminal.type(b"\x01" + "ß".encode())
        terminal.wait("ß".encode())
    times = []
    for number in range(keys):
        key = chr(0x100 + number).encode()
        os.write(terminal.descriptor, key)
        times.append(terminal.wait(key))
        time.sleep(0.005)
    terminal.close()
    return sorted(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wsline", default=".build/release/wsline")
    parser.add_argument("--keys", type=int, default=200)
    arguments = parser.parse_args()
    print("messages/s  line                median     p99     max  (ms)")
    for length, at_start in [(0, False), (1000, False), (1000, True), (100_000, False), (100_000, True), (1 << 20, False), (1 << 20, True)]:
        for rate in [0, 100, 1000]:
            keys = arguments.keys if length < 1 << 20 else min(arguments.keys, 50)
            times = measure(arguments.wsline, rate, length, at_start, keys)
            name = "empty" if not length else f"{length} chars, {'start' if at_start else 'end'}"
            print(f"{rate:10}  {name:20}{statistics.median(times):6.2f}  {times[int(len(times) * 0.99) - 1]:6.2f}  {times[-1]:6.2f}", flush=True)


if __name__ == "__main__":
    main()
