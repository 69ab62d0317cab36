"""What scikit-learn says of the predictions that are joined; None where a value is undefined."""

import math

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

from fates import END

CALIBRATION_BINS = 15


def defined(value):
    """A float, or None where the value is undefined."""
    value = float(value)
    return value if math.isfinite(value) else None


def wilson(successes, trials):
    """The 95 % Wilson interval without continuity correction."""
    if trials == 0:
        return None, None
    interval = binomtest(int(successes), int(trials)).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def average_of_defined(values, weights):
    pairs = [(value, weight) for value, weight in zip(values, weights) if not math.isnan(value)]
    total = math.fsum(weight for _, weight in pairs)
    return math.fsum(value * weight for value, weight in pairs) / total if total else math.nan


def divide(numerator, denominator):
    return numerator / denominator if denominator else math.nan


def confusion(rows, classes):
    """Confusion cells that are not zero, and per class tn, fp, fn, tp."""
    actual, predicted = [row.actual for row in rows], [row.predicted for row in rows]
    matrix = metrics.confusion_matrix(actual, predicted, labels=classes)
    cells = [
        [classes[p], classes[a], int(matrix[a, p])]
        for p in range(len(classes))
        for a in range(len(classes))
        if matrix[a, p]
    ]
    per_class = metrics.multilabel_confusion_matrix(actual, predicted, labels=classes)
    return cells, per_class.reshape(-1, 4)


def by_class(rows, classes, whole):
    """Precision, recall, F1, and for a whole version their bounds, specificity and averages."""
    actual, predicted = [row.actual for row in rows], [row.predicted for row in rows]
    options = {"labels": classes, "zero_division": np.nan}
    precision, recall, f1, support = metrics.precision_recall_fscore_support(actual, predicted, **options)
    _, quads = confusion(rows, classes)
    # A class that is neither predicted nor actual has no values, as with scikit-learn's labels=None.
    met = [bool(fp + fn + tp) for _, fp, fn, tp in quads]
    specificity = [divide(tn, tn + fp) if is_met else np.nan for (tn, fp, _, _), is_met in zip(quads, met)]
    result = {}
    for index, name in enumerate(classes):
        tn, fp, fn, tp = quads[index]
        entry = {"precision": defined(precision[index]), "recall": defined(recall[index])}
        entry |= {"f1": defined(f1[index]), "support": int(support[index])}
        if whole:
            entry["precision_lower"], entry["precision_upper"] = wilson(tp, tp + fp)
            entry["recall_lower"], entry["recall_upper"] = wilson(tp, tp + fn)
            entry["specificity"] = defined(specificity[index])
        result[name] = entry
    averages = {}
    for average in ("macro", "micro", "weighted"):
        p, r, f, _ = metrics.precision_recall_fscore_support(actual, predicted, average=average, **options)
        averages[average] = {"precision": defined(p), "recall": defined(r), "f1": defined(f)}
    tn, fp, _, _ = quads[met].sum(axis=0)
    averages["macro"]["specificity"] = defined(average_of_defined(specificity, [1] * len(classes)))
    averages["micro"]["specificity"] = defined(divide(tn, tn + fp))
    averages["weighted"]["specificity"] = defined(average_of_defined(specificity, support.tolist()))
    return result, averages


def accuracy(rows):
    correct = sum(row.actual == row.predicted for row in rows)
    lower, upper = wilson(correct, len(rows))
    value = metrics.accuracy_score([r.actual for r in rows], [r.predicted for r in rows]) if rows else math.nan
    return {"accuracy": defined(value), "accuracy_lower": lower, "accuracy_upper": upper}


def agreement(rows):
    """Balanced accuracy, MCC and kappa; undefined where a marginal of the matrix is concentrated."""
    if not rows:
        return {"balanced_accuracy": None, "mcc": None, "cohen_kappa": None}
    actual, predicted = [row.actual for row in rows], [row.predicted for row in rows]
    # scikit-learn substitutes 0 for MCC with a constant side; its kappa of one single class is nan.
    constant = len(set(actual)) == 1 or len(set(predicted)) == 1
    return {
        "balanced_accuracy": defined(metrics.balanced_accuracy_score(actual, predicted)),
        "mcc": None if constant else defined(metrics.matthews_corrcoef(actual, predicted)),
        "cohen_kappa": defined(metrics.cohen_kappa_score(actual, predicted)),
    }


def rank_measures(truth, scores):
    """ROC AUC, undefined with one class; average precision, undefined without a positive."""
    roc = defined(metrics.roc_auc_score(truth, scores)) if len(set(truth)) == 2 else None
    precision = defined(metrics.average_precision_score(truth, scores)) if any(truth) else None
    return roc, precision


def calibration_error(hits, scores):
    """ECE: sum over equal-width bins of n_b/n |mean score - share of hits|, bins closed on the left."""
    bins = [min(int(score * CALIBRATION_BINS), CALIBRATION_BINS - 1) for score in scores]
    terms = []
    for index in set(bins):
        members = [i for i, each in enumerate(bins) if each == index]
        terms.append(abs(math.fsum(scores[i] - hits[i] for i in members)))
    for score in scores:
        edge = score * CALIBRATION_BINS
        inner = 0 < round(edge) < CALIBRATION_BINS
        assert not inner or abs(edge - round(edge)) > 1e-9, "a score on the edge of two bins"
    return math.fsum(terms) / len(scores)


def score_measures(rows, case):
    """What needs the scores; empty results where there are none."""
    names = ("roc_auc", "pr_auc", "log_loss", "brier_score", "calibration_error")
    if not rows or rows[0].scores is None:
        return dict.fromkeys(names)
    classes, actual = case.classes, [row.actual for row in rows]
    if case.task == "binary":
        truth = [each == case.positive for each in actual]
        scores = [row.scores[case.positive] for row in rows]
        roc, precision = rank_measures(truth, scores)
        loss = metrics.log_loss(truth, scores, labels=[False, True])
        brier = metrics.brier_score_loss(truth, scores, labels=[False, True], pos_label=True)
        error = calibration_error(truth, scores)
    else:
        table = np.array([[row.scores[name] for name in classes] for row in rows])
        roc, precision = {}, {}
        for index, name in enumerate(classes):
            roc[name], precision[name] = rank_measures([a == name for a in actual], table[:, index].tolist())
        loss = metrics.log_loss(actual, table, labels=classes)
        brier = metrics.brier_score_loss(actual, table, labels=classes)
        error = calibration_error([r.actual == r.predicted for r in rows], table.max(axis=1).tolist())
    return dict(zip(names, (roc, precision, defined(loss), defined(brier), defined(error))))


def top_k_measures(rows, case):
    if not case.top_k:
        return {}
    if not rows or rows[0].scores is None:
        return {"top_k_accuracy": {str(k): None for k in case.top_k}}
    table = np.array([[row.scores[name] for name in case.classes] for row in rows])
    for row, scores in zip(rows, table):
        own = row.scores[row.actual]
        assert (scores == own).sum() == 1, "a tie decides a rank"
    actual = [row.actual for row in rows]
    return {
        "top_k_accuracy": {
            str(k): defined(metrics.top_k_accuracy_score(actual, table, k=k, labels=case.classes)) for k in case.top_k
        }
    }


def classification(rows, case):
    classes, averages = by_class(rows, case.classes, whole=True)
    result = {"samples": len(rows)} | accuracy(rows) | agreement(rows)
    result |= score_measures(rows, case) | top_k_measures(rows, case)
    return result | {"classes": classes, "average": averages}


def regression(rows, whole):
    names = ("mae", "rmse", "bias") + (("mse", "mape", "r2") if whole else ())
    if not rows:
        return {"samples": 0} | dict.fromkeys(names)
    actual = np.array([row.actual for row in rows], dtype=float)
    predicted = np.array([row.predicted for row in rows], dtype=float)
    nonzero = actual != 0
    result = {
        "samples": len(rows),
        "mae": defined(metrics.mean_absolute_error(actual, predicted)),
        "rmse": defined(metrics.root_mean_squared_error(actual, predicted)),
        "bias": math.fsum(predicted - actual) / len(rows),
    }
    if whole:
        constant = len(rows) < 2 or np.all(actual == actual[0])
        mape = (
            metrics.mean_absolute_percentage_error(actual[nonzero], predicted[nonzero]) if nonzero.any() else math.nan
        )
        result |= {
            "mse": defined(metrics.mean_squared_error(actual, predicted)),
            "mape": defined(mape),
            "mape_left_out": int((~nonzero).sum()),
            "r2": None if constant else defined(metrics.r2_score(actual, predicted)),
        }
    return result


def error_sums(rows):
    errors = [row.predicted - row.actual for row in rows]
    return {
        "absolute_error": {"count": len(errors), "sum": math.fsum(map(abs, errors))},
        "squared_error": math.fsum(error * error for error in errors),
        "over": math.fsum(error for error in errors if error > 0),
        "under": math.fsum(-error for error in errors if error < 0),
    }


def expected_of_version(case, version):
    made = [row for row in case.predictions if row.version == version]
    answered = [row for row in made if not row.failed]
    joined = [row for row in answered if row.joined]
    waiting = [row for row in answered if not row.joined]
    latencies = [row.latency_ms / 1000 for row in made if row.latency_ms is not None]
    expired = sum(row.time + case.wait < END for row in waiting)
    entry = {
        "requests": {"ok": len(answered), "failed": len(made) - len(answered)},
        "latency_seconds": {"count": len(latencies), "sum": math.fsum(latencies)},
        "settled": {"joined": len(joined), "expired": expired, "pending": len(waiting) - expired},
        "coverage": defined(divide(len(joined), len(joined) + expired)),
    }
    if case.classes:
        names = [row.predicted for row in answered]
        entry["predictions"] = {name: names.count(name) for name in case.classes}
        entry["cells"] = confusion(joined, case.classes)[0] if joined else []
        entry["all"] = classification(joined, case)
    else:
        entry["errors"] = error_sums(joined)
        entry["all"] = regression(joined, whole=True)
    entry["slices"] = {}
    for key, value in sorted({item for row in joined for item in row.slices.items()}):
        rows = [row for row in joined if row.slices[key] == value]
        if case.classes:
            inner = {"samples": len(rows)} | accuracy(rows)
            inner["classes"] = by_class(rows, case.classes, whole=False)[0]
            inner["cells"] = confusion(rows, case.classes)[0]
        else:
            inner = regression(rows, whole=False)
        entry["slices"][f"{key}={value}"] = inner
    return entry


def expected(case):
    versions = sorted({row.version for row in case.predictions})
    model = {"task": case.task, "labels": case.counts}
    model["versions"] = {version: expected_of_version(case, version) for version in versions}
    files = {"predictions": case.prediction_file, "labels": case.label_file}
    return {"files": files, "logs": case.logs, "models": {case.model: model}}
