"""The peers against each other, with no wsline between: where these fail, look at the peers first."""

from harness import CLIENTS, PEERS, InteropTestCase, certificate, json_lines, nginx, peer, run

LINES = 2_000


class Peers(InteropTestCase):
    def each_pair(self, deflate="none"):
        return [(CLIENTS[client], peer(server, deflate)) for client in CLIENTS for server in PEERS]

    def test_every_client_gets_its_lines_back_from_every_server(self):
        lines = json_lines(LINES)
        for deflate, options in (("none", []), ("default", ["--deflate"])):
            told = r"extensions permessage-deflate[\s\S]*closed 1000" if options else "closed 1000"
            for client, port in self.each_pair(deflate):
                result = run(*options, "--count", LINES, f"ws://127.0.0.1:{port}/echo", input=lines, program=client)
                self.check(result, lines, stderr=told)

    def test_nginx_passes_them_on_over_tls(self):
        lines = json_lines(LINES)
        for client, port in self.each_pair():
            url = f"wss://localhost:{nginx()}/{port}/echo"
            result = run("--ca", certificate()[0], "--count", LINES, url, input=lines, program=client)
            self.check(result, lines, stderr="closed 1000")

    def test_every_server_closes_drops_refuses_and_pings_as_asked(self):
        for client, port in self.each_pair():
            url = f"ws://127.0.0.1:{port}"
            self.check(run(f"{url}/close?code=4001&reason=because", program=client), b"", stderr="closed 4001 because")
            self.check(run(f"{url}/drop", program=client), b"last words\n", stderr="closed 1006")
            self.check(run(f"{url}/private/echo", program=client), b"", stderr="refused 401")
            self.check(run("--auth", "user:secret", "--count", "1", f"{url}/private/echo", input=b"x\n", program=client), b"x\n")
            self.check(run("--subprotocol", "chat.v1", f"{url}/subprotocol", program=client), b"chat.v1\n", stderr="subprotocol chat.v1")
            self.check(run(f"{url}/ping?count=2", program=client), b"pong 0\npong 1\n", stderr="closed 1000")
            self.check(run(f"{url}/fragments", program=client), b"one message in five fragments\n")
            self.check(run(f"{url}/firehose?count=3&size=16", program=client), b"0123456789abcdef\n" * 3)
            self.check(run(f"{url}/slow?count=2&ms=1", program=client), b"slow 0\nslow 1\n")
            self.check(run(f"{url}/data?hex=6869", program=client), b"hi\n")
