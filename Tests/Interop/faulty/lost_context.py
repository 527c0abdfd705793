"""Compresses, and forgets after each message what the client's next one refers to."""

import zlib

from plain import CLOSE, FIN, RSV1, Connection, run


class LostContext(Connection):
    def extensions(self, headers):
        self.agreed = "permessage-deflate" in headers.get("sec-websocket-extensions", "")
        # RFC 7692, section 7.1.1.2: only with client_no_context_takeover may each message be inflated by itself.
        resets = "; client_no_context_takeover" if "client_no_context_takeover" in headers.get("sec-websocket-extensions", "") else ""
        return {"Sec-WebSocket-Extensions": "permessage-deflate" + resets} if self.agreed else {}

    def on_message(self, head, payload):
        if head & RSV1:
            try:
                payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
            except zlib.error as error:
                self.send_frame(FIN | CLOSE, (1011).to_bytes(2, "big") + str(error).encode())
                raise ConnectionError from error
        super().on_message(head & ~RSV1, payload)


run(LostContext)
