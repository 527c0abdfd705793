"""permessage-deflate (RFC 7692): each set of parameters, offered or imposed, carries lines of JSON both ways.

Each peer carries 100,000 lines once and 5,000 with every other set; with INTEROP_FULL=1 it is 100,000 with every set.
"""

import functools
import os
import re

from harness import InteropTestCase, certificate, json_lines, nginx, peer, run

MANY = 100_000
FEW = MANY if os.environ.get("INTEROP_FULL") == "1" else 5_000
OFFERED = {
    "nothing_but_the_extension": "",
    "no_context_takeover_by_the_client": "client_no_context_takeover",
    "no_context_takeover_by_the_server": "server_no_context_takeover",
    "a_small_window_of_the_client": "client_max_window_bits=9",
    "a_small_window_of_the_server": "server_max_window_bits=9",
    "the_smallest_messages_compressed_too": "threshold=0,level=9",
    "everything_at_once": "client_no_context_takeover; server_no_context_takeover; client_max_window_bits=10; server_max_window_bits=10",
}
TOTALS = r"received (\d+) messages of (\d+) bytes \((\d+) on the wire\), sent (\d+) messages of (\d+) bytes \((\d+)\)"
IMPOSED = {
    "no_context_takeover": "server_no_context_takeover; client_no_context_takeover",
    "small_windows": "server_max_window_bits=9; client_max_window_bits=9",
}


@functools.cache
def lines(count):
    return json_lines(count)


def parameters_of(text):
    """The parameters of the extension in a header or in what --deflate takes, where level and threshold are wsline's own."""
    names = (part.strip() for part in re.split("[;,]", text))
    return {name for name in names if name and name.split("=")[0] not in ("permessage-deflate", "level", "threshold")}


class Deflate:
    kind = ""
    way = "straight"

    def wsline(self, path, *arguments, imposed="default", input=b""):
        port = peer(self.kind, imposed)
        if self.way == "straight":
            return run(*arguments, f"ws://127.0.0.1:{port}{path}", input=input)
        return run("--ca", certificate()[0], *arguments, f"wss://localhost:{nginx()}/{port}{path}", input=input)

    def carry(self, count, offered="", imposed="default"):
        """So many lines come back, with just these parameters agreed upon and fewer bytes on the wire, both ways."""
        arguments = ["--deflate", offered] if offered else []
        agreed = self.wsline("/negotiated", "-w", "-1", *arguments, imposed=imposed)
        self.assertEqual(agreed.stdout.decode().split(";")[0].strip(), "permessage-deflate", agreed)
        self.assertEqual(parameters_of(agreed.stdout.decode()), parameters_of(offered) | parameters_of(imposed.replace("default", "")))
        result = self.wsline("/echo", "-v", "--count", count, *arguments, imposed=imposed, input=lines(count))
        self.check(result, lines(count), stderr=TOTALS)
        received, received_size, received_wire, sent, sent_size, sent_wire = map(int, re.search(TOTALS, result.stderr).groups())
        self.assertEqual((received, sent, received_size, sent_size), (count, count, *[len(lines(count)) - count] * 2))
        self.assertLess(received_wire, received_size * 0.9)
        self.assertLess(sent_wire, sent_size * 0.9)

    def test_no_deflate_offers_nothing(self):
        self.check(self.wsline("/negotiated", "-w", "-1", "--no-deflate"), b"none\n")

    def test_a_compressed_line_of_8_mib_comes_back_whole(self):
        line = json_lines(200_000).replace(b"\n", b" ")[:8 << 20] + b"\n"
        self.check(self.wsline("/echo", "-1", input=line), line)


def add_matrix():
    for name, parameters in OFFERED.items():
        count = FEW if parameters else MANY
        setattr(Deflate, f"test_json_comes_back_when_wsline_offers_{name}", lambda self, c=count, p=parameters: self.carry(c, offered=p))
    for name, parameters in IMPOSED.items():
        setattr(Deflate, f"test_json_comes_back_when_the_server_imposes_{name}", lambda self, p=parameters: self.carry(FEW, imposed=p))


add_matrix()


class PythonDeflate(Deflate, InteropTestCase):
    kind = "python"


class NodeDeflate(Deflate, InteropTestCase):
    kind = "node"


class NodeBehindNginxDeflate(Deflate, InteropTestCase):
    kind = "node"
    way = "proxied"


class PythonBehindNginxDeflate(Deflate, InteropTestCase):
    kind = "python"
    way = "proxied"
