#!/usr/bin/env python3
"""Measures wsline beside websocat and beside a C client that does the least possible (floor.c).

    bench.py [--quick] [--only TASK[,TASK...]] [--rounds N] [--write] [--list]

The tools take turns within each round (A B C, A B C, ...), so that a busy moment of the machine strikes them all; a figure
is the median of the rounds. --write puts the tables between the markers in Docs/performance.md. WSLINE names another
binary than .build/release/wsline. All traffic stays on 127.0.0.1.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import runner
from runner import BUILD, ROOT, Failed

PAGE = ROOT / "Docs/performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
SIZES = {"32 B": (32, 2_000_000), "1 KiB": (1024, 200_000), "1 MiB": (1 << 20, 2_000)}


# The tools: how each is called for a URL

class Floor:
    name = "floor"

    def available(self):
        return True

    def command(self, url, **_):
        scheme, rest = url.split("://")
        authority, _, path = rest.partition("/")
        host, port = authority.split(":")
        return [BUILD / "floor", host, port, "/" + path, *(["--tls"] if scheme == "wss" else [])]


class Websocat:
    name = "websocat"

    def available(self):
        return True

    def command(self, url, binary=False, one=False, size=0, **_):
        # -E: without it websocat waits for its stdin to end after the server has closed; with it, it drops what is
        # still to come when stdin ends, so where something is sent it goes without.
        return [BUILD / "venv/bin/websocat", "-q", "-b" if binary else "-t", *(["-1"] if one else []),
                *(["-E"] if "/source" in url else []), *(["-k"] if url.startswith("wss") else []), *(["-B", str(2 * size)] if size > 32768 else []), url]


class Wsline:
    name = "wsline"

    def __init__(self):
        self.path = pathlib.Path(os.environ.get("WSLINE", ROOT / ".build/release/wsline")).resolve()
        self.help = ""
        if self.path.exists():
            self.help = subprocess.run([self.path, "--help"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL).stdout

    def available(self):
        return "--no-deflate" in self.help

    def command(self, url, deflate=False, one=False, listens=True, options=(), **_):
        # What only sends, or has all its answers when its stdin ends, closes at once: else a second of silence would be measured.
        return [self.path, "-q", *([] if deflate else ["--no-deflate"]), *(["--insecure"] if url.startswith("wss") else []),
                *(["-1"] if one else []), *([] if listens else ["-w", "0"]), *options, url]


# The figures

@dataclass
class Figure:
    """What the rounds of one tool at one row of a table gave."""

    values: list = field(default_factory=list)
    cpu: list = field(default_factory=list)
    peak: int = 0
    lost: int = 0
    note: str = ""

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None


@dataclass
class Row:
    """One line of a table: each tool's measure, a function that returns (value, Run, lost)."""

    title: str
    unit: str
    measures: dict
    higher_is_better: bool = True
    figures: dict = field(default_factory=dict)


def lines_of(size, want):
    """A block of whole lines of so many characters each, how often to write it, and how many lines that is."""
    text = b"".join(b"%d:abcdefghijklmnopqrstuvwxyz " % number for number in range(max(1, (1 << 16) // 32), 2 * max(1, (1 << 16) // 32)))
    text = (text * (size // len(text) + 1))[:size] + b"\n"
    per_block = min(want, max(1, (1 << 18) // len(text)))
    return text * per_block, want // per_block, per_block * (want // per_block)


class Bench:
    def __init__(self, arguments):
        self.scale = 20 if arguments.quick else 1
        self.rounds = arguments.rounds or (2 if arguments.quick else 5)
        self.plain, self.secure = runner.Server(tls=False), runner.Server(tls=True)
        self.tools = [tool for tool in (Wsline(), Websocat(), Floor()) if tool.available()]
        self.wsline = [tool for tool in self.tools if tool.name == "wsline"]
        self.scratch = tempfile.TemporaryDirectory(prefix="wsline-bench-")

    def stop(self):
        self.plain.stop()
        self.secure.stop()
        self.scratch.cleanup()

    def count(self, full):
        return max(10, full // self.scale)

    # One measure each

    def receiving(self, tool, server, size, count, to_pipe=False, query="", per_message=None, **how):
        url = f"{server.base}/source?count={count}&size={size}{query}"
        run = runner.receive(tool.command(url, size=size, **how), to_pipe)
        # A binary message or a websocat one may have no newline of its own: the bytes tell as well.
        got = count if not to_pipe else run.lines if run.lines else run.size // (per_message or size)
        return count / run.seconds, run, count - got

    def sending(self, tool, server, size, want, query="", **how):
        block, times, count = lines_of(size, want)
        url = f"{server.base}/sink?size={size}{query}"
        run = runner.send(tool.command(url, size=size, listens=False, **how), block, times)
        return count / run.seconds, run, count - int(server.sink_report()["messages"])

    def echoing(self, tool, server, size, want):
        block, times, count = lines_of(size, want)
        run = runner.echo(tool.command(f"{server.base}/echo", size=size, listens=False), block, times, count)
        return count / run.seconds, run, count - run.lines

    def saving(self, tool, size, count):
        path = pathlib.Path(self.scratch.name) / f"{tool.name}.bin"
        url = f"{self.plain.base}/source?count={count}&size={size}&binary"
        if tool.name == "wsline":
            run = runner.receive(tool.command(url, binary=True, size=size, options=["--save", str(path)]), to_pipe=False)
        else:
            run = runner.receive_into(tool.command(url, binary=True, size=size), path)
        got = path.stat().st_size // size
        path.unlink()
        return count / run.seconds, run, max(0, count - got)

    # The tables

    def throughput(self, server, verb):
        rows = []
        for label, (size, full) in SIZES.items():
            count = self.count(full)
            variants = [("", False), (", into a pipe", True)] if verb == "receive" else [("", False)]
            for suffix, to_pipe in variants:
                measures = {}
                for tool in self.tools:
                    if verb == "receive":
                        measures[tool.name] = lambda t=tool, s=size, c=count, p=to_pipe: self.receiving(t, server, s, c, p)
                    else:
                        measures[tool.name] = lambda t=tool, s=size, c=count: self.sending(t, server, s, c)
                rows.append(Row(f"{verb} {count:,} × {label}{suffix}", "messages/s", measures))
        return rows

    def plain_table(self):
        return self.throughput(self.plain, "receive") + self.throughput(self.plain, "send")

    def tls_table(self):
        return self.throughput(self.secure, "receive") + self.throughput(self.secure, "send")

    def echo_table(self):
        count = self.count(1_000_000)
        return [Row(f"echo of {count:,} lines, {name}", "messages/s",
                    {tool.name: lambda t=tool, s=server: self.echoing(t, s, 32, count) for tool in self.tools})
                for name, server in (("ws", self.plain), ("wss", self.secure))]

    def round_trip_table(self):
        count = self.count(20_000)
        rows = []
        for name, server in (("ws", self.plain), ("wss", self.secure)):
            collected = {}

            def measure(tool, server, kept):
                times = runner.round_trips(tool.command(f"{server.base}/echo", listens=False), b"x" * 32 + b"\n", count)
                kept[tool.name] = sorted(times)[int(len(times) * 0.99)]
                return statistics.median(times), None, 0

            def measure_p99(tool, kept):
                return kept[tool.name], None, 0

            rows.append(Row(f"round trip, {name}, median of {count:,}", "µs", higher_is_better=False,
                            measures={t.name: lambda t=t, s=server, k=collected: measure(t, s, k) for t in self.tools}))
            rows.append(Row(f"round trip, {name}, p99 of {count:,}", "µs", higher_is_better=False,
                            measures={t.name: lambda t=t, k=collected: measure_p99(t, k) for t in self.tools}))
        return rows

    def one_shot_table(self):
        count = max(5, 60 // self.scale)

        def measure(tool, server):
            runs = [runner.one_shot(tool.command(f"{server.base}/echo", one=True), b"hello\n") for _ in range(count)]
            middle = sorted(runs, key=lambda run: run.seconds)[count // 2]
            return middle.seconds * 1000, middle, sum(1 - run.lines for run in runs)

        return [Row(f"connect, send, receive, close; {name}", "ms", higher_is_better=False,
                    measures={t.name: lambda t=t, s=server: measure(t, s) for t in self.tools})
                for name, server in (("ws", self.plain), ("wss", self.secure))]

    def json_table(self):
        count = self.count(2_000_000)
        return [Row(f"receive {count:,} × 32 B as JSON", "messages/s", {
            tool.name: lambda t=tool: self.receiving(t, self.plain, 32, count, options=["--json"] if t.name == "wsline" else [])
            for tool in self.tools if tool.name != "websocat"})]

    def save_table(self):
        rows = []
        for label in ("1 KiB", "1 MiB"):
            size, full = SIZES[label]
            count = self.count(full)
            rows.append(Row(f"save {count:,} binary messages of {label}", "messages/s",
                            {tool.name: lambda t=tool, s=size, c=count: self.saving(t, s, c) for tool in self.tools}))
        return rows

    def deflate_table(self):
        count = self.count(200_000)
        rows = []
        for label, query, on in (("off", "", False), ("on", "&deflate", True)):
            rows.append(Row(f"receive {count:,} × 1 KiB of JSON, deflate {label}", "messages/s", {
                t.name: lambda t=t, q=query, d=on: self.receiving(t, self.plain, 1024, count, query=q, deflate=d) for t in self.wsline}))
            rows.append(Row(f"send {count:,} × 1 KiB, deflate {label}", "messages/s", {
                t.name: lambda t=t, q=query, d=on: self.sending(t, self.plain, 1024, count, query=q, deflate=d) for t in self.wsline}))
        return rows

    def flat_table(self):
        rows = []
        for full in (10_000, 100_000, 1_000_000, 10_000_000):
            count = self.count(full)
            for verb in ("receive", "send"):
                def measure(tool, verb=verb, count=count):
                    # What the process costs by itself is taken off, so that what is left is the messages' own.
                    alone = min(runner.one_shot(tool.command(f"{self.plain.base}/echo", one=True), b"x\n").seconds for _ in range(3))
                    work = self.receiving if verb == "receive" else self.sending
                    rate, run, lost = work(tool, self.plain, 32, count)
                    return max(0.0, run.seconds - alone) / count * 1e9, run, lost
                rows.append(Row(f"{verb} {count:,} × 32 B", "ns/message", higher_is_better=False,
                                measures={t.name: lambda t=t, m=measure: m(t) for t in self.tools if t.name != "websocat"}))
        return rows

    TABLES = {
        "plain": ("Throughput over ws", plain_table),
        "tls": ("Throughput over wss (TLS)", tls_table),
        "echo": ("Echo", echo_table),
        "roundtrip": ("Round trips, one at a time through a pipe", round_trip_table),
        "oneshot": ("A whole process", one_shot_table),
        "json": ("JSON output", json_table),
        "save": ("Binary messages saved to a file", save_table),
        "deflate": ("Compression", deflate_table),
        "flat": ("Cost of a message, whatever their number", flat_table),
    }

    def measure(self, rows):
        for number in range(self.rounds):
            for row in rows:
                for name, measure in row.measures.items():
                    figure = row.figures.setdefault(name, Figure())
                    try:
                        value, run, lost = measure()
                    except Failed as failure:
                        figure.note = str(failure)
                        continue
                    figure.values.append(value)
                    figure.lost = max(figure.lost, lost)
                    if run:
                        figure.cpu.append(run.cpu)
                        figure.peak = max(figure.peak, run.peak)
                    print(f"  round {number + 1}  {row.title:48} {name:9} {value:14,.1f} {row.unit}", file=sys.stderr, flush=True)


# The report

def number(value, unit):
    if value is None:
        return "failed"
    return f"{value:,.0f}" if value >= 100 or unit == "messages/s" else f"{value:,.2f}"


def ratio(row, other):
    """How many times as good wsline is as the other."""
    mine, theirs = row.figures.get("wsline"), row.figures.get(other)
    if not mine or not theirs or not mine.median or not theirs.median:
        return "–"
    times = mine.median / theirs.median if row.higher_is_better else theirs.median / mine.median
    return f"{times:.2f}×"


def table(title, rows):
    tools = [name for name in ("wsline", "websocat", "floor") if any(name in row.figures for row in rows)]
    others = [name for name in tools if name != "wsline"] if "wsline" in tools else []
    order = " / ".join(tools)
    heads = ["task", *tools, *[f"against {name}" for name in others], f"lost: {order}", f"CPU s: {order}", f"peak MiB: {order}"]
    lines = [f"### {title}", "", f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    notes = []
    for row in rows:
        figures = [row.figures.get(name) for name in tools]

        def each(show):
            return " / ".join(show(figure) if figure else "–" for figure in figures)

        cells = [f"{row.title}, {row.unit}"]
        cells += [number(figure.median, row.unit) if figure else "–" for figure in figures]
        cells += [ratio(row, name) for name in others]
        cells.append(each(lambda figure: f"{figure.lost:,}"))
        cells.append(each(lambda figure: f"{statistics.median(figure.cpu):.3f}" if figure.cpu else "–"))
        cells.append(each(lambda figure: f"{figure.peak / (1 << 20):.1f}" if figure.peak else "–"))
        lines.append(f"| {' | '.join(cells)} |")
        notes += [f"- {row.title}, {name}: {figure.note.splitlines()[0]}" for name, figure in row.figures.items() if figure.note]
    return "\n".join(lines + ([""] + notes if notes else [])) + "\n"


def machine():
    model = ""
    if os.path.exists("/proc/cpuinfo"):
        models = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        model = f" ({models[0]})" if models else ""
    return f"{os.cpu_count()} cores{model}, {platform.system()} {platform.release()}"


def write_page(text):
    page = PAGE.read_text() if PAGE.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    if BEGIN not in page or END not in page:
        sys.exit(f"bench: {PAGE} lacks the markers {BEGIN} and {END}; the figures go between them")
    head, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
    print(f"written to {PAGE}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the messages, two rounds")
    parser.add_argument("--only", metavar="TASK", help="these tasks alone: " + ", ".join(Bench.TABLES))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--write", action="store_true", help="put the tables into Docs/performance.md")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else list(Bench.TABLES)
    for key in chosen:
        if key not in Bench.TABLES:
            parser.error(f"no task \"{key}\"; there are {', '.join(Bench.TABLES)}")
    runner.prepare()
    bench = Bench(arguments)
    if not bench.wsline:
        print(f"bench: no wsline that answers --help at {Wsline().path}; measuring the others alone", file=sys.stderr)
    parts = [f"Measured on {time.strftime('%Y-%m-%d')}, {machine()}; medians of {bench.rounds} rounds in which the tools took turns.\n"]
    try:
        for key in chosen:
            title, rows_of = Bench.TABLES[key]
            rows = rows_of(bench)
            print(title, file=sys.stderr)
            bench.measure(rows)
            parts.append(table(title, rows))
            print(parts[-1], flush=True)
    finally:
        bench.stop()
    if arguments.write:
        write_page("\n".join(parts))


if __name__ == "__main__":
    main()
