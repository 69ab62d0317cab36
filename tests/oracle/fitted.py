"""The cases: models that are fitted here, and how each one's logs are written."""

import base64
import dataclasses
import json
import math
import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
from river import compose, linear_model, naive_bayes, optim, preprocessing
from river import datasets as streams
from sklearn import datasets
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fates import BEGINNING, Case, Prediction, answer, answer_batches, batches_of, schedule


def text(value):
    """All digits of a float."""
    return repr(float(value))


def rfc3339(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def epoch_ms(at):
    return round((at - BEGINNING) / timedelta(milliseconds=1)) + int(BEGINNING.timestamp()) * 1000


def compact(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def quoted(value):
    return '"' + str(value).replace('"', '""') + '"'


def tercile(values, names):
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    return [names[int(value > low) + int(value > high)] for value in values]


def scored(version, classes, probabilities, actual, slices):
    """Predictions of a scikit-learn classifier: the class with the highest probability."""
    made = []
    for row, truth, where in zip(probabilities, actual, slices):
        scores = {name: float(value) for name, value in zip(classes, row)}
        made.append(Prediction(version, max(classes, key=scores.get), truth, scores, where))
    return made


# === The cases ===


def breast_cancer_json():
    """Binary, nested JSON; keys with dots, NaN as latency, failed requests, a version with one class only."""
    rng, wait = random.Random(1), timedelta(hours=2)
    x, target = datasets.load_breast_cancer(return_X_y=True)
    truth = np.where(target == 0, "1", "0")  # malignant is the positive class
    parts = train_test_split(x, truth, train_size=200, random_state=1, stratify=truth)
    x_fit, x_test, y_fit, y_test = parts
    good = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_fit, y_fit)
    bad = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_fit[:30, [1, 9]], y_fit[:30])
    slices = [{"radius": name} for name in tercile(x_test[:, 0], ["small", "medium", "large"])]
    classes = ["0", "1"]
    predictions = scored("v1", classes, good.predict_proba(x_test), y_test, slices)
    predictions += scored("v2", classes, bad.predict_proba(x_test[:, [1, 9]]), y_test, slices)
    certain = [row for row in predictions if row.version == "v1" and row.predicted == row.actual == "1"][:14]
    predictions += [dataclasses.replace(row, version="canary") for row in certain]
    for _ in range(12):
        predictions.append(Prediction("v2", "0", "0", {"0": 1.0, "1": 0.0}, {"radius": "small"}, failed=True))
    schedule(predictions, rng, "bc-")
    labels, counts = answer(predictions, rng, wait, classes, orphans=9)
    lines = [compact({"kind": "startup", "ts": rfc3339(BEGINNING), "message": "ready"})]
    for index, row in enumerate(predictions):
        if index % 11 == 3:
            row.latency_ms = None
        outputs = [
            {"name": "malignant", "datatype": "BOOL", "shape": [1, 1], "data": [row.predicted == "1"]},
            {"name": "probability", "datatype": "FP64", "shape": [1, 1], "data": [row.scores["1"]]},
        ]
        lines.append(
            compact(
                {
                    "kind": "inference",
                    "ts": rfc3339(row.time),
                    "request": {"id": row.id, "path": "/v2/models/tumour/infer"},
                    "deployment": {"model.name": "tumour", "model.version": row.version},
                    "http": {"status": 503 if row.failed else 200},
                    "latency_ms": math.nan if row.latency_ms is None else row.latency_ms,
                    "features": {"radius.tercile": row.slices["radius"], "radius": None},
                    "outputs": [] if row.failed else outputs,
                }
            )
        )
    label_lines = ["id,at,note,malignant"]
    for index, label in enumerate(labels):
        value = label.actual if index % 3 else f"{label.actual}.0"
        label_lines.append(
            f"{label.id},{quoted(rfc3339(label.time))},{quoted('seen by A, said ' + chr(34) + 'sure' + chr(34))},{value}"
        )
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.jsonl]
    format: json
    model: tumour
    where: {kind: inference}
    fields:
      id: request.id
      time: ts
      version: 'deployment["model.version"]'
      prediction: 'outputs[0].data[0]'
      score: 'outputs[1].data[0]'
      latency: {path: latency_ms, unit: ms}
      status: http.status
      slices: {radius: 'features["radius.tercile"]'}
  - name: labels
    paths: [labels.csv]
    format: csv
    model: tumour
    fields: {id: id, time: at, label: malignant}
models:
  tumour: {task: binary, positive: "1", windows: [24h], slices: [radius], join: {wait: 2h}}
"""
    return Case(
        "breast_cancer_json",
        "tumour",
        "binary",
        classes,
        configuration,
        wait,
        predictions,
        counts,
        "predictions.jsonl",
        "labels.csv",
        lines,
        label_lines,
        positive="1",
        logs={"predictions": {"ignored": {"condition": 1}}},
    )


def phishing_logfmt():
    """Binary on a stream, predicted before it is learnt; only the score is logged, the model's name too."""
    rng, wait = random.Random(2), timedelta(hours=1)
    models = {
        "2026-01": preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        "2026-02": linear_model.LogisticRegression(optimizer=optim.SGD(3.0), intercept_lr=1.0),
    }
    classes, predictions = ["legitimate", "phishing"], []
    for x, y in streams.Phishing():
        popular = {0.0: "no", 0.5: "some", 1.0: "yes"}[x["is_popular"]]
        for version, model in models.items():
            score = float(model.predict_proba_one(x)[True])
            scores = {"legitimate": 1 - score, "phishing": score}
            predicted = classes[score >= 0.5]
            predictions.append(Prediction(version, predicted, classes[y], scores, {"popular": popular}))
            model.learn_one(x, y)
    schedule(predictions, rng, "ph-")
    labels, counts = answer(predictions, rng, wait, classes, orphans=20)
    lines = [
        f'ts={epoch_ms(row.time) / 1000:.3f} level=info msg="url scored" model=phishing version={row.version} '
        f"id={row.id} popular={row.slices['popular']} seconds={row.latency_ms / 1000:.6f} p={text(row.scores['phishing'])}"
        for row in predictions
    ]
    label_lines = [
        compact({"reviewed": {"at": epoch_ms(label.time)}, "id": label.id, "verdict": label.actual}) for label in labels
    ]
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.log]
    format: logfmt
    fields:
      model: model
      id: id
      time: ts
      version: version
      score: p
      latency: {path: seconds, unit: s}
      slices: {popular: popular}
  - name: labels
    paths: [labels.jsonl]
    format: json
    model: phishing
    fields: {id: id, time: reviewed.at, label: verdict}
models:
  phishing:
    task: binary
    positive: phishing
    negative: legitimate
    threshold: 0.5
    windows: [24h]
    slices: [popular]
    join: {wait: 1h}
"""
    return Case(
        "phishing_logfmt",
        "phishing",
        "binary",
        classes,
        configuration,
        wait,
        predictions,
        counts,
        "predictions.log",
        "labels.jsonl",
        lines,
        label_lines,
        positive="phishing",
    )


def digits_csv():
    """Ten classes with scores and top-k, CSV with another delimiter, quotes, and times in a format of their own."""
    rng, wait = random.Random(3), timedelta(hours=3)
    x, target = datasets.load_digits(return_X_y=True)
    x_fit, x_test, y_fit, y_test = train_test_split(
        x, target.astype(str), train_size=600, random_state=3, stratify=target
    )
    classes = [str(digit) for digit in range(10)]
    good = make_pipeline(StandardScaler(), LogisticRegression(C=0.05)).fit(x_fit, y_fit)
    half = slice(0, 20)  # the lower rows of the image are lost
    bad = make_pipeline(StandardScaler(), LogisticRegression(C=0.05)).fit(x_fit[:200, half], y_fit[:200])
    x_test, y_test = x_test[:600], y_test[:600]
    slices = [{"ink": name} for name in tercile(x_test.mean(axis=1), ["light", "middle", "heavy"])]
    predictions = scored("3", classes, good.predict_proba(x_test), y_test, slices)
    predictions += scored("4", classes, bad.predict_proba(x_test[:, half]), y_test, slices)
    schedule(predictions, rng, "")
    for row in predictions:
        row.time = row.time.replace(microsecond=0)
    labels, counts = answer(predictions, rng, wait, classes, orphans=15)
    lines = ["id;when;version;agent;ink;latency;digit;" + ";".join(f"p{name}" for name in classes)]
    for row in predictions:
        agent = quoted('client/1.0 (linux; "batch")')
        digit = row.predicted if row.version == "3" else f"{row.predicted}.0"
        scores = ";".join(text(row.scores[name]) for name in classes)
        lines.append(
            f"{row.id};{row.time.strftime('%d/%b/%Y:%H:%M:%S +0000')};{row.version};{agent};"
            f"{row.slices['ink']};{row.latency_ms!r};{digit};{scores}"
        )
    label_lines = [f'{label.actual},{rfc3339(label.time)},"{label.id}"' for label in labels]
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.csv]
    format: csv
    delimiter: ';'
    model: digits
    fields:
      id: id
      time: {path: when, format: '%d/%b/%Y:%H:%M:%S %z'}
      version: version
      prediction: digit
      scores: {"0": p0, "1": p1, "2": p2, "3": p3, "4": p4, "5": p5, "6": p6, "7": p7, "8": p8, "9": p9}
      latency: {path: latency, unit: ms}
      slices: {ink: ink}
  - name: labels
    paths: [labels.csv]
    format: csv
    columns: [digit, at, id]
    model: digits
    fields: {id: id, time: at, label: digit}
models:
  digits:
    task: multiclass
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    top_k: [2, 3]
    windows: [24h]
    slices: [ink]
    join: {wait: 3h}
"""
    return Case(
        "digits_csv",
        "digits",
        "multiclass",
        classes,
        configuration,
        wait,
        predictions,
        counts,
        "predictions.csv",
        "labels.csv",
        lines,
        label_lines,
        top_k=(2, 3),
    )


def wine_explode():
    """Three classes in batches that explode, labels in batches too; one version always says the same."""
    rng, wait = random.Random(4), timedelta(hours=2)
    wine = datasets.load_wine()
    classes = [str(name) for name in wine.target_names]
    truth = np.array(classes)[wine.target]
    x_fit, x_test, y_fit, y_test = train_test_split(wine.data, truth, train_size=61, random_state=4, stratify=truth)
    good = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_fit, y_fit)
    bad = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_fit[:20, [2, 4]], y_fit[:20])
    constant = DummyClassifier(strategy="prior").fit(x_fit, y_fit)
    slices = [{"alcohol": name} for name in tercile(x_test[:, 0], ["low", "middle", "high"])]
    predictions = scored("v1", classes, good.predict_proba(x_test), y_test, slices)
    predictions += scored("v2", classes, bad.predict_proba(x_test[:, [2, 4]]), y_test, slices)
    predictions += scored("constant", classes, constant.predict_proba(x_test), y_test, slices)
    batches = batches_of(predictions, rng)
    records, counts = answer_batches(batches, rng, wait, classes, orphans=4)
    lines = []
    for batch in batches:
        first = batch[0]
        outputs = [
            {
                "cultivar": row.predicted,
                "probability": [row.scores[name] for name in classes],
                "alcohol": row.slices["alcohol"],
            }
            for row in batch
        ]
        lines.append(
            compact(
                {
                    "request": {"id": first.id, "at": rfc3339(first.time), "version": first.version},
                    "took": f"{first.latency_ms}ms",
                    "outputs": outputs,
                }
            )
        )
    label_lines = [
        compact({"request": {"id": name, "at": rfc3339(at)}, "truths": [{"cultivar": each} for each in answers]})
        for at, name, answers in records
    ]
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.jsonl]
    format: json
    model: wine
    explode: outputs
    fields:
      id: request.id
      time: request.at
      version: request.version
      prediction: cultivar
      scores: {class_0: 'probability[0]', class_1: 'probability[1]', class_2: 'probability[2]'}
      latency: {path: took, unit: ms}
      slices: {alcohol: alcohol}
  - name: labels
    paths: [labels.jsonl]
    format: json
    model: wine
    explode: truths
    fields: {id: request.id, time: request.at, label: cultivar}
models:
  wine:
    task: multiclass
    classes: [class_0, class_1, class_2]
    top_k: [2]
    windows: [24h]
    slices: [alcohol]
    join: {wait: 2h}
"""
    return Case(
        "wine_explode",
        "wine",
        "multiclass",
        classes,
        configuration,
        wait,
        predictions,
        counts,
        "predictions.jsonl",
        "labels.jsonl",
        lines,
        label_lines,
        top_k=(2,),
    )


def duration(milliseconds):
    """As a person or Rust's Debug writes it; the value that it stands for is `milliseconds` again."""
    if milliseconds < 8:
        return f"{milliseconds * 1000:.0f}µs"
    if milliseconds > 25:
        return f"{milliseconds / 1000:.6f}s"
    return f"{milliseconds}ms"


def diabetes_regex():
    """Regression in plain text with local times; labels of 0 and below, lines of another kind, an unlabelled version."""
    rng, wait = random.Random(5), timedelta(hours=2)
    x, target = datasets.load_diabetes(return_X_y=True)
    above = target.astype(int) - 90  # progression above 90, so that 0 and negative labels occur
    x_fit, x_test, y_fit, y_test = train_test_split(x, above, train_size=180, random_state=5)
    good, bad = Ridge(alpha=0.1).fit(x_fit, y_fit), Ridge(alpha=0.01).fit(x_fit[:12], y_fit[:12])
    bmi = tercile(x_test[:, 2], ["low", "middle", "high"])
    predictions = []
    for version, model, rows in (("v1", good, 262), ("v2", bad, 262), ("shadow", good, 20)):
        for index, value in enumerate(model.predict(x_test[:rows])):
            where = {"sex": "a" if x_test[index, 1] > 0 else "b", "bmi": bmi[index]}
            predictions.append(Prediction(version, float(value), int(y_test[index]), None, where))
    schedule(predictions, rng, "dia-")
    labels, counts = answer(predictions, rng, wait, [], orphans=8, never=("shadow",))
    assert any(row.joined and row.actual == 0 for row in predictions), "a label of 0"
    zone, lines = ZoneInfo("Europe/Berlin"), []
    for index, row in enumerate(predictions):
        local = row.time.astimezone(zone)
        stamp = local.strftime("%Y-%m-%d %H:%M:%S,") + f"{local.microsecond // 1000:03d}"
        lines.append(
            f"{stamp} INFO predict id={row.id} version={row.version} sex={row.slices['sex']} "
            f"bmi={row.slices['bmi']} took {duration(row.latency_ms)} -> {text(row.predicted)}"
        )
        if index % 60 == 7:
            lines.append(f"{stamp} WARNING queue is {index} long")
    rejected = len(lines) - len(predictions)
    label_lines = [f'at="{rfc3339(label.time)}" id={label.id} outcome={label.actual} by=clinic' for label in labels]
    configuration = r"""
logs:
  - name: predictions
    paths: [predictions.log]
    format: regex
    pattern: '^(?P<at>\S+ \S+) INFO predict id=(?P<id>\S+) version=(?P<version>\S+) sex=(?P<sex>\w+) bmi=(?P<bmi>\w+) took (?P<took>\S+) -> (?P<value>\S+)$'
    time_zone: Europe/Berlin
    model: progression
    fields:
      id: id
      time: at
      version: version
      prediction: value
      latency: {path: took, unit: ms}
      slices: {sex: sex, bmi: bmi}
  - name: labels
    paths: [labels.log]
    format: logfmt
    model: progression
    fields: {id: id, time: at, label: outcome}
models:
  progression: {task: regression, windows: [24h], slices: [sex, bmi], join: {wait: 2h}}
""".lstrip()
    return Case(
        "diabetes_regex",
        "progression",
        "regression",
        [],
        configuration,
        wait,
        predictions,
        counts,
        "predictions.log",
        "labels.log",
        lines,
        label_lines,
        logs={"predictions": {"rejected": {"malformed": rejected}}},
    )


def image_segments_base64():
    """Seven classes on a stream, no scores; the answer is JSON in base64 in a string, the label JSON in a string."""
    rng, wait = random.Random(6), timedelta(hours=4)
    models = {
        "nb-1": preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
        "nb-2": compose.Select("hue-mean", "region-centroid-row") | naive_bayes.GaussianNB(),
    }
    classes = ["brickface", "cement", "foliage", "grass", "path", "sky", "window"]
    predictions = []
    for index, (x, y) in enumerate(streams.ImageSegments()):
        row = x["region-centroid-row"]
        where = {"height": "top" if row < 80 else "middle" if row < 160 else "bottom"}
        for version, model in models.items():
            predicted = model.predict_one(x)
            if predicted is not None and index % 3 == 0:
                predictions.append(Prediction(version, predicted, y, None, where))
            model.learn_one(x, y)
    assert {row.actual for row in predictions} == set(classes)
    schedule(predictions, rng, "seg-")
    labels, counts = answer(predictions, rng, wait, classes, orphans=11)
    lines = []
    for row in predictions:
        body = compact({"predictions": [{"label": row.predicted, "rank": 1}]})
        lines.append(
            compact(
                {
                    "captureData": {
                        "endpointOutput": {
                            "mode": "OUTPUT",
                            "data": base64.b64encode(body.encode()).decode(),
                            "encoding": "BASE64",
                        }
                    },
                    "eventMetadata": {
                        "eventId": row.id,
                        "inferenceTime": rfc3339(row.time),
                        "height": row.slices["height"],
                    },
                    "invocation": {"variant": row.version, "latencyUs": round(row.latency_ms * 1000)},
                }
            )
        )
    label_lines = [
        compact(
            {
                "groundTruthData": {"data": compact({"label": label.actual}), "encoding": "JSON"},
                "eventMetadata": {"eventId": label.id, "at": rfc3339(label.time)},
            }
        )
        for label in labels
    ]
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.jsonl]
    format: json
    model: segments
    fields:
      id: eventMetadata.eventId
      time: eventMetadata.inferenceTime
      version: invocation.variant
      prediction: {path: captureData.endpointOutput.data, decode: [base64, json], then: 'predictions[0].label'}
      latency: {path: invocation.latencyUs, unit: us}
      slices: {height: eventMetadata.height}
  - name: labels
    paths: [labels.jsonl]
    format: json
    model: segments
    fields:
      id: eventMetadata.eventId
      time: eventMetadata.at
      label: {path: groundTruthData.data, decode: [json], then: label}
models:
  segments:
    task: multiclass
    classes: [brickface, cement, foliage, grass, path, sky, window]
    windows: [24h]
    slices: [height]
    join: {wait: 4h}
"""
    return Case(
        "image_segments_base64",
        "segments",
        "multiclass",
        classes,
        configuration,
        wait,
        predictions,
        counts,
        "predictions.jsonl",
        "labels.jsonl",
        lines,
        label_lines,
    )


def trump_approval_shuffled():
    """Regression on a stream; ids beyond 2^53 as bare numbers, labels in no order at all, a version with one label."""
    rng, wait = random.Random(7), timedelta(hours=30)
    models = {
        "v1": preprocessing.StandardScaler() | linear_model.LinearRegression(intercept_lr=0.1),
        "v2": preprocessing.StandardScaler()
        | linear_model.LinearRegression(optimizer=optim.SGD(0.001), intercept_lr=0.03),
    }
    predictions = []
    for x, y in streams.TrumpApproval():
        where = {"gallup": "high" if x["gallup"] > 40 else "low"}
        for version, model in models.items():
            predictions.append(Prediction(version, float(model.predict_one(x)), float(y), None, where))
            model.learn_one(x, y)
    schedule(predictions, rng, "90071992548")  # with five more digits, neighbours beyond 2^53
    labels, counts = answer(predictions, rng, wait, [], orphans=25, in_order=False)
    single = next(row for row in predictions[::-1] if row.joined)
    single.version = "v3"
    lines = [
        compact(
            {
                "id": int(row.id),
                "t": epoch_ms(row.time),
                "v": row.version,
                "gallup": row.slices["gallup"],
                "ms": row.latency_ms,
                "approval": row.predicted,
            }
        )
        for row in predictions
    ]
    label_lines = ["t,id,approval"]
    label_lines += [f"{epoch_ms(label.time)},{label.id},{text(label.actual)}" for label in labels]
    configuration = """\
logs:
  - name: predictions
    paths: [predictions.jsonl]
    format: json
    model: approval
    fields:
      id: id
      time: t
      version: v
      prediction: approval
      latency: {path: ms, unit: ms}
      slices: {gallup: gallup}
  - name: labels
    paths: [labels.csv]
    format: csv
    model: approval
    fields: {id: id, time: t, label: approval}
models:
  approval: {task: regression, windows: [24h], slices: [gallup], join: {wait: 30h}, expire_after: 96h}
"""
    return Case(
        "trump_approval_shuffled",
        "approval",
        "regression",
        [],
        configuration,
        wait,
        predictions,
        counts,
        "predictions.jsonl",
        "labels.csv",
        lines,
        label_lines,
    )


CASES = [
    breast_cancer_json,
    phishing_logfmt,
    digits_csv,
    wine_explode,
    diabetes_regex,
    image_segments_base64,
    trump_approval_shuffled,
]
