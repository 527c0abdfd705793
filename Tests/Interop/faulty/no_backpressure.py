"""Reads on whether or not its answers are taken, and keeps them in memory."""

import contextlib
import queue
import threading

from plain import Connection, run


class NoBackpressure(Connection):
    def __init__(self, connection):
        super().__init__(connection)
        self.waiting = queue.SimpleQueue()  # with no limit
        self.writer = threading.Thread(target=self.write_all, daemon=True)
        self.writer.start()

    def write(self, data):
        self.waiting.put(data)

    def write_all(self):
        with contextlib.suppress(OSError):
            for data in iter(self.waiting.get, None):
                super().write(data)

    def on_close(self, payload):
        super().on_close(payload)
        self.waiting.put(None)
        self.writer.join()


run(NoBackpressure)
