"""--jsonrpc: lines as requests, against a JSON-RPC server of Python's and Chromium's DevTools protocol."""

import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from harness import ENVIRONMENT, HERE, SERVERS, InteropTestCase, end, run, start

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def answers(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@functools.cache
def server():
    return f"ws://127.0.0.1:{start([sys.executable, HERE / 'peers/rpc.py'])}/"


class JSONRPC(InteropTestCase):
    """Python's json-rpc, which reads requests by the specification."""

    def calls(self, *arguments, lines=()):
        input = "".join(f"{line}\n" for line in lines).encode()
        return run("--jsonrpc", *arguments, server(), input=input)

    def test_arguments_by_place_and_by_name_reach_the_method(self):
        lines = ["subtract 42 23", "subtract subtrahend=23 minuend=42", 'join "a b" c', 'join [1, {"x": "y z"}] null']
        result = self.calls(lines=lines)
        self.assertEqual([answer["result"] for answer in answers(result)], [19, 19, ["a b", "c"], [[1, {"x": "y z"}], None]])
        self.assertEqual([answer["id"] for answer in answers(result)], [1, 2, 3, 4])
        self.assertRegex(result.stderr, r"^#1 subtract, [\d.]+ ms\n#2 subtract, [\d.]+ ms\n#3 join, [\d.]+ ms\n#4 join, [\d.]+ ms\n$")

    def test_errors_are_shown_with_code_and_message(self):
        result = self.calls(lines=["nothing", "subtract 1 2 3"])
        self.assertEqual([answer["error"]["code"] for answer in answers(result)], [-32601, -32602])
        self.assertRegex(result.stderr, r'#1 nothing, [\d.]+ ms: error -32601 "Method not found"\n#2 subtract, [\d.]+ ms: error -32602 "Invalid params"')

    def test_a_batch_that_is_typed_as_json_is_matched_too(self):
        batch = [{"jsonrpc": "2.0", "id": "one", "method": "subtract", "params": [3, 1]}, {"jsonrpc": "2.0", "method": "subtract", "params": [1, 1]},
                 {"jsonrpc": "2.0", "id": 2, "method": "nothing"}]
        result = self.calls(lines=[json.dumps(batch)])
        self.assertEqual(sorted(str(answer["id"]) for answer in answers(result)[0]), ["2", "one"])
        self.assertRegex(result.stderr, r'^#"one" subtract, [\d.]+ ms; #2 nothing, [\d.]+ ms: error -32601 "Method not found"\n$')

    def test_a_thousand_requests_are_each_answered(self):
        result = self.calls("--count", 1000, lines=[f"subtract {number} 1" for number in range(1000)])
        self.assertEqual([answer["result"] for answer in answers(result)], [number - 1 for number in range(1000)])
        self.assertEqual(len(re.findall(r"^#\d+ subtract, [\d.]+ ms$", result.stderr, re.MULTILINE)), 1000)


@functools.cache
def devtools():
    """The WebSocket URL of a headless Chromium's browser target."""
    profile = tempfile.mkdtemp(prefix="wsline-chromium-")
    SERVERS.callback(shutil.rmtree, profile, ignore_errors=True)
    process = subprocess.Popen([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                                "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    SERVERS.callback(end, process)
    for line in process.stderr:
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()  # so that it never waits for us
            return found[1]
    raise RuntimeError("chromium named no DevTools URL")


@unittest.skipUnless(CHROMIUM, "there is no chromium here")
class DevTools(InteropTestCase):
    def calls(self, *lines, url=None):
        return run("--jsonrpc", url or devtools(), input="".join(f"{line}\n" for line in lines).encode())

    def test_the_browser_answers_its_version(self):
        result = self.calls("Browser.getVersion")
        self.assertEqual(result.status, 0, result.stderr)
        self.assertIn("Chrome/", answers(result)[0]["result"]["product"])
        self.assertRegex(result.stderr, r"^#1 Browser\.getVersion, [\d.]+ ms\n$")

    def test_a_page_is_opened_and_evaluates_an_expression(self):
        created = self.calls("Target.createTarget url=about:blank")
        target = answers(created)[0]["result"]["targetId"]
        page = re.sub(r"/devtools/browser/.*", f"/devtools/page/{target}", devtools())
        result = self.calls('Runtime.evaluate expression="1+1"', 'Runtime.evaluate expression="[\'a b\', {}]" returnByValue=true', url=page)
        values = [answer["result"]["result"]["value"] for answer in answers(result)]
        self.assertEqual(values, [2, ["a b", {}]])

    def test_an_unknown_method_is_an_error_with_code_and_message(self):
        result = self.calls("No.suchMethod")
        self.assertRegex(result.stderr, r"""^#1 No\.suchMethod, [\d.]+ ms: error -32601 "'No\.suchMethod' wasn't found"\n$""")

    def test_events_of_the_browser_are_shown_as_they_are(self):
        result = self.calls("Target.setDiscoverTargets discover=true")
        events = [event for event in answers(result) if "method" in event]
        self.assertIn("Target.targetCreated", [event["method"] for event in events])
        self.assertRegex(result.stderr, r"^#1 Target\.setDiscoverTargets, [\d.]+ ms\n$")
