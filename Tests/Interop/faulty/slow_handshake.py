"""Thinks for a second before it answers the handshake."""

import time

from plain import Connection, run


class SlowHandshake(Connection):
    def extensions(self, headers):
        time.sleep(1)
        return {}


run(SlowHandshake)
