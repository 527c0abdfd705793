"""What the interop tests share: the peers they start, the proxy in front of them, and how wsline is run and judged."""

import contextlib
import functools
import os
import pathlib
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WSLINE = os.environ.get("WSLINE", str(ROOT / ".build/debug/wsline")).split()
LIMIT = 120  # seconds; a bound for what hangs, not a time that anything should take
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    "NODE_PATH": os.environ.get("NODE_PATH", "/usr/share/nodejs"),  # where Debian puts node-ws, whoever packaged node
}
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="wsline-interop-"))
SERVERS = contextlib.ExitStack()  # what the tests share; suite.py closes it, however they end
SERVERS.callback(shutil.rmtree, SCRATCH, ignore_errors=True)
PEERS = {"python": [sys.executable, HERE / "peers/server.py"], "node": ["node", HERE / "peers/server.js"]}
CLIENTS = {"python": [sys.executable, HERE / "peers/client.py"], "node": ["node", HERE / "peers/client.js"]}


# Processes

def stop(process):
    """Ends a process, kindly at first."""
    for way in (process.terminate, process.kill):
        if process.poll() is None:
            way()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)


def end(process):
    """Ends a process and closes the pipes to it."""
    stop(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(BrokenPipeError):  # what a test wrote and the process did not read
                pipe.close()


@contextlib.contextmanager
def running(command):
    """A program that runs beside the test, with pipes to it; it ends with the context."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=ENVIRONMENT)
    try:
        yield process
    finally:
        end(process)


def start(command):
    """Starts a server that prints its port and ends with its stdin; returns that port."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    SERVERS.callback(end, process)
    line = process.stdout.readline()
    if not line.strip().isdigit():
        raise RuntimeError(f"{command[0]} {command[1]} named no port but {line!r}")
    return int(line)


@functools.cache
def peer(kind, deflate="none"):
    """The port of a server of that kind; one serves all the tests."""
    return start([*PEERS[kind], "--deflate", deflate])


@functools.cache
def unix_peer():
    path = SCRATCH / "peer.sock"
    start([*PEERS["python"], "--unix", path])
    return path


@functools.cache
def certificate():
    """A self-signed certificate for localhost and 127.0.0.1, and its key."""
    cert, key = SCRATCH / "cert.pem", SCRATCH / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def wait_until(happened, what):
    deadline = time.monotonic() + 30
    while not happened():
        if time.monotonic() > deadline:
            raise RuntimeError(f"in 30 s {what} did not happen")
        time.sleep(0.02)


NGINX = """
daemon off; worker_processes 1; pid {pid_file}; {user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert}; ssl_certificate_key {key};
        location ~ ^/(\\d+)(/.*)$ {{  # the path's first part is the port of the server behind
            proxy_pass http://127.0.0.1:$1$2$is_args$args;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_read_timeout {limit}s;
        }}
    }}
}}
"""


@functools.cache
def nginx():
    """The port of an nginx that ends TLS: /PORT/path goes on to that port of this machine."""
    for _ in range(5):  # it can't be told to pick a free port, and another program may take the one we found before it does
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        if start_nginx(port):
            return port
    raise RuntimeError(f"nginx: {(SCRATCH / 'nginx.log').read_text()}")


def start_nginx(port):
    """Whether it listens on that port."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    cert, key = certificate()
    config = SCRATCH / "nginx.conf"
    pid_file = SCRATCH / "nginx.pid"
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker is someone who can't enter our folder
    config.write_text(NGINX.format(scratch=SCRATCH, pid_file=pid_file, user=user, port=port, cert=cert, key=key, limit=LIMIT))
    process = subprocess.Popen([program, "-p", SCRATCH, "-e", SCRATCH / "nginx.log", "-c", config], stdin=subprocess.DEVNULL)
    SERVERS.callback(end, process)
    # Its file is there once it listens; whether the port accepts would also be true of another program's.
    wait_until(lambda: pid_file.exists() or process.poll() is not None, "nginx listening")
    return process.poll() is None


# wsline

@dataclass
class Result:
    """What one run of a program gave."""

    command: list
    status: int
    stdout: bytes
    stderr: str


def run(*arguments, input=b"", program=None):
    """Runs wsline to its end, with input as its stdin."""
    command = [str(part) for part in (*(program or WSLINE), *arguments)]
    try:
        done = subprocess.run(command, input=input, capture_output=True, timeout=LIMIT, env=ENVIRONMENT)
    except subprocess.TimeoutExpired as hung:
        stderr = (hung.stderr or b"").decode(errors="replace")
        raise AssertionError(f"{' '.join(command)}\nstill ran after {LIMIT} s; stderr: {stderr[-1000:]}") from None
    return Result(command, done.returncode, done.stdout, done.stderr.decode(errors="replace"))


class Listening:
    """A `wsline -l` on a free port of this machine, as a context."""

    def __init__(self, *arguments, scheme="ws"):
        self.command = [*WSLINE, "-l", "127.0.0.1:0", *map(str, arguments)]
        self.scheme = scheme
        self._readers = []

    def __enter__(self):
        with contextlib.ExitStack() as started:
            self.process = started.enter_context(running(self.command))
            started.callback(self._stop)
            self.stdout_lines = self._lines(self.process.stdout)
            self.stderr_lines = self._lines(self.process.stderr)
            line = self.stderr_lines.get(timeout=30)
            found = re.match(rf"Listening on {self.scheme}://127\.0\.0\.1:(\d+)\b", line or "")
            if not found:
                raise AssertionError(f"{' '.join(self.command)} named no port but said {line!r}")
            self.url = f"{self.scheme}://localhost:{found[1]}/"
            self._running = started.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()

    def _stop(self):
        """Ends wsline and what reads its pipes, before they are closed."""
        stop(self.process)
        for reader in self._readers:
            reader.join()

    def _lines(self, pipe):
        """The lines of a pipe as they come; None is its end."""
        lines = queue.Queue()

        def read():
            for line in pipe:
                lines.put(line.decode(errors="replace").rstrip("\n"))
            lines.put(None)

        reader = threading.Thread(target=read, daemon=True)
        self._readers.append(reader)
        reader.start()
        return lines

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()


class InteropTestCase(unittest.TestCase):
    """Judges a run as a whole: status and stdout, byte for byte."""

    def check(self, result, stdout, status=0, stderr=None):
        """The run ended with this status, wrote exactly this, and its stderr matches this pattern."""
        command = " ".join(result.command)
        told = f"{command[:400]}\nstderr: {result.stderr[-1500:]}"
        if result.stdout != stdout:
            at = next((i for i, pair in enumerate(zip(result.stdout, stdout)) if pair[0] != pair[1]), min(len(result.stdout), len(stdout)))
            self.fail(f"stdout differs from byte {at} on: {result.stdout[at:at + 80]!r}, expected {stdout[at:at + 80]!r} "
                      f"({len(result.stdout)} bytes, expected {len(stdout)}); status {result.status}\n{told}")
        self.assertEqual(result.status, status, f"exit status; {told}")
        if stderr:
            self.assertRegex(result.stderr, stderr, told)


def numbered_lines(count):
    return b"".join(b"line %d of the input\n" % number for number in range(count))


def json_lines(count):
    """Lines of 40 to 400 bytes, and each hundredth of 3 KB: below and above what wsline compresses, within small windows and beyond."""
    def line(n):
        tags = ",".join(f'"tag {n * k % 9973}"' for k in range(400 if n % 100 == 99 else n % 32))
        return '{"id":%d,"name":"item %d","price":%d.%02d,"tags":[%s]}\n' % (n, n * 7919 % count, n * 31 % 997, n % 100, tags)
    return "".join(map(line, range(count))).encode()
