#!/usr/bin/env python3
"""Runs tests/e2e/test_*.py; writes counts to the file named on the command line: {"passed", "failed", "skipped": {test: why}}.

  tests/e2e/run.py REPORT.json [PATTERN]     PATTERN: as unittest's -k, e.g. test_score*
"""

import json
import pathlib
import sys
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f"      {time.monotonic() - self.started:.1f} s")
        self.stream.flush()


def main():
    loader = unittest.TestLoader()
    if len(sys.argv) > 2:
        loader.testNamePatterns = [f"*{sys.argv[2]}*"]
    suite = loader.discover(str(FOLDER), "test_*.py")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    bad = {test.id().split(" (")[0] for test, _ in result.failures + result.errors}
    skipped = {test.id(): why for test, why in result.skipped}
    if len(sys.argv) > 1:
        pathlib.Path(sys.argv[1]).write_text(json.dumps(
            {"passed": max(0, result.testsRun - len(bad) - len(skipped)), "failed": len(bad), "skipped": skipped}))
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
