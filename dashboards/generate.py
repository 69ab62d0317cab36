"""Writes the dashboards from their source, so that five files keep to one set of variables, links, units and queries.

Usage: generate.py [--check]    --check writes nothing and fails where a file is not what the source says
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from source import exporter, fleet, model, traffic, versions  # noqa: E402 – found through the path above

DASHBOARDS = {"fleet": fleet, "model": model, "versions": versions, "traffic": traffic, "exporter": exporter}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    expected = {HERE / f"{name}.json": json.dumps(module.dashboard(), indent=2, ensure_ascii=False) + "\n" for name, module in DASHBOARDS.items()}
    if "--check" not in sys.argv:
        for path, text in expected.items():
            path.write_text(text)
        return
    found = {path: path.read_text() for path in HERE.glob("*.json")}
    for path in sorted(expected.keys() | found.keys()):
        if expected.get(path) != found.get(path):
            sys.exit(f"{path} is not what its source says; change dashboards/source and run: python3 dashboards/generate.py")


if __name__ == "__main__":
    main()
