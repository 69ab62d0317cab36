"""The demo as a newcomer meets it, with the shipped rules on top of it in a real Prometheus."""

import re
import tempfile
import unittest

from harness import Exporter, Prometheus, free_port, get, hurried_rules, lint

TASKS = {"binary", "multiclass", "regression"}
# `make demo` has to show something before its reader loses interest.
FIRST_MODELS_SECONDS = 30


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(directory.cleanup)
        port = free_port()
        cls.demo = Exporter("demo", ["demo", "--listen", f"127.0.0.1:{port}"], port)
        cls.addClassCleanup(cls.demo.close)
        cls.demo.wait_for("three tasks in /metrics", lambda: TASKS <= set(_models(cls.demo).values()), FIRST_MODELS_SECONDS)
        cls.prometheus = Prometheus("prometheus-demo", directory.name, {"demo": cls.demo.address}, [hurried_rules(directory.name)])
        cls.addClassCleanup(cls.prometheus.close)
        cls.prometheus.wait_for(
            "labelled traffic grows in Prometheus",
            lambda: cls.prometheus.scalar("sum(increase(inference_outcomes_total[1h]))"),
        )

    def test_it_says_where_to_look_and_what_to_ask(self):
        output = self.demo.output()
        self.assertIn(self.demo.address, output)
        # A query is the end of a line: from its first function or metric.
        starts = r"(?:\b(?:sum|avg|min|max|rate|increase|histogram_quantile|topk)\b *(?:by|without|\()|inference_\w).*"
        lines = [line for line in output.splitlines() if re.search(r"\binference_\w", line)]
        asked = [re.search(starts, line)[0].strip(" `") for line in lines]
        self.assertGreaterEqual(len(asked), 3, f"three queries expected in:\n{output}")
        for query in asked:
            self.prometheus.wait_for(f"an answer to {query}", lambda query=query: self.prometheus.query(query))

    def test_promtool_finds_nothing_to_lint(self):
        self.assertEqual(lint(self.demo.metrics()), (0, ""))

    def test_the_page_names_every_model(self):
        page = get(self.demo.url + "/")[1].decode()
        for model in _models(self.demo):
            self.assertIn(model, page)

    def test_the_rules_have_something_to_say(self):
        def recorded():
            return self.prometheus.query("model:inference_outcomes_correct_per_outcome:wilson_upper_increase1h")

        self.prometheus.wait_for("the recorded bound", recorded)
        for labels, value in recorded():
            self.assertEqual(set(labels), {"__name__", "namespace", "model"})
            self.assertTrue(0 < value <= 1, f"{labels}: {value}")
        self.assertTrue(self.prometheus.query('inference_slo_target{indicator="accuracy"}'), "the demo sets no accuracy target")
        for group in self.prometheus.api("rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual((rule["name"], rule["health"], rule.get("lastError", "")), (rule["name"], "ok", ""))


class DemoShutdown(unittest.TestCase):
    def test_sigterm_ends_it_with_0(self):
        port = free_port()
        demo = Exporter("demo-shutdown", ["demo", "--listen", f"127.0.0.1:{port}"], port)
        self.addCleanup(demo.close)
        demo.wait_ready()
        self.assertEqual(demo.terminate(), 0, demo.explain())


def _models(demo):
    """Model name → task, from the exposition."""
    infos = re.findall(r"(?m)^inference_model_info\{(.*)\} 1(?:\.0)?$", demo.metrics())
    labels = [dict(re.findall(r'(\w+)="([^"]*)"', info)) for info in infos]
    return {label["model"]: label["task"] for label in labels}


if __name__ == "__main__":
    unittest.main()
