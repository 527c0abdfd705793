"""A WebSocket echo server that does as RFC 6455 says; each server beside it changes one thing: plain.py [PORT]

It prints its port, a free one unless PORT is given, and ends when its standard input does.
"""

import base64
import hashlib
import socket
import struct
import sys
import threading

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40


class Connection:
    def __init__(self, connection):
        self.socket, self.stream = connection, connection.makefile("rb")

    def serve(self):
        self.open()
        first, message = None, b""
        while True:
            head, payload = self.read_frame()
            match head & 15:
                case op if op == CLOSE:
                    return self.on_close(payload)
                case op if op == PING:
                    self.on_ping(payload)
                case op if op == PONG:
                    pass
                case op:
                    first, message = head if op else first, message + payload
                    if head & FIN:
                        self.on_message(first, message)
                        message = b""

    def open(self):
        """The opening handshake (RFC 6455, section 4.2.2)."""
        lines = iter(lambda: self.stream.readline().decode().strip() or None, None)
        next(lines)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": self.accept(headers["sec-websocket-key"]),
                  **self.extensions(headers)}
        fields = "".join(f"{name}: {value}\r\n" for name, value in answer.items())
        self.socket.sendall(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n".encode())

    def accept(self, key):
        return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()

    def extensions(self, headers):
        return {}

    def read_frame(self):
        """The first byte of a frame and its payload (section 5.2)."""
        head, length = self.read(2)
        length &= 0x7F
        if length > 125:
            length, = struct.unpack("!H" if length == 126 else "!Q", self.read(2 if length == 126 else 8))
        mask = self.read(4)
        payload = self.read(length)
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        return head, (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")

    def read(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise ConnectionError
        return data

    def send_frame(self, head, payload):
        length = len(payload)
        size = bytes([length]) if length < 126 else struct.pack("!BH" if length < 65536 else "!BQ", 126 if length < 65536 else 127, length)
        self.write(bytes([head]) + size + payload)

    def write(self, data):
        self.socket.sendall(data)

    def on_message(self, head, payload):
        self.send_frame(head | FIN, payload)

    def on_ping(self, payload):
        self.send_frame(FIN | PONG, payload)

    def on_close(self, payload):
        self.send_frame(FIN | CLOSE, payload)


def run(kind):
    """Serves each client on a thread of its own, with a connection of that kind."""
    def serve(connection):
        with connection:
            try:
                kind(connection).serve()
            except OSError:
                pass  # the client is gone

    def listen():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    listener = socket.create_server(("127.0.0.1", int(*sys.argv[1:2])))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=listen, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    run(Connection)
