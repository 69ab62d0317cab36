"""Writes cases.json: inputs and the values that scikit-learn, scipy and numpy give for them.

Run from anywhere, with the packages of ../requirements.txt:  python generate.py
The same seed gives the same file. The Rust test reads the file and needs no python.

Where scikit-learn substitutes a number for an undefined value the case says null, as we define it: a zero
denominator is undefined, and averages leave out the class and its weight (zero_division=nan).
"""

import json
import math
import pathlib
import warnings

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

warnings.filterwarnings("ignore")
SEED = 20250117
AVERAGES = ("macro", "micro", "weighted")


def clean(value):
    """A plain float, or None where the value is undefined."""
    value = float(value)
    return value if math.isfinite(value) else None


def wilson(part, whole):
    if whole == 0:
        return None
    found = binomtest(int(part), int(whole)).proportion_ci(0.95, method="wilson")
    return [float(found.low), float(found.high)]


def nan_average(values, weights):
    """Leaves out undefined values with their weights."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    known = ~np.isnan(values)
    if weights[known].sum() == 0:
        return None
    return clean(np.average(values[known], weights=weights[known]))


def specificity(actual, predicted, labels):
    """Recall of the rest, class by class; scikit-learn has no function of that name."""
    return [
        metrics.recall_score(actual != label, predicted != label, zero_division=np.nan)
        for label in labels
    ]


def averages(score, actual, predicted, labels):
    """scikit-learn's averages, but none where the weights that are left are all zero."""
    by_class = score(actual, predicted, labels=labels, average=None, zero_division=np.nan)
    support = [np.sum(actual == label) for label in labels]
    values = {
        average: clean(score(actual, predicted, average=average, zero_division=np.nan))
        for average in AVERAGES
    }
    if nan_average(by_class, support) is None:
        values["weighted"] = None
    return values


def classification(name, predicted, actual):
    predicted, actual = np.asarray(predicted), np.asarray(actual)
    labels = sorted(set(predicted.tolist()) | set(actual.tolist()))
    scores = {
        "precision": metrics.precision_score,
        "recall": metrics.recall_score,
        "f1": metrics.f1_score,
    }
    by_class = {
        key: [clean(v) for v in score(actual, predicted, labels=labels, average=None, zero_division=np.nan)]
        for key, score in scores.items()
    }
    by_class["specificity"] = [clean(v) for v in specificity(actual, predicted, labels)]
    average = {key: averages(score, actual, predicted, labels) for key, score in scores.items()}

    rest = metrics.multilabel_confusion_matrix(actual, predicted, labels=labels)
    true_negatives, false_positives = rest[:, 0, 0], rest[:, 0, 1]
    negatives = (true_negatives + false_positives).sum()
    values = specificity(actual, predicted, labels)
    average["specificity"] = {
        "macro": nan_average(values, np.ones(len(labels))),
        "micro": clean(true_negatives.sum() / negatives) if negatives else None,
        "weighted": nan_average(values, [np.sum(actual == label) for label in labels]),
    }

    constant = len(set(predicted.tolist())) == 1 or len(set(actual.tolist())) == 1
    hits = predicted == actual
    return {
        "name": name,
        "predicted": predicted.tolist(),
        "actual": actual.tolist(),
        "labels": labels,
        "accuracy": clean(metrics.accuracy_score(actual, predicted)),
        "accuracy_interval": wilson(hits.sum(), len(hits)),
        "precision_interval": [wilson((hits & (predicted == c)).sum(), (predicted == c).sum()) for c in labels],
        "recall_interval": [wilson((hits & (actual == c)).sum(), (actual == c).sum()) for c in labels],
        "balanced_accuracy": clean(metrics.balanced_accuracy_score(actual, predicted)),
        "matthews": None if constant else clean(metrics.matthews_corrcoef(actual, predicted)),
        "kappa": clean(metrics.cohen_kappa_score(actual, predicted)),
        "by_class": by_class,
        "average": average,
    }


def calibration_error(scores, hits):
    """Expected calibration error over 15 equal-width bins, open to the right."""
    bins = np.digitize(scores, np.arange(1, 15) / 15)
    total = 0.0
    for index in range(15):
        inside = bins == index
        if inside.any():
            total += inside.mean() * abs(scores[inside].mean() - hits[inside].mean())
    return clean(total)


def ranking(positive, scores):
    return {
        "roc_auc": clean(metrics.roc_auc_score(positive, scores)) if 0 < positive.sum() < len(positive) else None,
        "average_precision": clean(metrics.average_precision_score(positive, scores)) if positive.any() else None,
    }


def binary(name, scores, positive):
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    two = np.column_stack([1 - scores, scores])
    truth = positive.astype(int)
    # The two-column form with labels is defined for one class alone, too; its Brier score is halved.
    return {
        "name": name,
        "scores": scores.tolist(),
        "positive": truth.tolist(),
        "log_loss": clean(metrics.log_loss(truth, two, labels=[0, 1])),
        "brier": clean(metrics.brier_score_loss(truth, two, labels=[0, 1])),
        "calibration_error": calibration_error(scores, positive),
        "ranking": ranking(truth, scores),
    }


def multiclass(name, scores, actual, top_k):
    scores, actual = np.asarray(scores, float), np.asarray(actual)
    labels = list(range(scores.shape[1]))
    # Of equal top scores the last class is on top, as in top_k_accuracy_score.
    top = scores.shape[1] - 1 - np.argmax(scores[:, ::-1], axis=1)
    return {
        "name": name,
        "scores": scores.tolist(),
        "actual": actual.tolist(),
        "log_loss": clean(metrics.log_loss(actual, scores, labels=labels)),
        "brier": clean(metrics.brier_score_loss(actual, scores, labels=labels)),
        "calibration_error": calibration_error(scores.max(axis=1), top == actual),
        "top_k": [[k, clean(metrics.top_k_accuracy_score(actual, scores, k=k, labels=labels))] for k in top_k],
        "ranking": [ranking((actual == c).astype(int), scores[:, c]) for c in labels],
    }


def regression(name, prediction, label, offset=0):
    """`offset` is added to both: written apart, so that every reader has the same doubles."""
    prediction, label = np.asarray(prediction, float) + offset, np.asarray(label, float) + offset
    known = label != 0
    constant = np.all(label == label[0])
    return {
        "name": name,
        "offset": offset,
        "prediction": (prediction - offset).tolist(),
        "label": (label - offset).tolist(),
        "mse": clean(metrics.mean_squared_error(label, prediction)),
        "rmse": clean(metrics.root_mean_squared_error(label, prediction)),
        "mae": clean(metrics.mean_absolute_error(label, prediction)),
        "mape": clean(metrics.mean_absolute_percentage_error(label[known], prediction[known])) if known.any() else None,
        "bias": clean(np.mean(prediction - label)),
        "r2": None if len(label) < 2 or constant else clean(metrics.r2_score(label, prediction)),
    }


def classification_cases(random):
    yield classification("one right outcome", [0], [0])
    yield classification("one wrong outcome", [1], [0])
    yield classification("one class, always right", [2] * 9, [2] * 9)
    yield classification("all wrong, two classes", [0, 1, 0, 1], [1, 0, 1, 0])
    yield classification("all of one predicted as the other", [1] * 6, [0] * 6)
    yield classification("one class predicted", [1] * 12, [0, 1, 1] * 4)
    yield classification("one class actual", [0, 1, 1] * 4, [1] * 12)
    yield classification("phantom class, predicted but never actual", [0, 1, 2, 0, 1, 1], [0, 1, 1, 0, 1, 0])
    yield classification("class never predicted", [0, 1, 0, 0], [0, 1, 2, 2])
    yield classification("right class with tp = 0", [0, 0, 1, 2], [1, 2, 0, 0])
    yield classification("labels with gaps", [3, 7, 7, 3, 9], [3, 7, 3, 3, 7])
    rare = (np.arange(1000) == 17).astype(int)
    yield classification("one in a thousand, found", rare, rare)
    yield classification("one in a thousand, missed", np.zeros(1000, int), rare)
    yield classification("one in a thousand, found among false alarms", (np.arange(1000) % 100 == 17).astype(int), rare)
    for index in range(60):
        classes, count = int(random.integers(2, 8)), int(random.integers(2, 60))
        weights = random.dirichlet(np.full(classes, 0.6))
        actual = random.choice(classes, count, p=weights)
        right = random.random(count) < random.random()
        predicted = np.where(right, actual, random.choice(classes, count))
        yield classification(f"random {index}: {classes} classes", predicted, actual)


def binary_cases(random):
    yield binary("one positive", [0.7], [1])
    yield binary("one negative", [0.7], [0])
    yield binary("certain and right", [0, 1, 1], [0, 1, 1])
    yield binary("certain and wrong", [1, 0, 1], [0, 1, 1])
    yield binary("no positive", [0.1, 0.4, 0.35], [0, 0, 0])
    yield binary("no negative", [0.1, 0.4, 0.35], [1, 1, 1])
    yield binary("all tied", [0.5] * 8, [0, 1] * 4)
    yield binary("perfectly ranked", np.arange(20) / 20, np.arange(20) >= 12)
    yield binary("perfectly ranked the wrong way", np.arange(20) / 20, np.arange(20) < 12)
    yield binary("tenths, many ties", np.round(random.random(60), 1), random.random(60) < 0.5)
    # Fifteenths that are short decimals, and their neighbours: every reader makes the same doubles of them.
    edges = np.array([0.2, 0.4, 0.6, 0.8])
    near = np.round(np.concatenate([[0, 1], edges, edges - 1e-9, edges + 1e-9]), 10)
    yield binary("on the edges of the calibration bins", near, np.arange(len(near)) % 3 == 0)
    yield binary("all in one ranking bin", np.round(0.501 + random.random(50) * 0.004, 7), random.random(50) < 0.4)
    yield binary("at both ends of the logit range", [1e-7, 2e-7, 1e-6, 1 - 1e-6, 1 - 1e-7, 0.5], [0, 1, 0, 1, 0, 1])
    count = 2000
    rare = np.arange(count) % 1000 == 0
    low = np.exp(random.normal(-6 + 2.5 * rare, 1.0))
    yield binary("one in a thousand, low scores", np.round(low / (1 + low), 6), rare)
    share = np.arange(1000) % 100 == 0
    low = np.exp(random.normal(-5 + 2.0 * share, 1.2))
    yield binary("one in a hundred, low scores", np.round(low / (1 + low), 6), share)
    for index in range(45):
        count = int(random.integers(2, 80))
        positive = random.random(count) < random.choice([0.05, 0.5, 0.9])
        odds = np.exp(random.normal(0, 2, count) + positive * random.random() * 3)
        digits = int(random.choice([1, 2, 5]))
        yield binary(f"random {index}: {digits} digits", np.round(odds / (1 + odds), digits), positive)


def multiclass_cases(random):
    yield multiclass("one outcome", [[0.2, 0.5, 0.3]], [2], [1, 2])
    yield multiclass("certain and wrong", [[0, 0, 1], [0, 1, 0]], [0, 1], [1, 2])
    yield multiclass("all scores tied", [[0.25] * 4] * 4, [0, 1, 2, 3], [1, 2, 3])
    yield multiclass("one class actual", [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]], [1, 1], [1, 2])
    yield multiclass("class never actual", [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]], [0, 1, 1], [1, 2])
    yield multiclass("rows that do not sum to one", [[0.6, 0.6, 0.1], [0.2, 0.1, 0.1], [0.9, 0.9, 0.9]], [0, 2, 1], [1, 2])
    for index in range(30):
        classes, count = int(random.integers(3, 7)), int(random.integers(3, 40))
        actual = random.integers(0, classes, count)
        raw = random.gamma(0.7, size=(count, classes)) + np.eye(classes)[actual] * random.random()
        digits = int(random.choice([1, 4]))
        scores = np.round(raw / raw.sum(axis=1, keepdims=True), digits)
        yield multiclass(f"random {index}: {classes} classes, {digits} digits", scores, actual, [1, 2, classes - 1])


def regression_cases(random):
    yield regression("one pair", [1.5], [1.0])
    yield regression("two pairs", [1.5, 2.0], [1.0, 3.0])
    yield regression("constant label, met", [3, 3, 3], [3, 3, 3])
    yield regression("constant label, missed", [3, 4, 5], [3, 3, 3])
    yield regression("constant label that is no binary fraction", [0.1, 0.2, 0.3], [0.1, 0.1, 0.1])
    yield regression("perfect", [1, 2, 4], [1, 2, 4])
    yield regression("all labels zero", [1, -1, 0.5], [0, 0, 0])
    yield regression("some labels zero", [1, -1, 0.5, 2], [0, 2, 0, -3])
    yield regression("labels nearly zero", [1e-17, 1e-3, -2], [3e-17, -1e-20, 1e-10])
    yield regression("errors that cancel", [2, 0, 5, -3], [1, 1, 1, 1.5])
    yield regression("both signs", [10, -10, 3, -7], [9, -11, -3, 7])
    grid = lambda count: np.round(random.normal(0, 1, count) * 256) / 256
    for offset in (10**8, -(10**8), 10**6):
        label = grid(200)
        yield regression(f"offset {offset}", label + grid(200) / 2, label, offset)
    for exponent in (-12, 12):
        label = random.normal(0, 1, 30) * 10.0**exponent
        yield regression(f"magnitude 1e{exponent}", np.round(label * 1.1, 14), np.round(label, 14))
    for index in range(30):
        count = int(random.integers(2, 60))
        label = np.round(random.normal(random.normal(0, 10), 3, count), 3)
        yield regression(f"random {index}", np.round(label + random.normal(0.2, 1, count), 3), label)


def main():
    random = np.random.default_rng(SEED)
    cases = {
        "classification": list(classification_cases(random)),
        "binary": list(binary_cases(random)),
        "multiclass": list(multiclass_cases(random)),
        "regression": list(regression_cases(random)),
    }
    lines = []
    for kind, of_kind in cases.items():
        rows = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in of_kind)
        lines.append(f"{json.dumps(kind)}:[\n{rows}\n]")
    path = pathlib.Path(__file__).with_name("cases.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print({kind: len(of_kind) for kind, of_kind in cases.items()}, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
