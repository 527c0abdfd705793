"""`wsline -l`: clients of Python and Node against wsline as the server."""

import contextlib
import signal

from harness import CLIENTS, InteropTestCase, Listening, certificate, json_lines, numbered_lines, run, running


class ListeningTests:
    kind = ""

    def client(self, *arguments, input=b""):
        return run(*arguments, input=input, program=CLIENTS[self.kind])

    def background_client(self, *arguments):
        """A client that stays while the test goes on, as a context."""
        return running([*CLIENTS[self.kind], *arguments])

    def test_ten_thousand_lines_come_back_byte_for_byte(self):
        lines = numbered_lines(10_000)
        with Listening("--echo") as server:
            self.check(self.client("--count", 10_000, server.url, input=lines), lines, stderr="closed 1000")

    def test_ten_thousand_lines_come_back_over_tls(self):
        lines = numbered_lines(10_000)
        cert, key = certificate()
        with Listening("--echo", "--cert", cert, "--key", key, scheme="wss") as server:
            self.check(self.client("--ca", cert, "--count", 10_000, server.url, input=lines), lines, stderr="closed 1000")

    def test_ten_thousand_lines_of_json_come_back_compressed(self):
        lines = json_lines(10_000)
        with Listening("--echo") as server:
            self.check(self.client("--deflate", "--count", 10_000, server.url, input=lines), lines,
                       stderr=r"extensions permessage-deflate[\s\S]*closed 1000")

    def test_compression_is_declined_with_no_deflate(self):
        with Listening("--echo", "--no-deflate") as server:
            self.check(self.client("--deflate", "--count", 1, server.url, input=b"x\n"), b"x\n", stderr="extensions none")

    def test_a_line_of_8_mib_comes_back_whole(self):
        line = b"0123456789abcdef" * (8 << 16) + b"\n"
        with Listening("--echo") as server:
            self.check(self.client("--count", 1, server.url, input=line), line)

    def test_a_subprotocol_that_both_know_is_chosen(self):
        with Listening("--echo", "-s", "chat.v1") as server:
            result = self.client("--subprotocol", "chat.v1", "--count", 1, server.url, input=b"x\n")
            self.check(result, b"x\n", stderr="subprotocol chat.v1")

    def test_a_typed_line_goes_to_every_client(self):
        with Listening() as server, contextlib.ExitStack() as ends:
            clients = [ends.enter_context(self.background_client("--count", 1, server.url)) for _ in range(3)]
            for client in clients:
                client.stdin.close()
            self.connected(server, 3)
            server.type("to all of you")
            for client in clients:
                self.assertEqual(client.stdout.readline(), b"to all of you\n")

    def test_what_a_client_says_is_a_line_each_and_what_is_typed_its_answer(self):
        with Listening() as server, self.background_client("--count", 1, server.url) as client:
            client.stdin.write("one\nzwei ünd drei\n\nfour\n".encode())
            client.stdin.close()
            self.assertEqual([server.stdout_lines.get(timeout=30) for _ in range(4)], ["one", "zwei ünd drei", "", "four"])
            server.type("thanks")
            self.assertEqual(client.stdout.readline(), b"thanks\n")
            self.assertRegex(client.stderr.read(), b"closed 1000")

    def test_clients_are_told_that_the_server_goes_away(self):
        with Listening("--echo") as server, self.background_client(server.url) as client:
            client.stdin.close()
            self.connected(server, 1)
            server.process.send_signal(signal.SIGTERM)
            self.assertRegex(client.stderr.read(), b"closed 1001")
            self.assertEqual(server.process.wait(30), 143)

    def connected(self, server, count):
        """Waits until the server has told of so many clients."""
        for number in range(1, count + 1):
            self.assertRegex(server.stderr_lines.get(timeout=30) or "wsline ended", f"^client {number} connected from 127\\.0\\.0\\.1:")


class PythonClients(ListeningTests, InteropTestCase):
    kind = "python"


class NodeClients(ListeningTests, InteropTestCase):
    kind = "node"
