"""Every query of every dashboard, asked of a real Prometheus: one that scraped the real exporter, and one with a fortnight.

A query must answer with a number, with every variable at All and at one value, and its answer must have the labels that
legends and links use. The models are prepared logs, so that there is one for each task, one beyond 16 classes, and one below
its target, for which the alert fires.
"""

import copy
import json
import math
import pathlib
import re
import subprocess
import tempfile
import unittest

import check_dashboards
import traffic
from check_dashboards import BUILT_IN, expand, queries, shown_panels, variables
from harness import ROOT, Exporter, Prometheus, free_port, hurried_rules

DASHBOARDS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))}
# Beyond 16 classes the confusion matrix makes place for counters by class.
SPECIES = [f"species-{number:02}" for number in range(20)]
TARGETS = {
    "fraud": {
        "accuracy": 0.97,
        "recall": {"1": 0.9},
        "precision": {"1": 0.9},
        "roc_auc": 0.9,
        "calibration_error": 0.05,
        "latency_p99": "250ms",
        "availability": 0.99,
        "coverage": 0.9,
        "label_delay": "1h",
    },
    "price": {"mae": 20, "latency_p99": "250ms", "availability": 0.9},
}
DAY = 24 * 3600
HOUR = 3600
# Nothing in these tests sets a cluster on what is scraped, as most hosts do not.
MAY_BE_EMPTY = {"cluster"}


def species():
    def answer(draw):
        label = draw.choice(SPECIES)
        return {"label": label, "scores": {name: 0.62 if name == label else 0.02 for name in SPECIES}}

    def truth(draw, fields):
        return fields["label"] if draw.random() < 0.9 else draw.choice(SPECIES)

    return traffic.Classes("species", SPECIES, answer, truth, traffic.SEED + 3, count=800)


def configuration(directory, port):
    written = traffic.configuration(directory, port)
    pets = json.dumps([log for log in written["logs"] if log["model"] == "pets"])
    written["logs"] += json.loads(pets.replace("pets", "species"))
    written["logs"][-2]["fields"]["scores"] = {name: f"scores.{name}" for name in SPECIES}
    written["models"]["species"] = {"task": "multiclass", "classes": SPECIES, "failed": "5..", "windows": ["1h"]}
    for model, targets in TARGETS.items():
        written["models"][model]["targets"] = targets
    written["state_dir"] = f"{directory}/state"
    return written


def spoil(where):
    """No record, a record without most of its values, and one with a wrong value: there is something to complain of."""
    with open(f"{where}/pets-predictions.jsonl", "a") as log:
        log.write('{ no record\n{"model_version": "1", "label": "cat"}\n')
    with open(f"{where}/price-predictions.jsonl", "a") as log:
        log.write('{"model_version": "1", "value": "many"}\n')


class Source:
    """A Prometheus, and the times at which its dashboards are looked at."""

    def __init__(self, prometheus, start, end, step, window, interval):
        self.prometheus = prometheus
        self.times = {"start": start, "end": end, "step": step}
        self.built_in = {**BUILT_IN, "__rate_interval": interval, "__interval": interval, "__range": window}
        self.window = window

    def values(self, dashboard, model):
        """Yields (name, values): every variable at All where it has that, and every variable at one value."""
        chosen = dict(self.built_in)
        several = []
        for variable in variables(dashboard):
            if variable["type"] == "datasource":
                continue
            if variable["type"] == "custom":
                chosen[variable["name"]] = self.window
                continue
            found = self.values_of(variable, chosen)
            if variable["multi"]:
                chosen[variable["name"]] = variable["allValue"]
                several.append((variable["name"], found))
            else:
                chosen[variable["name"]] = model if variable["name"] == "model" else (found or [""])[0]
        yield "All", chosen
        one = {name: re.escape(found[0]).replace("\\", "\\\\") for name, found in several if found}
        if "model" in one:
            one["model"] = model
        yield "one value", {**chosen, **one}

    def values_of(self, variable, chosen):
        selector, label = re.fullmatch(r"label_values\((.+), *(\w+)\)", expand(variable["query"]["query"], chosen)).groups()
        times = {name: self.times[name] for name in ("start", "end")}
        return self.prometheus.api(f"label/{label}/values", **{"match[]": selector}, **times)

    def answer(self, target, promql):
        """[(labels, values)], as Grafana asks: a range for a drawing, an instant for a number or a table."""
        if target.get("instant"):
            result = self.prometheus.api("query", query=promql, time=self.times["end"])["result"]
            return [(one["metric"], [float(one["value"][1])]) for one in result]
        result = self.prometheus.api("query_range", query=promql, **self.times)["result"]
        return [(one["metric"], [float(value) for _, value in one["values"]]) for one in result]


def numbers(answer):
    return [labels for labels, values in answer if any(math.isfinite(value) for value in values)]


class Answers:
    """What both sources must give."""

    source: Source
    models = ("fraud", "pets", "price", "species")
    # Of all that was counted, what the window holds at the end.
    share_in_window: float

    def looked_at(self, dashboard):
        """Yields (name, [values]) for each way to look at a dashboard, each by every model where it shows one."""
        ways = {}
        for model in self.models:
            for name, values in self.source.values(dashboard, model):
                ways.setdefault(name, []).append(values)
        return ways.items()

    def test_every_variable_has_values(self):
        for name, dashboard in DASHBOARDS.items():
            for _, ways in self.looked_at(dashboard):
                for variable in variables(dashboard):
                    if variable["type"] == "query" and variable["name"] not in self.may_be_empty:
                        with self.subTest(dashboard=name, variable=variable["name"]):
                            self.assertTrue(any(self.source.values_of(variable, values) for values in ways))

    def test_every_panel_answers_with_the_labels_of_its_legend(self):
        for name, dashboard in DASHBOARDS.items():
            for way, ways in self.looked_at(dashboard):
                for panel in shown_panels(dashboard):
                    for target in panel["targets"]:
                        with self.subTest(dashboard=name, panel=panel["title"], query=target["refId"], variables=way):
                            self.assert_answers(target, ways, labels_needed(panel, target), way == "All")

    def assert_answers(self, target, ways, needed, whole):
        seen = []
        for values in ways:
            seen += numbers(self.source.answer(target, expand(target["expr"], values)))
        promql = expand(target["expr"], ways[0])
        # One value of every variable may be an empty corner: an alert of one class of one version, say. All may not.
        if whole:
            self.assertTrue(seen, f"no answer, for no model, to: {promql}")
            for label in needed:
                self.assertTrue(any(label in labels for labels in seen), f"no series has the label {label}: {promql}")

    def test_at_one_value_most_panels_answer(self):
        # The other test lets corners be empty; here the first version and class of a model must still fill its dashboard.
        for name, dashboard in DASHBOARDS.items():
            ways = dict(self.looked_at(dashboard))["one value"]
            empty = []
            asked = 0
            for panel in shown_panels(dashboard):
                for target in panel["targets"]:
                    asked += 1
                    if not any(numbers(self.source.answer(target, expand(target["expr"], values))) for values in ways):
                        empty.append(f"{panel['title']} {target['refId']}: {expand(target['expr'], ways[0])}")
            self.assertLessEqual(len(empty), asked // 10, f"{name}, at one value:\n" + "\n".join(empty))

    def test_every_annotation_answers(self):
        for name, dashboard in DASHBOARDS.items():
            for way, ways in self.looked_at(dashboard):
                for annotation in dashboard["annotations"]["list"]:
                    with self.subTest(dashboard=name, annotation=annotation["name"], variables=way):
                        needed = re.findall(r"{{(\w+)}}", annotation["titleFormat"] + annotation["textFormat"])
                        self.assert_answers(annotation, ways, needed, way == "All")

    def test_beyond_16_classes_quality_is_there_too(self):
        dashboard = DASHBOARDS["model.json"]
        values = dict(self.source.values(dashboard, "species"))["All"]
        for title in ("Accuracy", "Recall by class", "Precision by class", "Labelled predictions by version"):
            panel = next(panel for panel in shown_panels(dashboard) if panel["title"] == title and panel["type"] == "timeseries")
            answer = self.source.answer(panel["targets"][0], expand(panel["targets"][0]["expr"], values))
            self.assertTrue(numbers(answer), title)
            if "Labelled" in title:
                # 9 of 10 of 800 predictions, of both versions. increase() guesses at the ends of its window, and the days differ
                # by what the rhythm does not cancel; counting twice would be far outside.
                expected = 720 * self.share_in_window
                counted = sum(values[-1] for _, values in answer)
                self.assertTrue(0.7 * expected < counted < 1.3 * expected, f"{counted}, expected {expected}")
            if "class" in title:
                self.assertEqual({labels["class"] for labels in numbers(answer)}, set(SPECIES), title)


def labels_needed(panel, target):
    """The labels that a legend, a row's key or a link reads."""
    needed = re.findall(r"{{(\w+)}}", target["legendFormat"])
    if panel["type"] == "heatmap":
        needed.append("le")
    for link in panel["fieldConfig"]["defaults"].get("links", []):
        needed += re.findall(r"__field\.labels\.(\w+)", link["url"]) if "{{" in target["legendFormat"] else []
    for transformation in panel.get("transformations", []):
        options = transformation["options"]
        if transformation["id"] == "organize":
            keys = {label for label in options["renameByName"] if not label.startswith("Value")}
            needed += keys - MAY_BE_EMPTY
        if transformation["id"] == "groupingToMatrix":
            needed += [options["rowField"], options["columnField"]]
    return [label for label in needed if label not in MAY_BE_EMPTY]


class Scraped(Answers, unittest.TestCase):
    """The real exporter, scraped while logs grow."""

    may_be_empty = MAY_BE_EMPTY
    share_in_window = 1

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(cls.directory.cleanup)
        where, port = cls.directory.name, free_port()
        config = pathlib.Path(where, "config.yaml")
        config.write_text(json.dumps(configuration(where, port), indent=1))
        cls.exporter = Exporter("dashboards-exporter", ["run", "--config", config], port)
        cls.addClassCleanup(cls.exporter.close)
        cls.exporter.wait_ready()
        cls.prometheus = Prometheus("dashboards-prometheus", where, {"inference": cls.exporter.address}, [hurried_rules(where)])
        cls.addClassCleanup(cls.prometheus.close)
        cls.started = cls.prometheus.scalar("time()")
        cls.write_logs(where)
        alert = 'ALERTS{alertstate="firing", model="fraud"}'
        cls.prometheus.wait_for("the alert of the model below its target fires", lambda: cls.prometheus.query(alert))
        # A step beyond what is known now, so that the last one drawn has the alert.
        end = cls.prometheus.scalar("time()") + 2
        cls.prometheus.wait_for("the end of the time looked at", lambda: cls.prometheus.scalar("time()") > end)
        cls.source = Source(cls.prometheus, cls.started, end, "1s", "1h", "15s")

    @classmethod
    def write_logs(cls, where):
        """In two halves, each seen in Prometheus before the next: a rate needs two samples of a series."""
        models = [*traffic.everything(), species()]
        for half in (0, 1):
            for model in models:
                part = copy.copy(model)
                part.rows, part.labels = model.rows[half::2], model.labels[half::2]
                part.write_predictions(where)
                part.write_labels(where)
            spoil(where)
            for model in models:
                answered = len(model.rows[half::2]) + half * len(model.rows[0::2])
                asked = f'sum(inference_requests_total{{model="{model.model}"}})'
                joined = f'sum(inference_labels_total{{model="{model.model}", result="joined"}}) > {half * len(model.labels) // 2}'
                cls.exporter.wait_for(
                    f"{answered} requests of {model.model} in Prometheus, and labels",
                    lambda asked=asked, answered=answered: (cls.prometheus.scalar(asked) or 0) >= answered,
                )
                cls.exporter.wait_for(f"labels of {model.model}", lambda joined=joined: cls.prometheus.query(joined))

    def test_exemplars_reach_the_panels_that_show_them(self):
        for name, dashboard in DASHBOARDS.items():
            for _, ways in self.looked_at(dashboard):
                for panel in shown_panels(dashboard):
                    for target in panel["targets"]:
                        if target.get("exemplar") and "duration_seconds" in target["expr"]:
                            with self.subTest(dashboard=name, panel=panel["title"]):
                                # An exemplar has the time of its request, and the prepared logs begin five minutes ago.
                                times = {"start": self.source.times["start"] - 600, "end": self.source.times["end"]}
                                asked = (
                                    self.prometheus.api("query_exemplars", query=expand(target["expr"], values), **times)
                                    for values in ways
                                )
                                self.assertTrue(any(asked))


class Fortnight(Answers, unittest.TestCase):
    """Two weeks of what the exporter exposes, written into Prometheus by promtool: long windows, other clusters."""

    may_be_empty = frozenset()
    share_in_window = 1 / 14

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(directory.cleanup)
        where, port = directory.name, free_port()
        config = pathlib.Path(where, "config.yaml")
        config.write_text(json.dumps(configuration(where, port), indent=1))
        exporter = Exporter("dashboards-fortnight-exporter", ["run", "--config", config], port)
        cls.addClassCleanup(exporter.close)
        exporter.wait_ready()
        spoil(where)
        for model in [*traffic.everything(), species()]:
            model.write_predictions(where)
            model.write_labels(where)
            exporter.wait_for(
                f"labels of {model.model}",
                lambda model=model: re.search(rf'inference_labels_total{{model="{model.model}",.*result="joined"}} [1-9]', exporter.metrics()),
            )
        exposition = exporter.metrics()
        exporter.terminate()
        newest = max(map(float, re.findall(r"(?m)^inference_model_last_seen_timestamp_seconds\S* (\S+)$", exposition)))
        end = int(newest) // HOUR * HOUR
        backfill(exposition, f"{where}/dashboards-fortnight-tsdb", end, newest)
        cls.prometheus = Prometheus("dashboards-fortnight", where, {})
        cls.addClassCleanup(cls.prometheus.close)
        cls.source = Source(cls.prometheus, end - 14 * DAY, end, HOUR, "1d", "4h")


def backfill(exposition, tsdb, end, newest):
    """A sample an hour for a fortnight up to `end`: counters climb to what the exposition says, with a day's rhythm, times
    keep their distance from the sample's, and everything else stays as it is."""
    counters = set(re.findall(r"(?m)^# TYPE (\S+) counter$", exposition))
    histograms = set(re.findall(r"(?m)^# TYPE (\S+) histogram$", exposition))
    counters |= {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    # No blank after a comma: OpenMetrics knows none.
    where = 'cluster="north",namespace="shop",job="inference",instance="pod-0:9897"'
    series = [re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups() for line in exposition.splitlines() if not line.startswith("#")]
    series += [("up", "", "1"), ("scrape_duration_seconds", "", "0.01")]
    alert = 'alertname="ModelAccuracyBelowTarget",alertstate="firing",severity="critical",model="fraud"'
    series.append(("ALERTS", alert, "1"))
    hours = 14 * 24
    path = pathlib.Path(tsdb).with_suffix(".om")
    with path.open("w") as file:
        for name, labels, text in series:
            value = float(text)
            for hour in range(hours + 1):
                at = end - (hours - hour) * HOUR
                if name in counters:
                    # More by day than by night, and never falling.
                    sample = value * (hour - 3 * math.sin(2 * math.pi * hour / 24)) / hours
                elif "timestamp_seconds" in name or name == "process_start_time_seconds":
                    sample = value - (newest - at) if value else value
                else:
                    sample = value
                file.write(f"{name}{{{labels + ',' if labels else ''}{where}}} {max(sample, 0.0) if name in counters else sample!r} {at}\n")
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=400h", str(path), tsdb]
    written = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert written.returncode == 0, written.stderr


class Rules(unittest.TestCase):
    """The checks of scripts/check_dashboards.py notice what they are for: each mistake is made once, in a copy."""

    def assert_noticed(self, rule, spoil):
        dashboard = copy.deepcopy(DASHBOARDS["model.json"])
        already = set(check_dashboards.problems(dashboard))
        spoil(dashboard)
        found = {name for name, text in {*check_dashboards.problems(dashboard), *check_dashboards.promql_problems(dashboard)} - already}
        self.assertIn(rule, found)

    def test_each_rule_notices_its_mistake(self):
        def variable(name, **changes):
            return lambda dashboard: next(one for one in variables(dashboard) if one["name"] == name).update(changes)

        def panel(**changes):
            return lambda dashboard: next(shown_panels(dashboard)).update(changes)

        def expression(text):
            return lambda dashboard: next(shown_panels(dashboard))["targets"][0].update(expr=text)

        scope = 'job=~"$job", model="$model"'
        mistakes = {
            "template-datasource-rule": variable("datasource", label="Source"),
            "template-job-rule": variable("job", allValue=".*"),
            "template-label-promql-rule": variable("model", query={"query": "model"}),
            "template-on-time-change-reload-rule": variable("model", refresh=1),
            "panel-datasource-rule": panel(datasource={"type": "prometheus", "uid": "abc"}),
            "panel-title-description-rule": panel(description=""),
            "panel-units-rule": panel(fieldConfig={"defaults": {"unit": "count:apples", "noValue": "–"}, "overrides": []}),
            "panel-no-targets-rule": panel(targets=[]),
            "panel-no-value-rule": panel(fieldConfig={"defaults": {"unit": "s"}, "overrides": []}),
            "panel-bad-rule": panel(description="Whether all is well."),
            "target-promql-rule": expression("sum(("),
            "target-rate-interval-rule": expression(f"rate(inference_requests_total{{{scope}}}[5m])"),
            "target-job-rule": expression('sum(rate(inference_requests_total{model="$model"}[$__rate_interval]))'),
            "target-counter-agg-rule": expression(f"sum(inference_requests_total{{{scope}}})"),
            "target-logql-rule": lambda dashboard: next(shown_panels(dashboard))["targets"][0]["datasource"].update(type="loki"),
            "uneditable-dashboard": lambda dashboard: dashboard.update(editable=True),
            "portable-id-rule": lambda dashboard: dashboard.update(uid=""),
            "layout-rule": lambda dashboard: dashboard["panels"][1]["gridPos"].update(x=0),
            "link-rule": panel(links=[{"url": "/d/inference-nowhere/x"}]),
        }
        for rule, spoil in mistakes.items():
            with self.subTest(rule=rule):
                self.assert_noticed(rule, spoil)

    def test_a_rule_about_instances_is_excluded_with_a_reason(self):
        self.assertEqual(
            check_dashboards.exclusions(ROOT / "dashboards"),
            {"template-instance-rule", "target-instance-rule"},
        )


if __name__ == "__main__":
    unittest.main()
