"""Traffic and latency: do requests come, do they succeed, how long do they take, and what is answered?"""

from . import grafana as g
from . import promql as q
from .shared import FLEET_ANNOTATIONS, NO_TRAFFIC, ON, links_of_a_line, variables

SCOPE = q.MODELS + ', version=~"$version"'
# A target belongs to a model, not to one of its versions.
SCOPE_OF_TARGETS = q.MODELS
REQUESTS, DURATION = "inference_requests_total", "inference_request_duration_seconds"
NO_LATENCY = "no latency mapped"


def summary():
    burn = f"{q.failed_share(SCOPE, ON)} / on ({ON}) (1 - {q.target(SCOPE_OF_TARGETS, 'availability', ON)})"
    late = f"{q.quantile(0.99, DURATION, SCOPE, ON, q.WINDOW)} / on ({ON}) {q.target(SCOPE_OF_TARGETS, 'latency_p99', ON, 'min')}"
    return [
        g.stat(
            "Requests",
            "Requests per second, failed ones included. From inference_requests_total. Bad: 0, or far from the usual.",
            q.per_second(REQUESTS, SCOPE),
            "reqps",
            NO_TRAFFIC,
        ),
        g.stat(
            "Failed requests",
            "Share of the requests of the window that failed. From inference_requests_total. Bad: above what the target of availability leaves; "
            "the panel beside it compares.",
            q.failed_share(SCOPE),
            "percentunit",
            NO_TRAFFIC,
            decimals=2,
        ),
        g.stat(
            "Error budget burn",
            "How many times faster than its availability target allows the worst of the chosen models fails in the window: the failed share over 1 minus "
            "inference_slo_target. From inference_requests_total. Bad: above 1 the budget does not last; 14.4 for an hour takes 2 % of a month's.",
            f"max({burn})",
            "short",
            "no target",
            g.steps(g.GOOD, (1, g.UNSURE), (6, g.BAD)),
            decimals=1,
        ),
        g.stat(
            "p50 latency",
            "Median latency of the window that the model logged. From inference_request_duration_seconds. Bad: away from its usual.",
            q.quantile(0.5, DURATION, SCOPE, window=q.WINDOW),
            "s",
            NO_LATENCY,
        ),
        g.stat(
            "p99 latency",
            "99th percentile of the latency of the window. From inference_request_duration_seconds. Bad: above the target; the panel beside it compares.",
            q.quantile(0.99, DURATION, SCOPE, window=q.WINDOW),
            "s",
            NO_LATENCY,
        ),
        g.stat(
            "p99 of target",
            "The 99th percentile of the latency as a share of its target, for the worst of the chosen models. From "
            "inference_request_duration_seconds and inference_slo_target. Bad: above 100 %.",
            f"max({late})",
            "percentunit",
            "no target",
            g.steps(g.GOOD, (0.8, g.UNSURE), (1, g.BAD)),
            decimals=0,
        ),
    ]


def requests():
    return [
        g.row("Requests"),
        g.timeseries(
            "Requests by model",
            "Requests per second. From inference_requests_total. Bad: a line that falls to 0, or leaves its daily shape.",
            [g.query(q.per_second(REQUESTS, SCOPE, by=ON), "{{namespace}} {{model}}")],
            "reqps",
            NO_TRAFFIC,
            width=8,
            limits=(0, None),
            links=links_of_a_line("model", "versions"),
        ),
        g.timeseries(
            "Requests by status",
            "Requests per second by the status that was logged. From inference_requests_total. Bad: a status that was not there before.",
            [g.query(q.per_second(REQUESTS, SCOPE, by="result, status"), "{{status}} {{result}}")],
            "reqps",
            NO_TRAFFIC,
            width=8,
            stack="normal",
            overrides=[g.colored(" failed$", g.BAD, regex=True), g.colored("^2.. ok$", g.GOOD, regex=True)],
        ),
        g.timeseries(
            "Failed requests by model",
            "Share of the requests in the sliding window that failed, with what the availability target allows (dashed). From inference_requests_total and "
            "inference_slo_target. Bad: above the dashed line: the budget does not last.",
            [
                g.query(q.failed_share(SCOPE, ON), "{{namespace}} {{model}}"),
                g.query(f"1 - {q.target(SCOPE_OF_TARGETS, 'availability', ON)}", "allowed {{model}}"),
            ],
            "percentunit",
            NO_TRAFFIC,
            width=8,
            limits=(0, None),
            overrides=[g.target_line("^allowed")],
            links=links_of_a_line("model", "versions"),
        ),
    ]


def latency():
    return [
        g.row("Latency"),
        g.heatmap(
            "Latency",
            "How many requests took how long, over time; the diamonds are exemplars that lead to a trace. From "
            "inference_request_duration_seconds. Bad: a second band above the first, or a cloud that rises.",
            q.per_second(DURATION + "_bucket", SCOPE, by="le"),
            "s",
            NO_LATENCY,
            width=8,
            exemplar=True,
        ),
        g.timeseries(
            "Latency quantiles",
            "Quantiles over the chosen models and versions, with exemplars where a trace id is mapped. From "
            "inference_request_duration_seconds. Bad: p99 leaves p50 behind: some requests queue.",
            [
                *(
                    g.query(q.quantile(share, DURATION, SCOPE), name, exemplar=name == "p99")
                    for share, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
                ),
            ],
            "s",
            NO_LATENCY,
            width=8,
            limits=(0, None),
            overrides=[g.colored("p50", "light-blue"), g.colored("p90", "blue"), g.colored("p99", "dark-blue")],
        ),
        g.timeseries(
            "p99 latency by model",
            "99th percentile of each model, with its target (dashed). From inference_request_duration_seconds and inference_slo_target. Bad: "
            "above its dashed line.",
            [
                g.query(q.quantile(0.99, DURATION, SCOPE, ON), "{{namespace}} {{model}}"),
                g.query(q.target(SCOPE_OF_TARGETS, "latency_p99", ON, "min"), "target {{model}}"),
            ],
            "s",
            NO_LATENCY,
            width=8,
            limits=(0, None),
            overrides=[g.target_line("^target")],
            links=links_of_a_line("model", "versions"),
        ),
    ]


def answers():
    predicted = q.per_second("inference_predictions_total", SCOPE, 'predicted=~".+"', by=f"{ON}, predicted")
    mean = f"{q.grown('inference_prediction_score_sum', SCOPE, by=ON)} / ({q.grown('inference_prediction_score_count', SCOPE, by=ON)} > 0)"
    return [
        g.row("Answers"),
        g.timeseries(
            "Predictions by class",
            "Predictions per second by predicted class. From inference_predictions_total. Bad: shares move without a release, or one class takes "
            "everything.",
            [g.query(predicted, "{{model}} {{predicted}}")],
            "cps",
            "no classifier",
            width=8,
            limits=(0, None),
        ),
        g.timeseries(
            "Mean score",
            "Mean score in the sliding window: of the positive class in binary, of the predicted one in multiclass. From "
            "inference_prediction_score. Bad: drifts away without a release.",
            [g.query(mean, "{{namespace}} {{model}}")],
            "percentunit",
            "no score mapped",
            width=8,
            links=links_of_a_line("model", "versions"),
        ),
        g.timeseries(
            "Requests by version",
            "Requests per second by model version: roll-outs as they happen. From inference_requests_total. Bad: two versions of a model for longer than a "
            "roll-out takes.",
            [g.query(q.per_second(REQUESTS, SCOPE, by=f"{ON}, version"), "{{model}} {{version}}")],
            "reqps",
            NO_TRAFFIC,
            width=8,
            limits=(0, None),
            links=links_of_a_line("versions"),
        ),
    ]


def dashboard():
    return g.dashboard(
        "inference-traffic",
        "Inference / Traffic and latency",
        "Do requests come, do they succeed, how long do they take, and what is answered? None of it needs labels.",
        variables("models", "version", "window"),
        FLEET_ANNOTATIONS,
        [*summary(), *requests(), *latency(), *answers()],
    )
