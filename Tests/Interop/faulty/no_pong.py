"""Answers no ping."""

from plain import Connection, run


class NoPong(Connection):
    def on_ping(self, payload):
        pass


run(NoPong)
