"""Shortens text to 16 bytes, wherever that is."""

from plain import Connection, run


class CutText(Connection):
    def on_message(self, head, payload):
        super().on_message(head, payload[:16])


run(CutText)
