"""The cases of tests/oracle, tailed live and scraped by a real Prometheus, which answers what scikit-learn says.

`replay` is held to the same cases by the Rust tests. Live, one thing is different: the clock is ours, and the cases' events
are long past. So no prediction is pending once the logs have been read: what nobody answered in time has expired, and
counts against coverage. All else is equal.
"""

import json
import math
import re
import tempfile
import unittest

from harness import ROOT, Exporter, Prometheus, TextOnlyProxy, free_port, lint

# scikit-learn and the exporter sum in another order; 1e-9 is what the exporter promises, relative above 1.
TOLERANCE = 1e-9
# Longer ago than the cases' events, so that their versions stay though nothing was heard of them for months.
EXPIRE_AFTER = "876000h"

# Window gauges by their name in expected.json: of a version and window, of a class, of an average.
SCALARS = {
    "samples": "inference_window_samples",
    "accuracy": "inference_accuracy_ratio",
    "accuracy_lower": "inference_accuracy_lower_ratio",
    "accuracy_upper": "inference_accuracy_upper_ratio",
    "balanced_accuracy": "inference_balanced_accuracy_ratio",
    "mcc": "inference_mcc",
    "cohen_kappa": "inference_cohen_kappa",
    "log_loss": "inference_log_loss",
    "brier_score": "inference_brier_score",
    "calibration_error": "inference_calibration_error",
    "mse": "inference_mse",
    "rmse": "inference_rmse",
    "mae": "inference_mae",
    "mape": "inference_mape_ratio",
    "bias": "inference_bias",
    "r2": "inference_r2",
}
BY_CLASS = {
    "precision": "inference_precision_ratio",
    "precision_lower": "inference_precision_lower_ratio",
    "precision_upper": "inference_precision_upper_ratio",
    "recall": "inference_recall_ratio",
    "recall_lower": "inference_recall_lower_ratio",
    "recall_upper": "inference_recall_upper_ratio",
    "f1": "inference_f1_score",
    "specificity": "inference_specificity_ratio",
}
BY_AVERAGE = {
    "precision": "inference_precision_average_ratio",
    "recall": "inference_recall_average_ratio",
    "f1": "inference_f1_average_score",
    "specificity": "inference_specificity_average_ratio",
}
# Estimates, each with a family for its error bound.
CURVES = {"roc_auc": "inference_roc_auc", "pr_auc": "inference_pr_auc"}
# Of these expected.json says nothing that a metric shows; anything else that is not above is a hole in this test.
NOT_A_GAUGE = {"cells", "mape_left_out"}


class Vectors:
    """What queries must answer: by query, the value of each series, which is named by its labels.

    A query stands here even where all its values are undefined: then it must answer nothing.
    """

    def __init__(self):
        self.exact, self.curves = {}, {}

    def add(self, query, value, vectors=None, **labels):
        series = (self.exact if vectors is None else vectors).setdefault(query, {})
        if value is not None:
            key = frozenset(labels.items())
            assert key not in series, f"{query}: {labels} twice"
            series[key] = value

    def add_case(self, expected):
        for model, answers in expected["models"].items():
            for result, count in answers["labels"].items():
                # Summed over versions, and the labels whose version is unknown.
                self.add("sum by (model, result) (inference_labels_total{JOB} > 0)", count or None, model=model, result=result)
            self.add("sum by (model) (inference_labels_waiting{JOB})", 0, model=model)
            for version, answer in answers["versions"].items():
                self.add_counters(answer, model=model, version=version)
                self.add_window(answer["all"], model=model, version=version, window="all", slice="all")
                for value, answer_of_slice in answer.get("slices", {}).items():
                    self.add_window(answer_of_slice, model=model, version=version, window="all", slice=value)
                    self.add_cells(answer_of_slice, value, model=model, version=version)

    def add_counters(self, answer, **labels):
        for result, count in answer["requests"].items():
            query = "sum by (model, version, result) (inference_requests_total{JOB} > 0)"
            self.add(query, count or None, result=result, **labels)
        for part in ("count", "sum"):
            query = f"sum by (model, version) (inference_request_duration_seconds_{part}{{JOB}})"
            self.add(query, answer["latency_seconds"][part], **labels)
        settled = answer["settled"]
        expired = settled["expired"] + settled["pending"]
        self.add("sum by (model, version) (inference_predictions_pending{JOB})", 0, **labels)
        query = 'sum by (model, version) (inference_predictions_unlabeled_total{JOB, reason="expired"})'
        self.add(query, expired, **labels)
        query = 'sum by (model, version) (inference_predictions_unlabeled_total{JOB, reason!="expired"})'
        self.add(query, 0, **labels)
        all_settled = settled["joined"] + expired
        query = 'sum by (model, version, window, slice) (inference_label_coverage_ratio{JOB, window="all"})'
        self.add(query, settled["joined"] / all_settled if all_settled else None, window="all", slice="all", **labels)
        for predicted, count in answer.get("predictions", {}).items():
            query = "sum by (model, version, predicted) (inference_predictions_total{JOB})"
            self.add(query, count, predicted=predicted, **labels)
        self.add_cells(answer, None, **labels)
        if errors := answer.get("errors"):
            self.add_errors(errors, **labels)

    def add_cells(self, answer, slice_value, **labels):
        by = "model, version, predicted, actual, correct"
        query = f"sum by ({by}) (inference_outcomes_total{{JOB}} > 0)"
        if slice_value is not None:
            query = f"sum by ({by}, slice_by, slice) (inference_slice_outcomes_total{{JOB}} > 0)"
            labels["slice_by"], labels["slice"] = slice_value.split("=", 1)
        for predicted, actual, count in answer.get("cells", []):
            correct = str(predicted == actual).lower()
            self.add(query, count, predicted=predicted, actual=actual, correct=correct, **labels)

    def add_errors(self, errors, **labels):
        for part in ("count", "sum"):
            query = f"sum by (model, version) (inference_absolute_error_{part}{{JOB}})"
            self.add(query, errors["absolute_error"][part], **labels)
        self.add("sum by (model, version) (inference_squared_error_total{JOB})", errors["squared_error"], **labels)
        for direction in ("over", "under"):
            query = "sum by (model, version, direction) (inference_error_sum_total{JOB})"
            self.add(query, errors[direction], direction=direction, **labels)

    def add_window(self, answer, **labels):
        for name, value in answer.items():
            if name in SCALARS:
                self.add(window_query(SCALARS[name]), value, **labels)
            elif name == "top_k_accuracy":
                for k, share in value.items():
                    self.add(window_query("inference_top_k_accuracy_ratio", "k"), share, k=k, **labels)
            elif name == "classes":
                self.add_nested(value, BY_CLASS, "class", **labels)
            elif name == "average":
                self.add_nested(value, BY_AVERAGE, "average", **labels)
            elif name in CURVES:
                by_class = value if isinstance(value, dict) else {None: value}
                for of_class, area in by_class.items():
                    own = {} if of_class is None else {"class": of_class}
                    self.add(window_query(CURVES[name], "class"), area, self.curves, **own, **labels)
            else:
                assert name in NOT_A_GAUGE, f"expected.json has {name}, and no family is compared with it"

    def add_nested(self, answer, families, label, **labels):
        for outer, values in answer.items():
            for name, value in values.items():
                if name != "support":
                    self.add(window_query(families[name], label), value, **{label: outer}, **labels)


def window_query(family, *own):
    """The window since the start; JOB is replaced by the scrape's."""
    by = ", ".join(["model", "version", "window", "slice", *own])
    return f'sum by ({by}) ({family}{{JOB, window="all"}})'


def live_config(case, expected, port):
    """The case's configuration for `run`: where the logs are, from their beginning, and the window since the start."""
    text = (case / "config.yaml").read_text()

    def replace(pattern, replacement, at_least=1):
        nonlocal text
        text, count = re.subn(pattern, replacement, text)
        assert count >= at_least, f"{case}: {pattern} is not in the configuration"

    for file in expected["files"].values():
        replace(rf"paths: \[{re.escape(file)}\]", f"paths: [{json.dumps(str(case / file))}]\n    start_at: beginning")
    replace(r"(, )?expire_after: \w+", "", 0)
    # In a flow mapping a comma separates it from what comes before, in a block mapping a line break.
    replace(r"(, |\n {4})windows: \[24h\]", rf"\1expire_after: {EXPIRE_AFTER}\1windows: [24h, all]")
    return f"listen: 127.0.0.1:{port}\n{text}"


class Oracle(unittest.TestCase):
    """One exporter a case, each scraped by one Prometheus as OpenMetrics (job CASE) and as text (job CASE/text)."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(directory.cleanup)
        cls.cases, jobs = {}, {}
        cls.exporters, cls.proxies = {}, {}
        for case in sorted((ROOT / "tests/oracle/cases").iterdir()):
            expected = json.loads((case / "expected.json").read_text())
            cls.cases[case.name] = Vectors()
            cls.cases[case.name].add_case(expected)
            port = free_port()
            config = f"{directory.name}/{case.name}.yaml"
            with open(config, "w") as file:
                file.write(live_config(case, expected, port))
            exporter = Exporter(f"exporter-{case.name}", ["run", "--config", config], port)
            cls.addClassCleanup(exporter.close)
            proxy = TextOnlyProxy(exporter.wait_ready().url)
            cls.addClassCleanup(proxy.close)
            cls.exporters[case.name], cls.proxies[case.name] = exporter, proxy
            jobs |= {case.name: exporter.address, f"{case.name}/text": proxy.address}
        assert len(cls.cases) >= 7, "the cases are missing"
        cls.prometheus = Prometheus("prometheus-oracle", directory.name, jobs)
        cls.addClassCleanup(cls.prometheus.close)

    def vector(self, query, job):
        """What Prometheus answers, by labels."""
        answer = self.prometheus.query(query.replace("JOB", f'job="{job}"'))
        return {frozenset((label, value) for label, value in labels.items()): value for labels, value in answer}

    def wait_until_settled(self, vectors, job, exporter):
        """What settles last, labels and predictions, settles once both logs have been read to their end."""
        last = [query for query in vectors.exact if "labels_total" in query or "unlabeled_total" in query]
        exporter.wait_for(
            f"every label and prediction of {job} is settled as expected:\n"
            + "\n".join(f"{query}: {show(vectors.exact[query])}" for query in last),
            lambda: all(self.vector(query, job) == vectors.exact[query] for query in last),
        )

    def differences(self, vectors, job):
        """The answers that are not scikit-learn's, each as one line."""
        for query, expected in vectors.exact.items():
            yield from different(query, expected, self.vector(query, job), lambda value, _: TOLERANCE * max(1, abs(value)))
        for query, expected in vectors.curves.items():
            bounds = self.vector(re.sub(r"(inference_\w+)", r"\1_error_bound", query), job)
            seen = self.vector(query, job)
            if seen.keys() != bounds.keys():
                yield f"{query}: the bounds are of other series: {show(bounds)}"
            yield from different(query, expected, seen, lambda _, key: bounds.get(key, 0) + TOLERANCE)

    def assert_agrees(self, job, vectors, exporter):
        self.wait_until_settled(vectors, job, exporter)
        if differences := list(self.differences(vectors, job)):
            self.fail(f"{job}: {len(differences)} answers differ:\n" + "\n".join(differences[:40]))

    def test_openmetrics_agrees_with_scikit_learn(self):
        for name, vectors in self.cases.items():
            with self.subTest(case=name):
                self.assert_agrees(name, vectors, self.exporters[name])

    def test_text_agrees_with_scikit_learn(self):
        for name, vectors in self.cases.items():
            with self.subTest(case=name):
                self.assert_agrees(f"{name}/text", vectors, self.exporters[name])
                for content_type in self.proxies[name].content_types:
                    self.assertRegex(content_type, r"^text/plain; *version=0\.0\.4")

    def test_promtool_finds_nothing_to_lint(self):
        for name, exporter in self.exporters.items():
            with self.subTest(case=name):
                self.wait_until_settled(self.cases[name], name, exporter)
                self.assertEqual(lint(exporter.metrics()), (0, ""))

    def test_every_family_is_compared_somewhere(self):
        """A family that is undefined in all cases would be tested by its absence alone."""
        compared = set()
        for vectors in self.cases.values():
            for query, series in [*vectors.exact.items(), *vectors.curves.items()]:
                if series:
                    compared.add(re.search(r"inference_\w+", query)[0])
        families = {*SCALARS.values(), *BY_CLASS.values(), *BY_AVERAGE.values(), *CURVES.values()}
        self.assertEqual(families - compared, set())

    def test_a_window_in_which_nothing_happened_says_nothing(self):
        """The events are long past, so the last 24 h have no samples; their ratios are absent, not 0."""
        for name, vectors in self.cases.items():
            with self.subTest(case=name):
                self.wait_until_settled(vectors, name, self.exporters[name])
                samples = self.prometheus.query(f'inference_window_samples{{job="{name}", window="24h"}}')
                self.assertTrue(samples)
                self.assertEqual({value for _, value in samples}, {0.0})
                gauges = self.prometheus.query(f'{{job="{name}", window="24h", __name__!="inference_window_samples"}}')
                self.assertEqual(gauges, [])


def different(query, expected, seen, allowed):
    for key in sorted(expected.keys() | seen.keys(), key=sorted):
        labels = ", ".join(f"{label}={value}" for label, value in sorted(key))
        if key not in seen:
            yield f"{query}: {labels}: absent, expected {expected[key]!r}"
        elif key not in expected:
            yield f"{query}: {labels}: {seen[key]!r}, expected none"
        # `not <=` and not `>`, so that NaN differs.
        elif not math.fabs(expected[key] - seen[key]) <= allowed(expected[key], key):
            yield f"{query}: {labels}: {seen[key]!r}, expected {expected[key]!r}"


def show(series):
    return {", ".join(f"{label}={value}" for label, value in sorted(key)): value for key, value in series.items()}


if __name__ == "__main__":
    unittest.main()
