"""Checks what promtool does not know about the rule files: that every alert is documented and tested.

For each alert: a runbook with the four headings, a dashboard that exists, a unit test in which it fires and one in which
it stays silent. Standard library only, so it reads the few keys it needs by line and not as YAML.

Usage: check_alerts.py DIRECTORY
"""

import json
import pathlib
import re
import sys

HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
SEVERITIES = {"critical", "warning", "info"}


def problems(alerts: pathlib.Path):
    """Yields one sentence per mistake."""
    tests = "\n".join(path.read_text() for path in sorted(alerts.glob("tests/*.yaml")))
    uids = {json.loads(path.read_text())["uid"] for path in alerts.parent.glob("dashboards/*.json")}
    names = []
    for rules in sorted(alerts.glob("*.rules.yaml")):
        # One chunk per rule: from its `- alert:` to the next list item that opens a rule.
        for chunk in re.split(r"(?m)^ +- (?=alert:|record:)", rules.read_text()):
            match = re.match(r"alert: (\w+)", chunk)
            if match:
                names.append(match[1])
                yield from (f"{rules.name}: {match[1]}: {text}" for text in alert_problems(match[1], chunk, alerts, tests, uids))
    if not names:
        yield f"{alerts}: no alert found"
    for runbook in sorted(alerts.glob("runbooks/*.md")):
        if runbook.stem not in names:
            yield f"{runbook}: no alert has this name"


def alert_problems(name, chunk, alerts, tests, uids):
    severity = re.search(r"severity: (\w+)", chunk)
    if not severity or severity[1] not in SEVERITIES:
        yield f"severity must be one of {sorted(SEVERITIES)}"
    for annotation in ("summary", "description"):
        if not re.search(rf"(?m)^ +{annotation}: ", chunk):
            yield f"has no {annotation}"
    runbook = alerts / "runbooks" / f"{name}.md"
    if f"/runbooks/{name}.md" not in chunk:
        yield f"runbook_url does not point at runbooks/{name}.md"
    if not runbook.exists():
        yield f"{runbook} is missing"
    elif (headings := re.findall(r"(?m)^## (.+)$", runbook.read_text())) != HEADINGS:
        yield f"{runbook} has the headings {headings}, expected {HEADINGS}"
    uid = re.search(r'dashboard_url: "?/d/([\w-]+)', chunk)
    if not uid or uid[1] not in uids:
        yield f"dashboard_url must start with /d/ and a uid of dashboards/: {sorted(uids)}"
    # An alert's tests in file order; each says which alerts are expected.
    expectations = re.findall(rf"alertname: {name}\n(?:(?! *- alertname).*\n)*? *exp_alerts:( \[\])?", tests)
    if "" not in expectations:
        yield "has no unit test in which it fires"
    if " []" not in expectations:
        yield "has no unit test in which it stays silent"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(problems(pathlib.Path(sys.argv[1])))
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        sys.exit(1)
    print("alerts: documented and tested")


if __name__ == "__main__":
    main()
