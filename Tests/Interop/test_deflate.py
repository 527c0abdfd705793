"""permessage-deflate (RFC 7692): each set of parameters, offered or imposed, carries 100,000 lines of JSON both ways."""

import functools

from harness import InteropTestCase, certificate, json_lines, nginx, peer, run

LINES = 100_000
OFFERED = {
    "nothing_but_the_extension": None,
    "no_context_takeover_by_the_client": "client_no_context_takeover",
    "no_context_takeover_by_the_server": "server_no_context_takeover",
    "a_small_window_of_the_client": "client_max_window_bits=9",
    "a_small_window_of_the_server": "server_max_window_bits=9",
    "everything_at_once": "client_no_context_takeover; server_no_context_takeover; client_max_window_bits=10; server_max_window_bits=10",
}
IMPOSED = {
    "no_context_takeover": "server_no_context_takeover; client_no_context_takeover",
    "small_windows": "server_max_window_bits=9; client_max_window_bits=9",
}


@functools.cache
def lines():
    return json_lines(LINES)


class Deflate:
    kind = ""
    way = "straight"

    def wsline(self, path, *arguments, imposed="default", input=b""):
        port = peer(self.kind, imposed)
        if self.way == "straight":
            return run(*arguments, f"ws://127.0.0.1:{port}{path}", input=input)
        return run("--ca", certificate()[0], *arguments, f"wss://localhost:{nginx()}/{port}{path}", input=input)

    def carry(self, *arguments, imposed="default"):
        agreed = self.wsline("/negotiated", "-w", "-1", *arguments, imposed=imposed)
        self.assertIn(b"permessage-deflate", agreed.stdout, agreed)
        self.check(self.wsline("/echo", "--count", LINES, *arguments, imposed=imposed, input=lines()), lines())

    def test_no_deflate_offers_nothing(self):
        self.check(self.wsline("/negotiated", "-w", "-1", "--no-deflate"), b"none\n")

    def test_a_compressed_line_of_8_mib_comes_back_whole(self):
        line = json_lines(200_000).replace(b"\n", b" ")[:8 << 20] + b"\n"
        self.check(self.wsline("/echo", "-1", input=line), line)


def add_matrix():
    for name, parameters in OFFERED.items():
        arguments = ["--deflate", parameters] if parameters else []
        setattr(Deflate, f"test_json_comes_back_when_wsline_offers_{name}", lambda self, a=arguments: self.carry(*a))
    for name, parameters in IMPOSED.items():
        setattr(Deflate, f"test_json_comes_back_when_the_server_imposes_{name}", lambda self, p=parameters: self.carry(imposed=p))


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
