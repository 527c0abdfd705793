"""Has something in between that cuts frames after 16 bytes, and makes a message of each piece."""

from plain import Connection, run


class Recut(Connection):
    def send_frame(self, head, payload):
        for start in range(0, len(payload), 16):
            super().send_frame(head, payload[start:start + 16])


run(Recut)
