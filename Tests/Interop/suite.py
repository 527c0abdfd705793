"""Runs the tests named on the command line, or all of them; its last line counts them."""

import pathlib
import signal
import sys
import unittest


def main():
    here = pathlib.Path(__file__).resolve().parent
    sys.path.insert(0, str(here))
    import harness

    # A run that is ended from outside unwinds too, so that nothing it started stays. (unittest would take SystemExit for a failure.)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with harness.SERVERS:
        run_tests(here)


def run_tests(here):
    loader = unittest.TestLoader()
    tests = loader.loadTestsFromNames(sys.argv[1:]) if sys.argv[1:] else loader.discover(str(here), top_level_dir=str(here))
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    # A test with several failing subtests is listed once for each of them, but is one test.
    failed = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"\n{result.testsRun - len(failed) - len(result.skipped)} passed, {len(failed)} failed{skipped}", flush=True)
    sys.exit(1 if failed or not result.testsRun else 0)


main()
