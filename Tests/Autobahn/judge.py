"""Holds what Autobahn|Testsuite says about wsline against expected.json.

    run [client] [server] [--cases "1.*,7.9,12.*.1-6"] [--jobs N] [--wsline PATH]
    run client --frames

client: the suite's fuzzing server judges `wsline --echo URL`, one process for each case. server: its fuzzing client
judges `wsline -l 127.0.0.1:0 --echo`. Both unless one is named. The suite runs on one thread, so the cases are dealt out
to --jobs of it, each with a report of its own under .build-autobahn/report. The exit status is 0 only when every case
ended as expected.json has it: as "default" says, unless the case is named there.

--frames: the client runs with -vv, and each frame that the suite means to be wrong has to be shown with the clause that expected.json
names under "breaches", and no other frame with any.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from websockets.sync.client import connect

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REPORTS = ROOT / ".build-autobahn/report"
CHAPTERS = {1: "framing", 2: "pings and pongs", 3: "reserved bits", 4: "opcodes", 5: "fragmentation", 6: "UTF-8", 7: "closing",
            9: "limits", 10: "auto-fragmentation", 12: "deflate, payloads", 13: "deflate, parameters"}
CASE_LIMIT = 500  # seconds; the longest of the suite's own limits is 480
AGENT = "wsline"


def numbers(case):
    return [int(part) for part in case.split(".")]


def matches(case, pattern):
    """Part by part: 7.9.3 matches 7.*, 7.9, *.9.1-5; a pattern may be shorter than the case."""
    for want, part in zip(pattern.split("."), numbers(case)):
        low, dash, high = want.partition("-")
        if want != "*" and not int(low) <= part <= int(high if dash else low):
            return False
    return True


def all_cases():
    listing = "from autobahntestsuite.case import Cases\nprint(*('.'.join(c.__name__[4:].split('_')) for c in Cases))"
    return subprocess.run([sys.executable, "-W", "ignore", "-c", listing], text=True, capture_output=True, check=True).stdout.split()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit(f"autobahn: nothing listens on port {port}, see the logs under {REPORTS}")


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Shard(threading.Thread):
    """A share of the cases, with a suite of its own."""

    def __init__(self, role, number, cases, wsline, breaches=None):
        super().__init__()
        self.cases, self.wsline, self.breaches = cases, wsline, breaches
        self.folder = REPORTS / role / str(number)
        self.folder.mkdir(parents=True)
        self.notes = {}

    def suite(self, mode, specification):
        """Starts wstest; what it prints goes to wstest.log."""
        path = self.folder / "wstest.spec"
        path.write_text(json.dumps({"outdir": str(self.folder), "cases": self.cases, "exclude-cases": [], "exclude-agent-cases": {},
                                    **specification}))
        wstest = pathlib.Path(sys.prefix) / "bin/wstest"
        with open(self.folder / "wstest.log", "wb") as log:
            return subprocess.Popen([sys.executable, "-u", "-W", "ignore", wstest, "-m", mode, "-s", path, "-u", "0"],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)

    def results(self):
        path = self.folder / "index.json"
        index = json.loads(path.read_text()).get(AGENT, {}) if path.exists() else {}
        return {case: index.get(case) for case in self.cases}


class ClientShard(Shard):
    """The suite is the server; wsline connects once for each case and echoes."""

    def run(self):
        port = free_port()
        suite = self.suite("fuzzingserver", {"url": f"ws://127.0.0.1:{port}"})
        try:
            wait_for_port(port, suite)
            for number, case in enumerate(self.cases, 1):
                query = urllib.parse.urlencode({"case": number, "agent": AGENT})
                self.one_case(case, f"ws://127.0.0.1:{port}/runCase?{query}")
            with connect(f"ws://127.0.0.1:{port}/updateReports?agent={AGENT}", proxy=None, ping_interval=None) as control:
                for _ in control:
                    pass
        finally:
            end(suite)
        if self.breaches is not None:
            for case, result in self.results().items():
                self.judge_frames(case, result)

    def judge_frames(self, case, result):
        """Holds the clauses that wsline named beside received frames against those that it should have."""
        shown = (self.folder / f"{case}.log").read_text(errors="replace")
        named = re.findall(r"^< \d\d:\d\d:\d\d\.\d{6}  .* {3}(RFC \d+, [\d.]+): ", shown, re.MULTILINE)
        wanted = [clause for clause, patterns in self.breaches.items() if any(matches(case, pattern) for pattern in patterns.split(","))]
        if named != wanted:
            self.notes[case] = f"-vv named {named}, not {wanted}"
        # The table has to have each case that the suite wants failed.
        if result and not wanted:
            codes = json.loads((self.folder / result["reportfile"]).read_text())["expectedClose"]["closeCode"]
            if set(codes) <= {1002, 1007}:
                self.notes[case] = f"the suite wants {codes}, and expected.json names no clause"

    def one_case(self, case, url):
        log = self.folder / f"{case}.log"
        with open(log, "wb") as output:
            # stdin stays open and silent, as its end would close the connection.
            shows = [] if self.breaches is None else ["-vv"]
            client = subprocess.Popen([*self.wsline, *shows, "--echo", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=output)
        try:
            status = client.wait(CASE_LIMIT)
            if status < 0:
                self.notes[case] = f"wsline died of signal {-status}"
        except subprocess.TimeoutExpired:
            self.notes[case] = f"wsline still ran after {CASE_LIMIT} s"
        finally:
            end(client)
            client.stdin.close()


class ServerShard(Shard):
    """The suite is the client; one wsline listens for all the shards."""

    port = 0

    def run(self):
        suite = self.suite("fuzzingclient", {"servers": [{"agent": AGENT, "url": f"ws://127.0.0.1:{self.port}/"}]})
        try:
            suite.wait(CASE_LIMIT * max(4, len(self.cases) // 20))
        except subprocess.TimeoutExpired:
            self.notes[self.cases[-1]] = "the suite did not get to its end"
        finally:
            end(suite)


def listen(wsline):
    """Starts wsline as a server; returns it and the port that it says it listens on."""
    server = subprocess.Popen([*wsline, "-l", "127.0.0.1:0", "--echo"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, errors="replace")
    for line in server.stderr:
        if found := re.search(r":(\d+)\b", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(found[1])
    sys.exit(f"autobahn: {' '.join(wsline)} -l 127.0.0.1:0 ended with {server.wait()} and named no port")


def run_role(role, cases, jobs, wsline, breaches):
    shutil.rmtree(REPORTS / role, ignore_errors=True)
    kind = ClientShard if role == "client" else ServerShard
    shards = [kind(role, number, cases[number::jobs], wsline, breaches) for number in range(min(jobs, len(cases)))]
    started = time.monotonic()
    server = None
    if role == "server":
        server, ServerShard.port = listen(wsline)
    try:
        for shard in shards:
            shard.start()
        for shard in shards:
            shard.join()
        ended_by_itself = server.poll() if server else None
    finally:
        if server:
            end(server)
    results, notes = {}, {}
    for shard in shards:
        results.update(shard.results())
        notes.update(shard.notes)
    if ended_by_itself is not None:
        notes[cases[-1]] = f"wsline ended with {ended_by_itself} before the suite did"
    return {case: results[case] for case in cases}, notes, time.monotonic() - started


def verdict(result):
    return f"{result['behavior']}/{result['behaviorClose']}" if result else "MISSING"


def report(role, results, notes, expected, seconds):
    """Prints the chapters and what deviates; returns how many cases did."""
    chapters = collections.defaultdict(collections.Counter)
    took = collections.Counter()
    deviating = []
    for case, result in results.items():
        chapter = numbers(case)[0]
        chapters[chapter][verdict(result)] += 1
        took[chapter] += result["duration"] / 1000 if result else 0
        wanted = expected[role].get(case, expected["default"])
        if verdict(result) != wanted or case in notes:
            deviating.append((case, wanted, result))
    print(f"\n{role} role: {len(results)} cases in {seconds:.0f} s, reports in {REPORTS / role}")
    for chapter, counts in sorted(chapters.items()):
        told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        print(f"  {chapter:>2}.* {CHAPTERS.get(chapter, ''):20} {took[chapter]:7.1f} s  {told}")
    for case, wanted, result in deviating:
        print(f"  case {case}: {verdict(result)}, expected {wanted}. {notes.get(case, '')}")
    return len(deviating)


def main():
    parser = argparse.ArgumentParser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roles", nargs="*", metavar="client|server")
    parser.add_argument("--cases", default="*", metavar="PATTERNS", help="separated by commas; all by default")
    parser.add_argument("--frames", action="store_true", help="also hold what -vv shows of each frame against it, in the client role")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="suites at a time")
    parser.add_argument("--wsline", default=os.environ.get("WSLINE", str(ROOT / ".build/release/wsline")), metavar="COMMAND")
    arguments = parser.parse_args()
    if unknown := set(arguments.roles) - {"client", "server"}:
        parser.error(f"\"{unknown.pop()}\" is no role; the roles are client and server")
    if arguments.frames and arguments.roles != ["client"]:
        parser.error("--frames is for the client role alone: run client --frames")
    wsline = arguments.wsline.split()
    if not shutil.which(wsline[0]):
        parser.error(f"there is no program at \"{wsline[0]}\": build it, or name it with --wsline or WSLINE")
    expected = json.loads((HERE / "expected.json").read_text())
    known = all_cases()
    if len(known) != expected["cases"]:
        parser.error(f"this suite has {len(known)} cases, expected.json is for {expected['cases']}")
    cases = [case for case in known if any(matches(case, pattern) for pattern in arguments.cases.split(","))]
    if not cases:
        parser.error(f"no case matches \"{arguments.cases}\"")
    deviating = total = 0
    for role in arguments.roles or ["client", "server"]:
        results, notes, seconds = run_role(role, cases, arguments.jobs, wsline, expected["breaches"] if arguments.frames else None)
        deviating += report(role, results, notes, expected, seconds)
        total += len(cases)
    print(f"\n{total - deviating} passed, {deviating} failed")
    sys.exit(1 if deviating else 0)


if __name__ == "__main__":
    main()
