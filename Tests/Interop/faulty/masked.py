"""Masks what it sends, as only a client may."""

import os

from plain import Connection, run


class Masked(Connection):
    def send_frame(self, head, payload):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.write(bytes([head, 0x80 | len(payload)]) + mask + masked)  # no more than 125 bytes


run(Masked)
