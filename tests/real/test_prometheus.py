"""A real Prometheus scrapes the real binary over both expositions and answers PromQL like the oracle."""

import json
import math
import pathlib
import subprocess
import tempfile
import unittest

import traffic
from harness import BINARY, Exporter, Prometheus, TextOnlyProxy, free_port, get, hurried_rules, lint

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
# Both sides compute in f64; sums over a few hundred values in another order differ by some 1e-14 of their size.
TOLERANCE = 1e-9


class Scrape(unittest.TestCase):
    """One exporter with three models, scraped by one Prometheus as OpenMetrics (job `openmetrics`) and as text (`text`)."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = directory.name
        cls.config = pathlib.Path(cls.directory, "config.yaml")
        port = free_port()
        cls.config.write_text(json.dumps(traffic.configuration(cls.directory, port), indent=1))
        cls.models = traffic.everything()

        cls.exporter = Exporter("exporter", ["run", "--config", cls.config], port)
        cls.addClassCleanup(cls.exporter.close)
        cls.exporter.wait_ready()
        cls.proxy = TextOnlyProxy(cls.exporter.url)
        cls.addClassCleanup(cls.proxy.close)
        jobs = {"openmetrics": cls.exporter.address, "text": cls.proxy.address}
        cls.prometheus = Prometheus("prometheus", cls.directory, jobs, [hurried_rules(cls.directory)])
        cls.addClassCleanup(cls.prometheus.close)

        # Written while both run, so the files appear under eyes that were already open, as in a pod; and the labels come
        # after their predictions were seen to wait.
        for model in cls.models:
            model.write_predictions(cls.directory)
        for model in cls.models:
            waiting = f'sum(inference_predictions_pending{{model="{model.model}", job="openmetrics"}})'
            cls.exporter.wait_for(
                f"{len(model.rows)} predictions of {model.model} wait for labels",
                lambda query=waiting, count=len(model.rows): cls.prometheus.scalar(query) == count,
            )
        for model in cls.models:
            model.write_labels(cls.directory)

    def differences(self, job):
        """The oracle's answers that Prometheus does not give, each as one line."""
        found = []
        for model in self.models:
            for promql, expected in model.answers():
                promql = promql.replace("JOB", job)
                seen = self.prometheus.scalar(promql)
                if seen is None or not math.isclose(seen, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                    found.append(f"{promql}: expected {expected!r}, seen {seen!r}")
        return found

    def assert_equals_oracle(self, job):
        self.exporter.wait_for(
            "the last label is counted in Prometheus",
            lambda: self.prometheus.scalar(f'sum(inference_labels_waiting{{job="{job}"}})') == sum(len(model.waiting) for model in self.models),
        )
        # The scrape that shows the last label shows everything that was written before it.
        if differences := self.differences(job):
            self.fail(f"{len(differences)} answers differ from the oracle:\n" + "\n".join(differences))

    def test_openmetrics_equals_the_oracle(self):
        content_type = get(self.exporter.url + "/metrics", {"Accept": OPENMETRICS})[0]["Content-Type"]
        self.assertRegex(content_type, r"^application/openmetrics-text; *version=1\.0\.0")
        self.assert_equals_oracle("openmetrics")

    def test_text_equals_the_oracle(self):
        self.assert_equals_oracle("text")
        for content_type in self.proxy.content_types:
            self.assertRegex(content_type, r"^text/plain; *version=0\.0\.4")

    def test_both_expositions_are_the_same_series(self):
        self.assert_equals_oracle("openmetrics")
        self.assert_equals_oracle("text")
        series = {
            job: {
                labels["__name__"]: count
                for labels, count in self.prometheus.query(f'count by (__name__) ({{__name__=~"inference_.*", job="{job}"}})')
            }
            for job in ("openmetrics", "text")
        }
        self.assertIn("inference_outcomes_total", series["text"])
        self.assertEqual(series["openmetrics"], series["text"])

    def test_auc_lies_within_its_error_bound(self):
        self.assert_equals_oracle("openmetrics")
        fraud = self.models[0]
        for version in ("1", "2"):
            scored = [(row["score"], label) for row, label in fraud.joined if row["model_version"] == version]
            positives = [score for score, label in scored if label == "1"]
            negatives = [score for score, label in scored if label == "0"]
            # The probability that a positive scores above a negative, ties counting half.
            wins = sum((high > low) + (high == low) / 2 for high in positives for low in negatives)
            exact = wins / (len(positives) * len(negatives))
            where = f'{{model="fraud", version="{version}", window="1h", slice="all", job="openmetrics"}}'
            seen = self.prometheus.scalar(f"inference_roc_auc{where}")
            bound = self.prometheus.scalar(f"inference_roc_auc_error_bound{where}")
            self.assertIsNotNone(seen, f"inference_roc_auc{where} is absent")
            self.assertIsNotNone(bound, f"inference_roc_auc_error_bound{where} is absent")
            self.assertLessEqual(abs(seen - exact), bound + TOLERANCE)
            # 1024 logit bins over a smooth score: the bound must be small, or it says nothing.
            self.assertLess(bound, 0.01)

    def test_exemplars_are_stored_and_lead_to_a_logged_trace(self):
        def exemplars():
            now = self.prometheus.scalar("time()")
            series = self.prometheus.api(
                "query_exemplars",
                query='inference_request_duration_seconds_bucket{job="openmetrics"}',
                start=now - 600,
                end=now + 60,
            )
            return [exemplar for one in series for exemplar in one["exemplars"]]

        found = self.exporter.wait_for("Prometheus holds exemplars", exemplars)
        logged = {row["trace_id"]: row["latency_ms"] / 1000 for model in self.models for row in model.rows}
        for exemplar in found:
            trace = exemplar["labels"]["trace_id"]
            self.assertIn(trace, logged)
            self.assertTrue(math.isclose(float(exemplar["value"]), logged[trace], rel_tol=TOLERANCE), exemplar)

    def test_counters_are_born_at_zero(self):
        # `increase()` does not see the value a series is born with: every declared cell must have been there, at 0,
        # before its first event.
        for model, classes in (("fraud", ["0", "1"]), ("pets", ["cat", "dog", "owl"])):
            for predicted in classes:
                for actual in classes:
                    cell = f'inference_outcomes_total{{model="{model}", predicted="{predicted}", actual="{actual}", job="openmetrics"}}'
                    first = [value for _, value in self.prometheus.query(f"min_over_time({cell}[10m])")]
                    self.assertTrue(first, f"{cell} is absent")
                    self.assertEqual(set(first), {0.0}, cell)

    def test_the_alert_fires_for_the_model_below_its_target(self):
        # `fraud` is right as often as its score says, which is far below its target; the others have no target.
        self.assert_equals_oracle("openmetrics")
        fires = 'ALERTS{alertname="ModelAccuracyBelowTarget", alertstate="firing"}'
        self.prometheus.wait_for(f"an answer to {fires}", lambda: self.prometheus.query(fires))
        routed = [(labels["namespace"], labels["model"], labels["severity"]) for labels, _ in self.prometheus.query(fires)]
        self.assertEqual(routed, [("real", "fraud", "critical")])

    def test_promtool_finds_nothing_to_lint(self):
        self.assert_equals_oracle("openmetrics")
        self.assertEqual(lint(self.exporter.metrics()), (0, ""))

    def test_no_label_that_prometheus_sets_on_targets(self):
        # A collision would come back as exported_….
        series = self.prometheus.query('{__name__=~"inference_.*"}')
        self.assertTrue(series)
        taken = sorted({label for labels, _ in series for label in labels if label.startswith("exported_")})
        self.assertEqual(taken, [])

    def test_healthcheck_answers(self):
        checked = subprocess.run(
            [BINARY, "healthcheck", "--config", self.config], capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_nothing_of_a_record_is_in_the_exporters_own_log(self):
        self.assert_equals_oracle("openmetrics")
        output = self.exporter.output()
        self.assertTrue(output, "the exporter said nothing at all")
        for row in self.models[0].rows:
            self.assertNotIn(row["request_id"], output)
            self.assertNotIn(row["trace_id"], output)


class Shutdown(unittest.TestCase):
    def test_sigterm_with_unread_lines_exits_with_0(self):
        with tempfile.TemporaryDirectory(prefix="inference-exporter-real-") as directory:
            port = free_port()
            config = pathlib.Path(directory, "config.yaml")
            config.write_text(json.dumps(traffic.configuration(directory, port)))
            exporter = Exporter("exporter-shutdown", ["run", "--config", config], port)
            self.addCleanup(exporter.close)
            exporter.wait_ready()
            for model in traffic.everything():
                model.write_predictions(directory)
                model.write_labels(directory)
            self.assertEqual(exporter.terminate(), 0, exporter.explain())


if __name__ == "__main__":
    unittest.main()
