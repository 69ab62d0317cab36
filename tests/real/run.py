"""Runs the tests against real servers: all, or those named (`run.py test_page`, `run.py test_demo.Demo`)."""

import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts")]

NEEDED = ["prometheus", "promtool", "chromium", "chromedriver"]


def main():
    missing = [command for command in NEEDED if not shutil.which(command)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; install them with: scripts/setup.sh test")
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    tests = loader.loadTestsFromNames(names) if names else loader.discover(str(HERE), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    if result.testsRun == 0:
        sys.exit("no test found")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
