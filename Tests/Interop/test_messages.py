"""Messages through pipes: what went in comes back, byte for byte, whoever the peer is and with TLS or without."""

import harness
from harness import InteropTestCase, certificate, nginx, numbered_lines, peer, run

LINES = 100_000


class Messages:
    """The tests; the classes below say which peer answers and by what way."""

    kind = ""

    def url(self, path):
        return f"ws://127.0.0.1:{peer(self.kind)}{path}"

    def wsline(self, *arguments, input=b""):
        return run(*arguments, input=input)

    def test_a_hundred_thousand_lines_come_back_byte_for_byte(self):
        lines = numbered_lines(LINES)
        self.check(self.wsline("--count", LINES, self.url("/echo"), input=lines), lines)

    def test_what_is_still_on_its_way_at_the_end_of_the_input_is_printed(self):
        lines = numbered_lines(10_000)
        self.check(self.wsline(self.url("/echo"), input=lines), lines)

    def test_a_line_of_8_mib_comes_back_whole(self):
        line = b"0123456789abcdef" * (8 << 16) + b"\n"
        self.check(self.wsline("-1", self.url("/echo"), input=line), line)

    def test_the_answer_to_the_last_line_is_printed_with_no_option_at_all(self):
        result = self.wsline(self.url("/echo"), input=b"hi\n")
        self.check(result, b"hi\n")
        self.assertEqual(result.stderr, "")

    def test_what_comes_slowly_is_awaited_as_long_as_each_comes_within_a_second(self):
        self.check(self.wsline(self.url("/slow?count=4&ms=400")), b"slow 0\nslow 1\nslow 2\nslow 3\n")

    def test_text_of_many_bytes_a_character_comes_back(self):
        lines = "Zażółć gęślą jaźń\n日本語のテキスト\n👩‍👩‍👧‍👦 🇪🇺\n‮txet\n\u0007bell\n".encode()
        self.check(self.wsline("--count", 5, self.url("/echo"), input=lines), lines)

    def test_an_empty_line_is_an_empty_message(self):
        self.check(self.wsline("--count", 3, self.url("/echo"), input=b"a\n\nb\n"), b"a\n\nb\n")

    def test_a_carriage_return_before_the_newline_is_no_part_of_the_message(self):
        self.check(self.wsline("--count", 2, self.url("/echo"), input=b"one\r\ntwo\r\n"), b"one\ntwo\n")

    def test_a_last_line_without_a_newline_counts(self):
        self.check(self.wsline("--count", 2, self.url("/echo"), input=b"one\ntwo"), b"one\ntwo\n")

    def test_nul_separates_messages_both_ways_with_0(self):
        self.check(self.wsline("-0", "--count", 2, self.url("/echo"), input=b"one\nline\0two\0"), b"one\nline\0two\0")

    def test_the_whole_input_is_one_message_with_split_whole(self):
        lines = numbered_lines(10_000)
        self.check(self.wsline("--split", "whole", "-1", self.url("/echo"), input=lines), lines + b"\n")

    def test_the_input_is_cut_by_size_with_split_size(self):
        self.check(self.wsline("--split", "4", "--count", 3, self.url("/echo"), input=b"abcdefghij"), b"abcd\nefgh\nij\n")

    def test_a_fragmented_message_is_one_line(self):
        self.check(self.wsline("-w", "-1", self.url("/fragments")), b"one message in five fragments\n")

    def test_a_firehose_loses_nothing(self):
        self.check(self.wsline("-w", "-1", self.url("/firehose?count=50000&size=64")), (b"0123456789abcdef" * 4 + b"\n") * 50_000)

    def test_messages_that_come_slowly_are_awaited_with_w(self):
        self.check(self.wsline("-w", "-1", self.url("/slow?count=3&ms=200")), b"slow 0\nslow 1\nslow 2\n")

    def test_pings_are_answered(self):
        self.check(self.wsline("-w", "-1", self.url("/ping?count=20")), b"".join(b"pong %d\n" % n for n in range(20)))

    def test_binary_comes_out_as_hex_in_a_pipe(self):
        self.check(self.wsline("-1", self.url("/data?hex=00ff10800a")), b"00ff10800a\n")

    def test_binary_comes_out_as_it_is_with_binary_as_raw(self):
        self.check(self.wsline("--binary-as", "raw", "-1", self.url("/data?hex=00ff10800a")), bytes.fromhex("00ff10800a"))

    def test_hex_lines_are_sent_as_binary(self):
        self.check(self.wsline("--send-as", "hex", "-1", self.url("/echo"), input=b"00ff 10\n"), b"00ff10\n")

    def test_a_text_given_with_x_is_sent_and_stdin_left_alone(self):
        self.check(self.wsline("-x", "one", "-x", "two", "--count", 2, self.url("/echo"), input=b"three\n"), b"one\ntwo\n")


class PythonMessages(Messages, InteropTestCase):
    """Python `websockets`, straight."""

    kind = "python"


class NodeMessages(Messages, InteropTestCase):
    """Node `ws`, straight."""

    kind = "node"


class ProxiedMessages(Messages):
    """Through nginx, which ends TLS."""

    def url(self, path):
        return f"wss://localhost:{nginx()}/{peer(self.kind)}{path}"

    def wsline(self, *arguments, input=b""):
        return run("--ca", certificate()[0], *arguments, input=input)


class PythonBehindNginxMessages(ProxiedMessages, InteropTestCase):
    kind = "python"


class NodeBehindNginxMessages(ProxiedMessages, InteropTestCase):
    kind = "node"


class UnixSocketMessages(InteropTestCase):
    def test_a_server_on_a_unix_socket_echoes(self):
        self.check(run("-1", f"ws+unix://{harness.unix_peer()}:/echo", input=b"hello\n"), b"hello\n")
