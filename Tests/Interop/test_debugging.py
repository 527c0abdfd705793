"""Docs/debugging.md: each block is run as it stands against the faulty server that its section names, and prints what the page says."""

import functools
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

from harness import ENVIRONMENT, HERE, LIMIT, ROOT, SCRATCH, WSLINE, InteropTestCase, start

FAULTY = HERE / "faulty"
# What differs from run to run.
VARIABLE = [(r"\b\d\d:\d\d:\d\d\.\d{6}\b", "TIME"), (r"\bmask [0-9a-f]{8}\b", "mask KEY"), (r"(?<=  81 85)( [0-9a-f]{2}){9}", " MASKED"),
            (r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{27}=", "DIGEST"), (r" +\d+ B > ", " COMPRESSED > "), (r"\(\d+ on the wire\)", "(WIRE)"),
            (r"\b([\d.]+) (m?s)\b", lambda found: "LONG" if float(found[1]) >= (500 if found[2] == "ms" else 0.5) else "SHORT")]


@dataclass
class Recipe:
    title: str
    server: str
    script: str
    output: list


def recipes():
    """The page's blocks of shell, each with the block of output after it."""
    page = (ROOT / "Docs/debugging.md").read_text()
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        server = re.search(r"\(\.\./Tests/Interop/faulty/(\w+)\.py\)", section)
        for script, output in re.findall(r"^```sh recipe\n(.*?)^```\n\n```output\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            yield Recipe(section.splitlines()[0], server[1], script, output.splitlines())


def plain(line):
    for pattern, name in VARIABLE:
        line = re.sub(pattern, name, line)
    return line


def interleaves(expected, outputs):
    """Whether the lines are those of the outputs, each in its order: which of two streams comes first is chance."""
    @functools.cache
    def fits(at, places):
        if at == len(expected):
            return all(place == len(output) for place, output in zip(places, outputs))
        return any(place < len(output) and output[place] == expected[at] and
                   fits(at + 1, (*places[:number], place + 1, *places[number + 1:]))
                   for number, (place, output) in enumerate(zip(places, outputs)))
    return fits(0, (0,) * len(outputs))


class Page(InteropTestCase):
    def run_block(self, recipe, server):
        """What the block writes to standard output and standard error, without what differs from run to run."""
        programs = SCRATCH / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "wsline").unlink(missing_ok=True)
        (programs / "wsline").symlink_to(pathlib.Path(WSLINE[0]).resolve())
        port = start([sys.executable, "-B", FAULTY / f"{server}.py"])
        environment = {**ENVIRONMENT, "PATH": f"{programs}:{ENVIRONMENT['PATH']}", "URL": f"ws://127.0.0.1:{port}/", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["/bin/sh", "-uc", recipe.script], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT,
                              cwd=SCRATCH, env=environment)
        texts = [output.decode(errors="replace").replace(f"127.0.0.1:{port}", "127.0.0.1:PORT") for output in (done.stdout, done.stderr)]
        return [[plain(line) for line in text.splitlines()] for text in texts]

    def test_the_page_has_ten_faults_and_a_server_for_each(self):
        named = [recipe.server for recipe in recipes()]
        self.assertEqual(sorted(set(named)), sorted(path.stem for path in FAULTY.glob("*.py") if path.stem != "plain"))
        self.assertEqual(len(set(named)), 10)

    def test_each_block_prints_what_the_page_says(self):
        for recipe in recipes():
            with self.subTest(recipe.title):
                outputs = self.run_block(recipe, recipe.server)
                expected = [plain(line) for line in recipe.output]
                told = "\n".join(["the page:", *expected, "standard output:", *outputs[0], "standard error:", *outputs[1]])
                self.assertTrue(interleaves(tuple(expected), outputs), told)

    def test_a_server_without_the_fault_looks_different(self):
        for recipe in recipes():
            with self.subTest(recipe.title):
                expected = [plain(line) for line in recipe.output]
                self.assertFalse(interleaves(tuple(expected), self.run_block(recipe, "plain")))
