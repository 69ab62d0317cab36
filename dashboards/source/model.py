"""One model: is it still right, for every class and slice, and are there labels enough to say so?"""

from . import grafana as g
from . import promql as q
from .shared import MODEL_ANNOTATIONS, NO_LABELS, VERDICTS, variables

NO_CLASSIFIER, NO_REGRESSION, NO_SCORE = "no classifier", "no regression", "no score mapped"
GAUGES = q.VERSIONS + ', slice="all", window="$exporter_window"'


def summary():
    room = f"{q.wilson(q.VERSIONS, '', '+')} - on () {q.target(q.MODEL, 'accuracy')}"
    return [
        g.stat(
            "Verdict",
            "The window's result against inference_slo_target, from inference_outcomes_total and, for regression, inference_absolute_error. "
            "Bad: BELOW TARGET: even the upper 95 % bound misses it, so it is not chance. “May be chance”: below, on too few labels to say.",
            q.verdict(q.VERSIONS, "", ""),
            "short",
            "no target",
            mappings=VERDICTS,
        ),
        g.stat(
            "Accuracy",
            "Share of the predictions labelled in the window that were right, over all pods and chosen versions. From inference_outcomes_total. "
            "Bad: below the target; the panel beside it says whether that is more than chance. A dash: the model is a regression.",
            q.accuracy(q.VERSIONS),
            "percentunit",
            "–",
            decimals=1,
        ),
        g.stat(
            "Room above the target",
            "Upper 95 % Wilson bound of the accuracy minus inference_slo_target; from inference_outcomes_total. Bad: negative (red): even a "
            "lucky sample would miss the target. A dash: no such target.",
            room,
            "percentunit",
            "–",
            g.steps(g.BAD, (0, g.GOOD)),
            decimals=1,
        ),
        g.stat(
            "Mean absolute error",
            "Regression: mean absolute error of the window, in the unit of the label. From inference_absolute_error. Bad: above its target, "
            "which the panel “Size of the error” draws. A dash: the model is a classifier.",
            q.mean_absolute_error(q.VERSIONS),
            "short",
            "–",
            decimals=2,
        ),
        g.stat(
            "Labelled predictions",
            "Outcomes in the window: predictions whose label arrived. From inference_outcomes_total; for regression the count of "
            "inference_absolute_error. Bad: under 200 every ratio here is mostly noise; take a longer window.",
            q.labelled(q.VERSIONS),
            "short",
            NO_LABELS,
            g.steps(g.UNSURE, (200, g.NEUTRAL)),
        ),
        g.stat(
            "Last label",
            "How long ago the last label was joined. From inference_last_label_timestamp_seconds. Bad: longer than labels usually take: "
            "quality is then from the past, and the feed is to be looked at.",
            f"time() - max({q.vector('inference_last_label_timestamp_seconds', q.VERSIONS)})",
            "s",
            "no label yet",
        ),
    ]


def quality():
    return [
        g.row("Quality"),
        g.timeseries(
            "Accuracy",
            "Share of right predictions in the sliding window, its 95 % Wilson band and the target (dashed). From inference_outcomes_total and "
            "inference_slo_target. Bad: the whole band lies below the target.",
            [
                g.query(q.wilson(q.VERSIONS, "", "-"), "at least"),
                g.query(q.wilson(q.VERSIONS, "", "+"), "at most"),
                g.query(q.accuracy(q.VERSIONS), "accuracy"),
                g.query(q.target(q.MODEL, "accuracy"), "target"),
            ],
            "percentunit",
            NO_CLASSIFIER,
            width=10,
            height=9,
            decimals=1,
            overrides=[
                g.colored("accuracy", "blue", custom__lineWidth=2),
                g.colored("at least", "blue", custom__lineWidth=0),
                g.colored("at most", "blue", custom__lineWidth=0, custom__fillBelowTo="at least", custom__fillOpacity=20),
                g.target_line("^target$"),
            ],
        ),
        g.timeseries(
            "Size of the error",
            "Mean absolute error and root mean squared error in the sliding window, with the target of the former (dashed). From "
            "inference_absolute_error, inference_squared_error_total and inference_slo_target. Bad: rising; RMSE far above MAE means a few "
            "large misses.",
            [
                g.query(q.mean_absolute_error(q.VERSIONS), "MAE"),
                g.query(q.root_mean_squared_error(q.VERSIONS), "RMSE"),
                g.query(q.target(q.MODEL, "mae", strictest="min"), "MAE target"),
            ],
            "short",
            NO_REGRESSION,
            width=7,
            height=9,
            limits=(0, None),
            overrides=[g.target_line("target$")],
        ),
        g.timeseries(
            "Labelled predictions by version",
            "Outcomes in the sliding window, by version. From inference_outcomes_total, or inference_absolute_error for regression. Bad: falling "
            "while traffic does not: labels stopped arriving.",
            [g.query(q.labelled(q.VERSIONS, "version"), "{{version}}")],
            "short",
            NO_LABELS,
            width=7,
            height=9,
            stack="normal",
        ),
    ]


def classes():
    cells = f"sum by (actual, predicted) (increase({q.vector('inference_outcomes_total', q.VERSIONS)}[{q.WINDOW}]))"

    def by_class(title, side, description, indicator):
        return g.timeseries(
            title,
            description,
            [
                g.query(q.of_class(q.VERSIONS, "", side), "{{class}}"),
                g.query(q.target(q.MODEL, indicator, "class"), "target {{class}}"),
            ],
            "percentunit",
            NO_CLASSIFIER,
            width=6,
            decimals=1,
            overrides=[g.target_line("^target")],
        )

    return [
        g.row("Classes; bias of a regression"),
        g.matrix(
            "Confusion",
            "Outcomes of the window: a row for each true class, a column for each predicted one. From inference_outcomes_total (up to 16 "
            "classes). Bad: large figures off the diagonal.",
            cells,
            "actual",
            "predicted",
            NO_CLASSIFIER,
            width=6,
        ),
        by_class(
            "Recall by class",
            "actual",
            "Of the predictions that truly were of a class, the share that was found, in the sliding window; target (dashed) from "
            "inference_slo_target. From inference_outcomes_total, or inference_class_outcomes_total above 16 classes. Bad: one class falls while "
            "accuracy holds.",
            "recall",
        ),
        by_class(
            "Precision by class",
            "predicted",
            "Of the predictions of a class, the share that was right, in the sliding window; target (dashed) from inference_slo_target. From "
            "inference_outcomes_total, or inference_class_outcomes_total above 16 classes. Bad: one class falls: it is predicted too readily.",
            "precision",
        ),
        g.timeseries(
            "Bias by version",
            "Mean of prediction minus label in the sliding window. From inference_error_sum_total and inference_absolute_error. Bad: away from 0 "
            "for long: predictions are too high (above) or too low (below).",
            [g.query(q.bias(q.VERSIONS, "version"), "{{version}}")],
            "short",
            NO_REGRESSION,
            width=6,
        ),
    ]


def scores():
    def gauge(metric, by=""):
        legend = "{{version}} {{class}} {{instance}}" if by else "{{version}} {{instance}}"
        labels = f"instance, version, {by}" if by else "instance, version"
        return g.query(f"max by ({labels}) ({q.vector(metric, GAUGES)})", legend)

    return [
        g.row("Scores (the exporter's own window, pod by pod: these cannot be added up)"),
        g.timeseries(
            "ROC AUC",
            "How well the scores put the classes in order, whatever the threshold: 0.5 is a coin. inference_roc_auc, pod by pod. Bad: falling while "
            "accuracy holds: the threshold hides it for now.",
            [gauge("inference_roc_auc", "class"), g.query(q.target(q.MODEL, "roc_auc"), "target")],
            "percentunit",
            NO_SCORE,
            width=8,
            decimals=1,
            overrides=[g.target_line("^target$")],
        ),
        g.timeseries(
            "Calibration error",
            "How far scores are from the shares that come true. inference_calibration_error, pod by pod. Bad: rising: the scores can no longer be "
            "read as probabilities.",
            [gauge("inference_calibration_error"), g.query(q.target(q.MODEL, "calibration_error", strictest="min"), "target")],
            "percentunit",
            NO_SCORE,
            width=8,
            decimals=1,
            limits=(0, None),
            overrides=[g.target_line("^target$")],
        ),
        g.heatmap(
            "Scores",
            "Scores of predictions over time: of the positive class in binary, of the predicted one in multiclass. From "
            "inference_prediction_score. Bad: the shape moves without a release; it needs no label to show.",
            q.per_second("inference_prediction_score_bucket", q.VERSIONS, by="le"),
            "percentunit",
            NO_SCORE,
            width=8,
        ),
    ]


def slices():
    by = "slice_by, slice"
    right = q.grown("inference_slice_outcomes_total", q.VERSIONS, 'correct="true"', by=by)
    count = q.grown("inference_slice_outcomes_total", q.VERSIONS, by=by)
    ratio = q.share(f"({right} or 0 * {count})", count)
    return [
        g.row("Slices"),
        g.table(
            "Slices, worst first",
            "Accuracy of the window by the values of each slice. From inference_slice_outcomes_total. Bad: one slice far below the model; with few "
            "labels it can be chance.",
            [("Accuracy", ratio), ("Labelled", count)],
            "short",
            "no slices configured",
            sort=("Accuracy", False),
            width=8,
            height=8,
            keys=[("slice_by", "Slice by"), ("slice", "Value")],
            overrides=[g.override("Accuracy", unit="percentunit", decimals=1), g.override("Labelled", unit="none", decimals=0)],
        ),
        g.timeseries(
            "Accuracy by slice",
            "Share of right predictions in the sliding window for each value of each slice, with the model's target (dashed). From "
            "inference_slice_outcomes_total and inference_slo_target. Bad: one line leaves the others: a part of the users has another model than the rest.",
            [g.query(ratio, "{{slice_by}}={{slice}}"), g.query(q.target(q.MODEL, "accuracy"), "target")],
            "percentunit",
            "no slices configured",
            width=16,
            decimals=1,
            overrides=[g.target_line("^target$")],
        ),
    ]


def labels():
    pending, waiting = q.vector("inference_predictions_pending", q.VERSIONS), q.vector("inference_labels_waiting", q.MODEL)
    delay = "inference_label_delay_seconds"
    return [
        g.row("Labels: is there enough to judge by?"),
        g.timeseries(
            "Label coverage",
            "Share of the predictions settled in the sliding window that got their label, and its target (dashed). From inference_labels_total, "
            "inference_predictions_unlabeled_total and inference_slo_target. Bad: falling; the labelled part need not stand for the rest.",
            [g.query(q.coverage(q.VERSIONS), "coverage"), g.query(q.target(q.MODEL, "coverage"), "target")],
            "percentunit",
            NO_LABELS,
            width=6,
            decimals=1,
            limits=(0, 1),
            overrides=[g.target_line("^target$")],
        ),
        g.timeseries(
            "Labels by result",
            "Labels per second by what became of them. From inference_labels_total. Bad: orphan, duplicate, late or invalid rise: the feed changed.",
            [g.query(q.per_second("inference_labels_total", q.MODEL, by="result"), "{{result}}")],
            "cps",
            "no labels",
            width=6,
            limits=(0, None),
            overrides=[g.colored("joined", g.GOOD), g.colored("duplicate", "blue"), g.colored("orphan", "purple"), g.colored("late", "orange"), g.colored("invalid", g.BAD)],
        ),
        g.timeseries(
            "Label delay",
            "Time from a prediction to its label. From inference_label_delay_seconds, target (dashed) from inference_slo_target. Bad: "
            "nearing the join's wait, beyond which labels come too late.",
            [
                g.query(q.quantile(0.5, delay, q.VERSIONS, window=q.WINDOW), "p50"),
                g.query(q.quantile(0.9, delay, q.VERSIONS, window=q.WINDOW), "p90"),
                g.query(q.target(q.MODEL, "label_delay", strictest="min"), "target"),
            ],
            "s",
            "no labels",
            width=6,
            limits=(0, None),
            overrides=[g.target_line("^target$")],
        ),
        g.timeseries(
            "Waiting",
            "Predictions that wait for their label and labels that wait for their prediction, over all pods. From "
            "inference_predictions_pending and inference_labels_waiting. Bad: a flat ceiling: the join is full and evicts; or labels that wait "
            "and never meet their prediction.",
            [g.query(f"sum({pending})", "predictions"), g.query(f"sum({waiting})", "labels")],
            "short",
            "no labels",
            width=6,
            limits=(0, None),
        ),
    ]


def dashboard():
    return g.dashboard(
        "inference-model",
        "Inference / Model",
        "One model in production: is it still right, for every class and slice, and are there labels enough to say so?",
        variables("model", "version", "class", "window", "exporter_window"),
        MODEL_ANNOTATIONS,
        [*summary(), *quality(), *classes(), *scores(), *slices(), *labels()],
    )
