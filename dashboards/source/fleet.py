"""All models on one screen: which one needs me, and is it the model or the measuring?"""

from . import grafana as g
from . import promql as q
from .shared import FLEET_ANNOTATIONS, NO_LABELS, NO_TRAFFIC, ON, SCRAPED, VERDICTS, link, links_of_a_line, links_of_a_row, variables

# Alerts are aggregated over jobs and pods, so they carry neither.
ALERTED = 'cluster=~"$cluster", namespace=~"$namespace", model=~"$model"'
INFO = q.vector("inference_model_info", q.MODELS)
# Nothing to count is 0 only where something is watched; without any model the panel must be empty, not green.
ELSE_ZERO = f"or 0 * count({INFO})"
# A dead exporter has no metric of its own, and `up` alone cannot tell it from other targets: what it exported tells.
EXPORTERS = f"{{{SCRAPED}}}"
DOWN = f"(1 - up{EXPORTERS}) and on (job, instance) count_over_time(inference_exporter_build_info{EXPORTERS}[6h])"
LABEL_AGE = f"time() - max by ({ON}) ({q.vector('inference_last_label_timestamp_seconds', q.MODELS)})"


def summary():
    verdict = q.verdict(q.MODELS, ON, ON)
    return [
        g.stat(
            "Models",
            "Models with metrics, from inference_model_info. Bad: fewer than you run: an exporter is not scraped, or a log has no line yet.",
            f"count(group by ({ON}) ({INFO}))",
            "short",
            "no model",
            width=3,
        ),
        g.stat(
            "Below target",
            "Models that miss their target in the window beyond chance: the upper 95 % Wilson bound of the accuracy is below "
            "inference_slo_target, or the mean absolute error is above it. From inference_outcomes_total and inference_absolute_error. "
            "Bad: anything but 0; the table names them, worst first.",
            f"count(({verdict}) == 0) {ELSE_ZERO}",
            "short",
            "no model",
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
        ),
        g.stat(
            "Alerts firing",
            "Firing alerts that carry the name of one of these models. Bad: anything but 0; the timeline below says which and since when.",
            f"count({q.firing(ALERTED)}) {ELSE_ZERO}",
            "short",
            "no model",
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
        ),
        g.stat(
            "Exporters down",
            "Targets that were an exporter in the last six hours (inference_exporter_build_info) and do not answer now. "
            "Bad: anything but 0: what they watched is not measured, and its absence proves nothing.",
            f"sum({DOWN})",
            "short",
            "no exporter",
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
            links=[link("Exporters", "exporter")],
        ),
        g.stat(
            "Oldest last label",
            "Of the models that get labels, the one that has waited longest for its next. From inference_last_label_timestamp_seconds. "
            "Bad: longer than its labels usually take: its quality is from then, not from now.",
            f"max({LABEL_AGE})",
            "s",
            "no label yet",
            width=3,
        ),
        g.stat(
            "Label coverage",
            "Share of the predictions settled in the window that got their label. From inference_labels_total and "
            "inference_predictions_unlabeled_total. Bad: low, as the labelled part then need not stand for the rest.",
            q.coverage(q.MODELS),
            "percentunit",
            NO_LABELS,
            width=3,
            decimals=1,
        ),
        g.stat(
            "Requests",
            "Requests per second to all models, failed ones included. From inference_requests_total. Bad: 0, or far from the usual.",
            q.per_second("inference_requests_total", q.MODELS),
            "reqps",
            NO_TRAFFIC,
            width=3,
        ),
        g.stat(
            "Failed requests",
            "Share of the requests in the window that failed. From inference_requests_total. Bad: above what the availability targets leave.",
            q.failed_share(q.MODELS),
            "percentunit",
            NO_TRAFFIC,
            width=3,
            decimals=2,
        ),
    ]


def ranking():
    ratio, plain = {"unit": "percentunit", "decimals": 1}, {"unit": "short", "decimals": 2}
    columns = [
        ("Verdict", q.verdict(q.MODELS, ON, ON)),
        ("Accuracy", q.accuracy(q.MODELS, ON)),
        ("at most", q.wilson(q.MODELS, ON, "+")),
        ("Target", q.target(q.MODELS, "accuracy", ON)),
        ("Error", q.mean_absolute_error(q.MODELS, ON)),
        ("Error target", q.target(q.MODELS, "mae", ON, "min")),
        ("Labelled", q.labelled(q.MODELS, ON)),
        ("Coverage", q.coverage(q.MODELS, ON)),
        ("Last label", LABEL_AGE),
        ("Requests", q.per_second("inference_requests_total", q.MODELS, by=ON)),
        ("Failed", q.failed_share(q.MODELS, ON)),
        ("p99", q.quantile(0.99, "inference_request_duration_seconds", q.MODELS, ON, q.WINDOW)),
        ("Versions", f"count by ({ON}) (group by ({ON}, version) ({INFO}))"),
    ]
    return g.table(
        "Models, worst first",
        "One row a model over the window; a click on the model leads to its dashboards. The verdict compares with inference_slo_target: BELOW TARGET only "
        "if even the upper 95 % bound (“at most”) of the accuracy misses it, or the mean absolute error is above it. From "
        "inference_outcomes_total, inference_absolute_error, inference_labels_total, inference_last_label_timestamp_seconds, "
        "inference_requests_total, inference_request_duration_seconds and inference_model_info. Bad: red; or few labels, or an old last "
        "one, which make any verdict stale.",
        columns,
        "short",
        "–",
        sort=("Verdict", False),
        height=8,
        keys=[("cluster", "Cluster"), ("namespace", "Namespace"), ("model", "Model")],
        overrides=[
            g.override("Cluster", custom__width=90),
            g.override("Namespace", custom__width=110),
            g.override("Model", links=links_of_a_row("model", "versions", "traffic"), custom__width=130),
            g.override("Verdict", mappings=VERDICTS + g.undefined("no target"), custom__cellOptions={"type": "color-background", "mode": "basic"}, custom__width=170),
            *(g.override(name, **ratio) for name in ("Accuracy", "at most", "Target", "Coverage", "Failed")),
            *(g.override(name, **plain) for name in ("Error", "Error target")),
            *(g.override(name, unit="s") for name in ("Last label", "p99")),
            g.override("Labelled", unit="none", decimals=0),
            g.override("Requests", unit="reqps", decimals=1),
        ],
    )


def history():
    by_model = {"links": links_of_a_line("model", "versions", "traffic")}
    accuracy_left = f"{q.accuracy(q.MODELS, ON)} - on ({ON}) {q.target(q.MODELS, 'accuracy', ON)}"
    error_of_target = f"{q.mean_absolute_error(q.MODELS, ON)} / on ({ON}) {q.target(q.MODELS, 'mae', ON, 'min')}"
    return [
        g.timeseries(
            "Accuracy above or below its target",
            "Accuracy in the sliding window minus the model's own target, so that all models share one line: 0. From "
            "inference_outcomes_total and inference_slo_target. Bad: in the red, and sinking.",
            [g.query(accuracy_left, "{{namespace}} {{model}}")],
            "percentunit",
            NO_LABELS,
            decimals=1,
            thresholds=g.steps(g.BAD, (0, g.NOTHING)),
            **by_model,
        ),
        g.timeseries(
            "Error as a share of its target",
            "Mean absolute error in the sliding window over the model's own target; 100 % is the target. From inference_absolute_error and "
            "inference_slo_target. Bad: in the red, and rising.",
            [g.query(error_of_target, "{{namespace}} {{model}}")],
            "percentunit",
            "no regression with a target",
            decimals=0,
            limits=(0, None),
            thresholds=g.steps(g.NOTHING, (1, g.BAD)),
            **by_model,
        ),
        g.state_timeline(
            "Alerts of models",
            "Which alert was pending or firing for which model, and since when. Bad: red.",
            f"max by (alertname, namespace, model) (({q.firing(ALERTED)} * 2) or {q.alerts('pending', ALERTED)})",
            "{{alertname}} {{model}}",
            "no alert in this time",
            g.values((1, "pending", g.UNSURE), (2, "firing", g.BAD)),
        ),
        g.timeseries(
            "Requests by model",
            "Requests per second. From inference_requests_total. Bad: a line that falls to 0, or leaves its daily shape.",
            [g.query(q.per_second("inference_requests_total", q.MODELS, by=ON), "{{namespace}} {{model}}")],
            "reqps",
            NO_TRAFFIC,
            limits=(0, None),
            **by_model,
        ),
    ]


def dashboard():
    return g.dashboard(
        "inference-fleet",
        "Inference / Fleet",
        "All models: which one needs attention, and is it the model or the measuring?",
        variables("models", "window"),
        FLEET_ANNOTATIONS,
        [*summary(), ranking(), *history()],
    )
