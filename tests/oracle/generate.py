#!/usr/bin/env python3
"""Writes the oracle's cases: logs of models that were really fitted, and what scikit-learn says of them.

Every case is a directory with a configuration, a log of predictions, a log of labels and expected.json.
Every value is computed from what is written to the logs: floats are written with all their digits.

    python generate.py            writes cases/ beside this file
    python generate.py --check    writes to a temporary folder and compares, exit code 1 where they differ
"""

import argparse
import filecmp
import json
import os
import pathlib
import shutil
import sys
import tempfile
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # one thread adds in one order

from fitted import CASES
from measures import expected


def write(case, folder):
    folder.mkdir(parents=True)
    header = f"# Written by generate.py: {case.name}\n"
    (folder / "config.yaml").write_text(header + case.configuration)
    (folder / case.prediction_file).write_text("\n".join(case.prediction_lines) + "\n")
    (folder / case.label_file).write_text("\n".join(case.label_lines) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of what is undefined; here that is the point
        content = expected(case)
    (folder / "expected.json").write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def differing(one, other):
    """Paths of files that are not the same, byte for byte, in both folders."""
    names = {path.relative_to(root) for root in (one, other) for path in root.rglob("*") if path.is_file()}

    def same(name):
        both = (one / name).exists() and (other / name).exists()
        return both and filecmp.cmp(one / name, other / name, shallow=False)

    return sorted(str(name) for name in names if not same(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is there, write nothing")
    arguments = parser.parse_args()
    committed = pathlib.Path(__file__).resolve().parent / "cases"
    with tempfile.TemporaryDirectory() as temporary:
        fresh = pathlib.Path(temporary) / "cases"
        for make in CASES:
            case = make()
            write(case, fresh / case.name)
        if arguments.check:
            wrong = differing(fresh, committed)
            print("\n".join(f"differs: {name}" for name in wrong) or "all cases are as committed")
            return 1 if wrong else 0
        shutil.rmtree(committed, ignore_errors=True)
        shutil.copytree(fresh, committed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
