"""Reads a Close and does nothing about it."""

import time

from plain import Connection, run


class NoClose(Connection):
    def on_close(self, payload):
        time.sleep(3600)


run(NoClose)
