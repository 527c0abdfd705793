"""Answers the handshake's key without the GUID that belongs behind it."""

import base64
import hashlib

from plain import Connection, run


class WrongAccept(Connection):
    def accept(self, key):
        return base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()


run(WrongAccept)
