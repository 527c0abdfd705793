"""How a run ends: handshakes, close codes and failures, each with its exit status, and stdout free of all else."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import threading

from harness import LIMIT, SCRATCH, WSLINE, InteropTestCase, certificate, nginx, peer, run, running


class Handshakes:
    kind = ""

    def url(self, path):
        return f"ws://127.0.0.1:{peer(self.kind)}{path}"

    def test_the_servers_choice_of_subprotocol_is_taken(self):
        self.check(run("-s", "chat.v1", "-s", "chat.v2", "-w", "-1", self.url("/subprotocol")), b"chat.v2\n")

    def test_a_subprotocol_that_the_server_lacks_is_not_chosen(self):
        self.check(run("-s", "chat.v9", "-w", "-1", self.url("/subprotocol")), b"none\n")

    def test_headers_and_origin_reach_the_server(self):
        result = run("-H", "X-One: 1", "-H", "X-One: 2", "-o", "https://example.org", "-w", "-1", self.url("/headers"))
        self.check(result, result.stdout)
        sent = json.loads(result.stdout)
        self.assertEqual([value for name, value in sent if name == "x-one"], ["1", "2"])
        self.assertIn(["origin", "https://example.org"], sent)

    def test_a_401_is_a_refusal_that_says_what_to_try(self):
        self.check(run("-1", self.url("/private/echo"), input=b"hello\n"), b"", status=6, stderr=r"401[\s\S]*--auth")

    def test_the_body_of_a_refusal_is_shown(self):
        self.check(run("-1", self.url("/private/echo"), input=b"hello\n"), b"", status=6, stderr="members only")

    def test_credentials_open_the_door_and_are_never_shown(self):
        for arguments, url in ((["--auth", "user:secret"], self.url("/private/echo")),
                               ([], self.url("/private/echo").replace("//", "//user:secret@"))):
            result = run("-v", *arguments, "-1", url, input=b"hello\n")
            self.check(result, b"hello\n")
            self.assertNotIn("secret", result.stderr)
            self.assertNotIn("dXNlcjpzZWNyZXQ", result.stderr)

    def test_a_wrong_password_is_refused_and_not_shown(self):
        result = run("--auth", "user:hunter2", "-1", self.url("/private/echo"), input=b"hello\n")
        self.check(result, b"", status=6, stderr="401")
        self.assertNotIn("hunter2", result.stderr)

    def test_a_404_is_a_refusal(self):
        self.check(run("-1", self.url("/nowhere"), input=b"hello\n"), b"", status=6, stderr="404")


class PythonHandshakes(Handshakes, InteropTestCase):
    kind = "python"


class NodeHandshakes(Handshakes, InteropTestCase):
    kind = "node"


class Closings:
    kind = ""

    def closed_with(self, code, *arguments):
        return run("-w", "-1", *arguments, f"ws://127.0.0.1:{peer(self.kind)}/close?code={code}&reason=because")

    def test_a_normal_close_is_success(self):
        for code in (1000, 1001):
            self.check(self.closed_with(code), b"", status=0)

    def test_a_close_with_an_error_code_is_status_10(self):
        for code in (1002, 1003, 1007, 1008, 1009, 1011, 3000, 3999, 4000, 4999):
            with self.subTest(code=code):
                self.check(self.closed_with(code), b"", status=10)

    def test_code_and_reason_are_told(self):
        self.check(self.closed_with(1008), b"", status=10, stderr=r"1008[\s\S]*because")

    def test_the_expected_close_code_is_success_and_any_other_is_not(self):
        self.check(self.closed_with(4000, "--expect-close", 4000), b"", status=0)
        self.assertNotEqual(self.closed_with(4001, "--expect-close", 4000).status, 0)
        self.assertNotEqual(self.closed_with(1000, "--expect-close", 4000).status, 0)

    def test_a_connection_that_ends_without_a_close_is_status_9(self):
        self.check(run("-w", "-1", f"ws://127.0.0.1:{peer(self.kind)}/drop"), b"last words\n", status=9)

    def test_what_was_awaited_and_did_not_come_is_status_8(self):
        self.check(run("--count", 5, f"ws://127.0.0.1:{peer(self.kind)}/slow?count=2&ms=1"), b"slow 0\nslow 1\n", status=8)

    def test_the_whole_run_is_bounded_by_timeout(self):
        self.check(run("--timeout", 0.5, "-1", f"ws://127.0.0.1:{peer(self.kind)}/echo"), b"", status=8)

    def test_a_reader_that_leaves_ends_the_run_quietly(self):
        url = f"ws://127.0.0.1:{peer(self.kind)}/firehose?count=1000000&size=64"
        with running([*WSLINE, "-w", "-1", url]) as wsline:
            wsline.stdin.close()
            self.assertEqual(wsline.stdout.read(65), b"0123456789abcdef" * 4 + b"\n")
            wsline.stdout.close()
            self.assertEqual(wsline.wait(LIMIT), 0)
            self.assertEqual(wsline.stderr.read(), b"")

    def test_a_signal_closes_and_is_told_by_the_status(self):
        for name, status in (("SIGINT", 130), ("SIGTERM", 143)):
            url = f"ws://127.0.0.1:{peer(self.kind)}/echo"
            with self.subTest(name), running([*WSLINE, "-x", "ready", "-w", "-1", url]) as wsline:
                self.assertEqual(wsline.stdout.readline(), b"ready\n")
                wsline.send_signal(getattr(signal, name))
                self.assertEqual(wsline.wait(LIMIT), status)


class PythonClosings(Closings, InteropTestCase):
    kind = "python"


class NodeClosings(Closings, InteropTestCase):
    kind = "node"


class Failures(InteropTestCase):
    def answering(self, answer):
        """The URL of a server that gives one client this answer and no more."""
        listener = socket.create_server(("127.0.0.1", 0))

        listener.settimeout(LIMIT)

        def serve():
            with listener, contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        got = connection.recv(65536)
                        if not got:
                            return
                        request += got
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

    def test_nobody_listening_is_status_3(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # nobody else can take the port, and nobody listens on it
            self.check(run("-1", f"ws://127.0.0.1:{silent.getsockname()[1]}/", input=b"x\n"), b"", status=3)

    def test_a_certificate_that_nobody_vouches_for_is_status_4(self):
        self.check(run("-1", f"wss://localhost:{nginx()}/{peer('python')}/echo", input=b"x\n"), b"", status=4)

    def test_insecure_takes_any_certificate(self):
        for option in ("--insecure", "-k", "--no-check", "-n"):
            self.check(run(option, "-1", f"wss://localhost:{nginx()}/{peer('python')}/echo", input=b"x\n"), b"x\n")

    def test_a_certificate_for_another_name_is_status_4(self):
        url = f"wss://localhost:{nginx()}/{peer('python')}/echo"
        self.check(run("--ca", certificate()[0], "--servername", "elsewhere.example", "-1", url, input=b"x\n"), b"", status=4)

    def test_a_tls_server_met_with_ws_is_recognised(self):
        self.check(run("-1", f"ws://localhost:{nginx()}/{peer('python')}/echo", input=b"x\n"), b"", status=4, stderr="try wss://")

    def test_a_server_without_tls_met_with_wss_is_recognised(self):
        for kind in ("python", "node"):
            self.check(run("-k", "-1", f"wss://localhost:{peer(kind)}/echo", input=b"x\n"), b"", status=4, stderr="try ws://")

    def demanding(self, version):
        """The URL of a TLS server that lets in nobody but its own certificate, and hangs up on all others."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(*certificate())
        context.load_verify_locations(certificate()[0])
        context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(LIMIT)

        def serve():
            with listener, contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection, context.wrap_socket(connection, server_side=True):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        return f"wss://localhost:{listener.getsockname()[1]}/"

    def test_a_client_certificate_that_is_missing_or_not_accepted_is_status_4_and_named(self):
        cert, key = SCRATCH / "stranger.pem", SCRATCH / "stranger.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                self.check(run("-k", "-1", self.demanding(version), input=b"x\n"), b"", status=4,
                           stderr="TLS failed: .* sent the alert .*: the server wants a client certificate: give --cert")
                self.check(run("-k", "--cert", cert, "--key", key, "-1", self.demanding(version), input=b"x\n"), b"", status=4,
                           stderr="TLS failed: .* sent the alert .*: the server does not accept the certificate that --cert names")

    def test_an_answer_that_is_no_upgrade_is_status_6(self):
        self.check(run("-1", self.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), input=b"x\n"), b"", status=6)

    def test_a_wrong_accept_key_is_status_6(self):
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n"
        self.check(run("-1", self.answering(answer), input=b"x\n"), b"", status=6, stderr="Sec-WebSocket-Accept")

    def test_a_url_of_another_scheme_is_a_usage_error(self):
        self.check(run("gopher://127.0.0.1/"), b"", status=64, stderr="gopher")

    def test_an_unknown_option_is_a_usage_error(self):
        self.check(run("--no-such-option", "ws://127.0.0.1/"), b"", status=64, stderr="no-such-option")

    def test_input_that_is_no_utf_8_is_refused_with_its_place_after_what_came_before(self):
        url = f"ws://127.0.0.1:{peer('node')}/echo"
        self.check(run(url, input=b"good\nb\xffd\nnever\n"), b"good\n", status=65, stderr=r"(?i)line 2\b[\s\S]*byte 2\b")
