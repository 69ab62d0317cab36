"""One model's versions side by side: is the new one worse, and is that more than chance?"""

from . import grafana as g
from . import promql as q
from .shared import MODEL_ANNOTATIONS, NO_LABELS, NO_TRAFFIC, variables

BASELINE = q.MODEL + ', version="$baseline"'
REQUESTS = "inference_requests_total"


def minus_baseline(value):
    """`value(scope, by)` of each version minus that of the baseline."""
    return f"({value(q.VERSIONS, 'version')}) - on () group_left () ({value(BASELINE, '')})"


def certainty():
    """The two-proportion z: the difference of two shares over the standard error of both taken as one."""
    c, n = q.correct(q.VERSIONS, "version"), q.outcomes(q.VERSIONS, "version")
    base_c, base_n = q.correct(BASELINE), q.outcomes(BASELINE)

    def on(operator):
        return f"{operator} on () group_left ()"

    pooled = f"(({c} {on('+')} {base_c}) / ({n} {on('+')} {base_n}))"
    error = f"sqrt({pooled} * (1 - {pooled}) * (1 / ({n} > 0) {on('+')} (1 / ({base_n} > 0))))"
    # The baseline against itself has no certainty.
    return f"(({q.accuracy(q.VERSIONS, 'version')} {on('-')} ({q.accuracy(BASELINE)})) / ({error} > 0))"


def side_by_side():
    first, last = "inference_model_first_seen_timestamp_seconds", "inference_model_last_seen_timestamp_seconds"
    traffic = f"{q.grown(REQUESTS, q.VERSIONS, by='version')} / on () group_left () ({q.grown(REQUESTS, q.MODEL)} > 0)"
    columns = [
        ("First seen", f"min by (version) ({q.vector(first, q.VERSIONS)}) * 1000"),
        ("Last seen", f"max by (version) ({q.vector(last, q.VERSIONS)}) * 1000"),
        ("Share of traffic", traffic),
        ("Labelled", q.labelled(q.VERSIONS, "version")),
        ("Accuracy", q.accuracy(q.VERSIONS, "version")),
        ("at least", q.wilson(q.VERSIONS, "version", "-")),
        ("at most", q.wilson(q.VERSIONS, "version", "+")),
        ("Against baseline", minus_baseline(q.accuracy)),
        ("Certainty (z)", certainty()),
        ("Error", q.mean_absolute_error(q.VERSIONS, "version")),
        ("Bias", q.bias(q.VERSIONS, "version")),
        ("Failed", q.failed_share(q.VERSIONS, "version")),
        ("p99", q.quantile(0.99, "inference_request_duration_seconds", q.VERSIONS, "version", q.WINDOW)),
    ]
    doubt = {"mode": "absolute", "steps": [{"color": g.BAD, "value": None}, {"color": g.UNSURE, "value": -4}, {"color": g.NOTHING, "value": -2}]}
    below = {"mode": "absolute", "steps": g.steps(g.BAD, (0, g.NEUTRAL))}
    return g.table(
        "Side by side",
        "One row a version over the window. “Against baseline” is its accuracy minus that of the version chosen above; z is that difference in "
        "standard errors of the two taken together. From inference_outcomes_total, inference_absolute_error, inference_error_sum_total, "
        "inference_requests_total, inference_request_duration_seconds, inference_model_first_seen_timestamp_seconds and "
        "inference_model_last_seen_timestamp_seconds. Bad: z below -4: worse beyond chance, take it back. Between -2 and 2 nothing is proven.",
        columns,
        "short",
        "–",
        sort=("First seen", True),
        height=7,
        keys=[("version", "Version")],
        overrides=[
            *(g.override(name, unit="dateTimeAsIso", custom__width=160) for name in ("First seen", "Last seen")),
            *(g.override(name, unit="percentunit", decimals=1) for name in ("Share of traffic", "Accuracy", "at least", "at most", "Failed")),
            g.override("Against baseline", custom__width=130, unit="percentunit", decimals=1, thresholds=below, custom__cellOptions={"type": "color-text"}),
            g.override("Certainty (z)", decimals=1, thresholds=doubt, custom__cellOptions={"type": "color-background", "mode": "basic"}),
            g.override("Labelled", unit="none", decimals=0),
            *(g.override(name, decimals=2) for name in ("Error", "Bias")),
            g.override("p99", unit="s"),
        ],
    )


def quality():
    return [
        g.row("Quality"),
        g.timeseries(
            "Accuracy by version",
            "Share of right predictions in the sliding window, with the target (dashed). From inference_outcomes_total and "
            "inference_slo_target. Bad: one line leaves the others downwards.",
            [g.query(q.accuracy(q.VERSIONS, "version"), "{{version}}"), g.query(q.target(q.MODEL, "accuracy"), "target")],
            "percentunit",
            NO_LABELS,
            height=9,
            decimals=1,
            overrides=[g.target_line("^target$")],
        ),
        g.timeseries(
            "Accuracy against the baseline, in standard errors",
            "The two-proportion z of each version against the version chosen above. From inference_outcomes_total. Bad: in the red, below -4: "
            "worse beyond chance. Inside -2 to 2 the versions cannot be told apart yet.",
            [g.query(certainty(), "{{version}}")],
            "short",
            NO_LABELS,
            height=9,
            decimals=1,
            soft=(-6, 3),
            thresholds=[{"color": g.BAD, "value": None}, {"color": g.NOTHING, "value": -4}],
        ),
        g.timeseries(
            "Recall by version and class",
            "Of the predictions that truly were of a class, the share that was found. From inference_outcomes_total, or "
            "inference_class_outcomes_total above 16 classes; its target (dashed) from inference_slo_target. Bad: a new version loses one class while its accuracy holds.",
            [
                g.query(q.of_class(q.VERSIONS, "version", "actual"), "{{version}} {{class}}"),
                g.query(q.target(q.MODEL, "recall", "class"), "target {{class}}"),
            ],
            "percentunit",
            NO_LABELS,
            width=8,
            decimals=1,
            overrides=[g.target_line("^target")],
        ),
        g.timeseries(
            "Error by version",
            "Regression: mean absolute error in the sliding window, with its target (dashed). From inference_absolute_error and "
            "inference_slo_target. Bad: one line leaves the others upwards.",
            [
                g.query(q.mean_absolute_error(q.VERSIONS, "version"), "{{version}}"),
                g.query(q.target(q.MODEL, "mae", strictest="min"), "target"),
            ],
            "short",
            "no regression",
            width=8,
            limits=(0, None),
            overrides=[g.target_line("^target$")],
        ),
        g.timeseries(
            "Labelled predictions by version",
            "Outcomes in the sliding window: how much each line above rests on. From inference_outcomes_total, or inference_absolute_error "
            "for regression. Bad: under 200 a version's ratios are mostly noise.",
            [g.query(q.labelled(q.VERSIONS, "version"), "{{version}}")],
            "short",
            NO_LABELS,
            width=8,
            limits=(0, None),
        ),
    ]


def behaviour():
    predicted = q.grown("inference_predictions_total", q.VERSIONS, by="version, predicted")
    of_version = q.grown("inference_predictions_total", q.VERSIONS, by="version")
    score = f"{q.grown('inference_prediction_score_sum', q.VERSIONS, by='version')} / ({q.grown('inference_prediction_score_count', q.VERSIONS, by='version')} > 0)"
    return [
        g.row("Behaviour: needs no labels, so it speaks first"),
        g.timeseries(
            "Share of traffic",
            "Requests by version, all of them 100 %: a roll-out as it happens. From inference_requests_total. Bad: two versions for longer "
            "than a roll-out takes, or a version that was taken back and is still served.",
            [g.query(q.per_second(REQUESTS, q.VERSIONS, by="version"), "{{version}}")],
            "reqps",
            NO_TRAFFIC,
            width=8,
            stack="percent",
        ),
        g.timeseries(
            "Share of each predicted class",
            "What each version answers, as shares in the sliding window. From inference_predictions_total. Bad: versions under the same traffic differ, "
            "or one class takes everything.",
            [g.query(f"{predicted} / on (version) group_left () ({of_version} > 0)", "{{version}} {{predicted}}")],
            "percentunit",
            NO_TRAFFIC,
            width=8,
            limits=(0, None),
        ),
        g.timeseries(
            "Mean score",
            "Mean score in the sliding window: of the positive class in binary, of the predicted one in multiclass. From "
            "inference_prediction_score. Bad: versions under the same traffic differ: a threshold tuned for one is wrong for the other.",
            [g.query(score, "{{version}}")],
            "percentunit",
            "no score mapped",
            width=8,
        ),
        g.timeseries(
            "Failed requests by version",
            "Share of the requests in the sliding window that failed. From inference_requests_total. Bad: the new version fails more.",
            [g.query(q.failed_share(q.VERSIONS, "version"), "{{version}}")],
            "percentunit",
            NO_TRAFFIC,
            limits=(0, None),
        ),
        g.timeseries(
            "p99 latency by version",
            "99th percentile of the latency that the model logged, with its target (dashed). From inference_request_duration_seconds and "
            "inference_slo_target. Bad: the new version is above the target or far above the old one.",
            [
                g.query(q.quantile(0.99, "inference_request_duration_seconds", q.VERSIONS, "version"), "{{version}}", exemplar=True),
                g.query(q.target(q.MODEL, "latency_p99", strictest="min"), "target"),
            ],
            "s",
            "no latency mapped",
            limits=(0, None),
            overrides=[g.target_line("^target$")],
        ),
    ]


def dashboard():
    return g.dashboard(
        "inference-versions",
        "Inference / Versions",
        "The versions of one model side by side: is the new one worse, and is that more than chance?",
        variables("model", "version", "baseline", "class", "window"),
        MODEL_ANNOTATIONS,
        [side_by_side(), *quality(), *behaviour()],
    )
