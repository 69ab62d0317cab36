"""Checks the Grafana dashboards: what Grafana's own dashboard-linter asks for, as far as it concerns Prometheus.

The rules have the linter's names. Exclusions, each with its reason, stand in the `.lint` file beside the dashboards.
PromQL is parsed by promtool, as recording rules, after the dashboard's variables have been filled in. Standard library only.

Usage: check_dashboards.py FILE…
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Of Grafana's unit ids, those that mean something here; a new one is added with its first use.
UNITS = {"bytes", "cps", "dateTimeAsIso", "none", "percentunit", "reqps", "s", "short"}
DESCRIBED = {"stat", "gauge", "timeseries", "table", "heatmap", "barchart", "state-timeline"}
DASHBOARDS = pathlib.Path(__file__).resolve().parents[1] / "dashboards"
UIDS = {json.loads(path.read_text())["uid"] for path in DASHBOARDS.glob("*.json")}
# What Grafana fills in by itself.
BUILT_IN = {"__rate_interval": "1m", "__interval": "30s", "__range": "1h"}


def shown_panels(dashboard):
    """Yields the panels that show something, those inside collapsed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def variables(dashboard):
    return dashboard["templating"]["list"]


def expand(query, values):
    """Fills in `$name` and `${name}`; an unknown variable is an error, as Grafana would send it as it stands."""

    def value(match):
        name = match[1] or match[2]
        if name not in values:
            raise KeyError(f"the query uses ${name}, which the dashboard does not define: {query}")
        return values[name]

    # `$1` belongs to label_replace.
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))", value, query)


def defaults(dashboard, **chosen):
    """A value for each variable: the chosen one, else what All stands for, else the first option."""
    values = dict(BUILT_IN)
    for variable in variables(dashboard):
        options = variable.get("options") or [{"value": "chosen"}]
        values[variable["name"]] = variable.get("allValue") or options[0]["value"]
    return {**values, **chosen}


def queries(dashboard):
    """Yields (where, expression) for each query of a panel or an annotation."""
    for panel in shown_panels(dashboard):
        for target in panel.get("targets", []):
            yield f"panel “{panel['title']}” {target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield f"annotation “{annotation['name']}”", annotation["expr"]


def problems(dashboard):
    """Yields (rule, text) for each mistake."""
    yield from dashboard_problems(dashboard)
    for variable in variables(dashboard):
        yield from variable_problems(variable)
    seen = set()
    for panel in shown_panels(dashboard):
        if panel["id"] in seen:
            yield "panel-id-rule", f"panel “{panel['title']}” repeats the id {panel['id']}"
        seen.add(panel["id"])
        for rule, text in panel_problems(panel):
            yield rule, f"panel “{panel.get('title')}” {text}"
        for target in panel.get("targets", []):
            for rule, text in target_problems(target["expr"]):
                yield rule, f"panel “{panel['title']}” {target['refId']} {text}"
    yield from layout_problems(dashboard)


def dashboard_problems(dashboard):
    if dashboard.get("editable") is not False:
        yield "uneditable-dashboard", "must be `editable: false`; changes belong into the file"
    if dashboard.get("id") is not None:
        yield "portable-id-rule", "`id` must be null; it belongs to one Grafana"
    if not 0 < len(dashboard.get("uid", "")) <= 40:
        yield "portable-id-rule", "`uid` must have 1 to 40 characters; links use it"
    by_name = {variable["name"]: variable for variable in variables(dashboard)}
    source = by_name.get("datasource", {})
    if source.get("type") != "datasource" or source.get("label") != "Data source":
        yield "template-datasource-rule", "needs a variable `datasource` labelled “Data source”"
    for name in ("job", "instance"):
        variable = by_name.get(name, {})
        if not variable.get("multi") or variable.get("allValue") != ".+" or variable.get("label") != name.capitalize():
            yield f"template-{name}-rule", f"needs a variable `{name}`, multi, all value `.+`, labelled “{name.capitalize()}”"


def variable_problems(variable):
    if variable["type"] != "query":
        return
    name = variable["name"]
    if variable.get("refresh") != 2:
        yield "template-on-time-change-reload-rule", f"variable {name} must have `refresh: 2`"
    if variable.get("datasource", {}).get("uid") != "$datasource":
        yield "template-datasource-rule", f"variable {name} must use $datasource"
    if not re.fullmatch(r"label_values\((.+, *)?\w+\)", variable["query"]["query"]):
        yield "template-label-promql-rule", f"variable {name} must be a label_values(…)"


def panel_problems(panel):
    if panel.get("datasource", {}).get("uid") != "$datasource":
        yield "panel-datasource-rule", "must use $datasource"
    for target in panel.get("targets", []):
        if target.get("datasource", {}).get("uid") != "$datasource":
            yield "panel-datasource-rule", f"target {target['refId']} must use $datasource"
        # The linter's two rules about LogQL have nothing to look at as long as this one holds.
        if target.get("datasource", {}).get("type") != "prometheus":
            yield "target-logql-rule", f"target {target['refId']} does not ask Prometheus"
    if not panel.get("targets"):
        yield "panel-no-targets-rule", "has no query"
    if panel["type"] in DESCRIBED and not (panel.get("title") and panel.get("description")):
        yield "panel-title-description-rule", "needs a title and a description"
    if "Bad: " not in panel.get("description", ""):
        yield "panel-bad-rule", "must say what bad looks like (“Bad: …”)"
    for uid in re.findall(r"/d/([\w-]+)/", json.dumps(panel)):
        if uid not in UIDS:
            yield "link-rule", f"leads to {uid}, which is no dashboard"
    defaults_of_fields = panel["fieldConfig"]["defaults"]
    if defaults_of_fields.get("unit") not in UNITS:
        yield "panel-units-rule", f"has the unit {defaults_of_fields.get('unit')!r}, expected one of {sorted(UNITS)}"
    if not defaults_of_fields.get("noValue"):
        yield "panel-no-value-rule", "must say what it means that there is nothing (`noValue`)"
    described = set(re.findall(r"inference_\w+", panel.get("description", "")))
    queried = {metric for target in panel["targets"] for metric in re.findall(r"inference_\w+", target["expr"])}
    for metric in described:
        if not any(name.startswith(metric) for name in queried):
            yield "panel-title-description-rule", f"describes {metric}, which it does not query"


def target_problems(expression):
    for function, window in re.findall(r"\b(rate|irate)\([^\[\]]*\[([^\]]*)\]", expression):
        if window != "$__rate_interval":
            yield "target-rate-interval-rule", f"{function} over [{window}], expected [$__rate_interval]"
    for metric, selector in re.findall(r"\b(inference_\w+)(\{[^}]*\})?", expression):
        for label in ("job", "instance"):
            if f'{label}=~"${label}"' not in selector:
                yield f"target-{label}-rule", f'{metric} lacks {label}=~"${label}"'
    # A counter's value says nothing; only its growth does.
    bare = re.sub(r"\b(rate|irate|increase)\(inference_\w+\{[^}]*\}\[[^\]]*\]\)", "", expression)
    for metric in re.findall(r"\binference_\w+_total\b", bare):
        yield "target-counter-agg-rule", f"{metric} outside of rate, irate and increase"


def layout_problems(dashboard):
    """Panels that overlap are moved by Grafana at load, so that the file and the screen differ."""
    taken = {}
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        if grid["x"] + grid["w"] > 24:
            yield "layout-rule", f"panel “{panel['title']}” is wider than the grid"
        for cell in ((x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])):
            other = taken.setdefault(cell, panel["title"])
            if other != panel["title"]:
                yield "layout-rule", f"panel “{panel['title']}” lies over “{other}”"
                break


def promql_problems(dashboard):
    """Parses every query as promtool reads a recording rule."""
    rules = []
    for where, expression in queries(dashboard):
        try:
            expanded = expand(expression, defaults(dashboard))
        except KeyError as error:
            yield "target-promql-rule", f"{where}: {error.args[0]}"
            continue
        # JSON is YAML, and promtool repeats the record's name in its message.
        rules.append({"record": "query", "expr": expanded, "labels": {"where": where}})
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        yield "target-promql-rule", f"promtool: {checked.stdout}{checked.stderr}"


def exclusions(directory):
    """The rules that `.lint` excludes for the whole directory: keys two spaces in, each followed by its reason."""
    path = directory / ".lint"
    text = path.read_text() if path.exists() else ""
    return set(re.findall(r"(?m)^  ([\w-]+):\n    reason: \S", text))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failed = False
    for path in map(pathlib.Path, sys.argv[1:]):
        dashboard = json.loads(path.read_text())
        excluded = exclusions(path.parent)
        for rule, text in [*problems(dashboard), *promql_problems(dashboard)]:
            if rule not in excluded:
                print(f"{path}: {rule}: {text}", file=sys.stderr)
                failed = True
        shown = sum(1 for _ in shown_panels(dashboard))
        print(f"{path}: {shown} panels, {sum(1 for _ in queries(dashboard))} queries checked")
    # A change made by hand would be lost at the next generation.
    stale = subprocess.run([sys.executable, DASHBOARDS / "generate.py", "--check"], check=False).returncode
    sys.exit(1 if failed or stale else 0)


if __name__ == "__main__":
    main()
