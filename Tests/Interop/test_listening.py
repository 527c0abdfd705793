"""`wsline -l`: clients of Python and Node against wsline as the server."""

import signal
import subprocess

from harness import CLIENTS, ENVIRONMENT, InteropTestCase, Listening, certificate, json_lines, numbered_lines, run


class ListeningTests:
    kind = ""

    def client(self, *arguments, input=b""):
        return run(*arguments, input=input, program=CLIENTS[self.kind])

    def background_client(self, *arguments):
        """A client that stays while the test goes on."""
        command = [*map(str, CLIENTS[self.kind]), *map(str, arguments)]
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
        self.addCleanup(lambda: (client.kill(), client.communicate()))
        return client

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
            self.check(self.client("--deflate", "--count", 10_000, server.url, input=lines), lines, stderr="closed 1000")

    def test_a_line_of_8_mib_comes_back_whole(self):
        line = b"0123456789abcdef" * (8 << 16) + b"\n"
        with Listening("--echo") as server:
            self.check(self.client("--count", 1, server.url, input=line), line)

    def test_a_subprotocol_that_both_know_is_chosen(self):
        with Listening("--echo", "-s", "chat.v1") as server:
            self.check(self.client("--subprotocol", "chat.v1", "--count", 1, server.url, input=b"x\n"), b"x\n", stderr="subprotocol chat.v1")

    def test_a_client_without_the_password_is_refused(self):
        with Listening("--echo", "--auth", "user:secret") as server:
            self.check(self.client("--count", 1, server.url, input=b"x\n"), b"", stderr="refused 401")
            self.check(self.client("--auth", "user:secret", "--count", 1, server.url, input=b"x\n"), b"x\n")

    def test_a_client_from_another_origin_is_refused(self):
        with Listening("--echo", "--allow-origin", "https://good.example") as server:
            self.check(self.client("--origin", "https://bad.example", "--count", 1, server.url, input=b"x\n"), b"", stderr="refused 403")
            self.check(self.client("--origin", "https://good.example", "--count", 1, server.url, input=b"x\n"), b"x\n")

    def test_a_typed_line_goes_to_every_client(self):
        with Listening() as server:
            clients = [self.background_client("--count", 1, server.url) for _ in range(3)]
            self.connected(server, 3)
            server.type("to all of you")
            for client in clients:
                self.assertEqual(client.stdout.readline(), b"to all of you\n")

    def test_broadcast_passes_a_message_on_to_the_others(self):
        with Listening("--broadcast") as server:
            listener = self.background_client("--count", 1, server.url)
            self.connected(server, 1)
            speaker = subprocess.Popen([*map(str, CLIENTS[self.kind]), server.url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            self.addCleanup(lambda: (speaker.kill(), speaker.wait()))
            speaker.stdin.write(b"hear me\n")
            speaker.stdin.close()
            self.assertEqual(listener.stdout.readline(), b"hear me\n")

    def test_clients_are_told_that_the_server_goes_away(self):
        with Listening("--echo") as server:
            client = self.background_client(server.url)
            self.connected(server, 1)
            server.process.send_signal(signal.SIGTERM)
            _, stderr = client.communicate(timeout=30)
            self.assertIn(b"closed 1001", stderr)

    def connected(self, server, count):
        """Waits until the server has told of so many clients, each on a line of stderr with its number."""
        while count:
            line = server.stderr_lines.get(timeout=30)
            self.assertIsNotNone(line, "wsline ended")
            count -= "connected" in line.lower()


class PythonClients(ListeningTests, InteropTestCase):
    kind = "python"


class NodeClients(ListeningTests, InteropTestCase):
    kind = "node"
