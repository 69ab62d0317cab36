"""Logs of three models, and what a scrape must say of them, worked out here by plain arithmetic.

The figures come from lists of (prediction, label) and the textbook formulas, with none of the exporter's code, words or
data structures: that makes them an oracle. Everything is drawn from a fixed seed; only the times are today's.
"""

import datetime
import json
import math
import random

SEED = 20240607
# 97.5 % quantile of the normal distribution, for 95 % Wilson bounds.
Z = 1.959963984540054


def configuration(directory, port):
    """The exporter's configuration for these logs (JSON is YAML)."""
    prediction = {"id": "request_id", "time": "ts", "version": "model_version"}
    latency = {"latency": {"path": "latency_ms", "unit": "ms"}, "status": "status", "trace_id": "trace_id"}

    def logs(model, **fields):
        return [
            {
                "name": f"{model}-predictions",
                "paths": [f"{directory}/{model}-predictions.jsonl"],
                "format": "json",
                "model": model,
                "fields": {**prediction, **latency, **fields},
            },
            {
                "name": f"{model}-labels",
                "paths": [f"{directory}/{model}-labels.csv"],
                "format": "csv",
                "model": model,
                "fields": {"id": "request_id", "label": "truth"},
            },
        ]

    return {
        "listen": f"127.0.0.1:{port}",
        "logs": [
            *logs("fraud", prediction="label", score="score", slices={"country": "country"}),
            *logs("pets", prediction="label"),
            *logs("price", prediction="value"),
        ],
        "models": {
            "fraud": {
                "task": "binary",
                "positive": "1",
                "failed": "5..",
                "windows": ["1h"],
                "slices": ["country"],
                "targets": {"accuracy": 0.97, "latency_p99": "250ms"},
            },
            "pets": {"task": "multiclass", "classes": ["cat", "dog", "owl"], "failed": "5..", "windows": ["1h"]},
            "price": {"task": "regression", "failed": "5..", "windows": ["1h"]},
        },
    }


class Log:
    """One model's traffic: what is written, and the pairs it is counted from."""

    def __init__(self, model, predict, correct, seed, count=400):
        """`predict(random)` draws the fields of a prediction, `correct(random, fields)` its label."""
        self.model = model
        draw = random.Random(seed)
        now = datetime.datetime.now(datetime.timezone.utc)
        self.rows, self.labels = [], []
        for number in range(count):
            fields = predict(draw)
            at = now - datetime.timedelta(seconds=300 - 0.5 * number)
            self.rows.append(
                {
                    "request_id": f"{model}-{number}",
                    "ts": at.isoformat(),
                    "model_version": "1" if number < count // 2 else "2",
                    "latency_ms": round(draw.lognormvariate(3, 0.7), 3),
                    "status": 503 if number % 40 == 7 else 200,
                    "trace_id": f"{draw.getrandbits(128):032x}",
                    **fields,
                }
            )
            # Every tenth prediction still waits for its label.
            if number % 10:
                self.labels.append((f"{model}-{number}", correct(draw, fields)))
        self.pending = count - len(self.labels)
        by_id = {row["request_id"]: row for row in self.rows}
        self.joined = [(by_id[identifier], label) for identifier, label in self.labels]
        # Labels come late and in an order of their own; some twice, the second of them another value that must not count.
        draw.shuffle(self.labels)
        self.duplicates = [(identifier, self.labels[0][1]) for identifier, _ in self.labels[:15]]
        self.waiting = [(f"{model}-unknown-{number}", self.labels[0][1]) for number in range(6)]

    def write_predictions(self, directory):
        with open(f"{directory}/{self.model}-predictions.jsonl", "a") as log:
            log.writelines(json.dumps(row) + "\n" for row in self.rows)

    def write_labels(self, directory):
        with open(f"{directory}/{self.model}-labels.csv", "a") as log:
            log.write("request_id,truth\n")
            log.writelines(f"{identifier},{label}\n" for identifier, label in self.labels + self.duplicates + self.waiting)

    def common_answers(self):
        """(PromQL, value) for what every model has. JOB is replaced by the scrape's job."""
        model = f'model="{self.model}", job="JOB"'
        latencies = [row["latency_ms"] / 1000 for row in self.rows]
        failed = sum(row["status"] == 503 for row in self.rows)
        for version in ("1", "2"):
            seen = [row for row in self.rows if row["model_version"] == version]
            yield f'sum(inference_requests_total{{{model}, version="{version}"}})', len(seen)
        yield f'sum(inference_requests_total{{{model}, result="failed"}})', failed
        yield f'sum(inference_requests_total{{{model}, status="503"}})', failed
        yield f"sum(inference_request_duration_seconds_sum{{{model}}})", math.fsum(latencies)
        yield f"sum(inference_request_duration_seconds_count{{{model}}})", len(latencies)
        yield f'sum(inference_labels_total{{{model}, result="joined"}})', len(self.joined)
        yield f'sum(inference_labels_total{{{model}, result="duplicate"}})', len(self.duplicates)
        yield f"sum(inference_predictions_pending{{{model}}})", self.pending
        yield f"sum(inference_labels_waiting{{{model}}})", len(self.waiting)
        for version in ("1", "2"):
            joined = sum(row["model_version"] == version for row, _ in self.joined)
            yield f'inference_window_samples{{{model}, version="{version}", window="1h", slice="all"}}', joined


class Classes(Log):
    """Traffic whose answer is one of some classes."""

    def __init__(self, model, classes, *arguments, **options):
        super().__init__(model, *arguments, **options)
        self.classes = classes

    def answers(self):
        yield from self.common_answers()
        model = f'model="{self.model}", job="JOB"'
        yield from self.cells(model, "inference_outcomes_total", self.joined)
        for predicted in self.classes:
            count = sum(row["label"] == predicted for row in self.rows)
            yield f'sum(inference_predictions_total{{{model}, predicted="{predicted}"}})', count
        for version in ("1", "2"):
            pairs = [(row["label"], label) for row, label in self.joined if row["model_version"] == version]
            where = f'{model}, version="{version}", window="1h", slice="all"'
            yield from self.ratios(where, pairs)

    def cells(self, model, family, joined):
        for predicted in self.classes:
            for actual in self.classes:
                count = sum(row["label"] == predicted and label == actual for row, label in joined)
                correct = str(predicted == actual).lower()
                yield f'sum({family}{{{model}, predicted="{predicted}", actual="{actual}", correct="{correct}"}})', count

    def ratios(self, where, pairs):
        count, correct = len(pairs), sum(predicted == actual for predicted, actual in pairs)
        yield f"inference_accuracy_ratio{{{where}}}", correct / count
        lower, upper = wilson(correct, count)
        yield f"inference_accuracy_lower_ratio{{{where}}}", lower
        yield f"inference_accuracy_upper_ratio{{{where}}}", upper
        recalls, f1s = [], []
        for name in self.classes:
            true = sum(predicted == actual == name for predicted, actual in pairs)
            called = sum(predicted == name for predicted, _ in pairs)
            there = sum(actual == name for _, actual in pairs)
            recalls.append(true / there)
            f1s.append(2 * true / (called + there))
            yield f'inference_precision_ratio{{{where}, class="{name}"}}', true / called
            yield f'inference_recall_ratio{{{where}, class="{name}"}}', true / there
            yield f'inference_f1_score{{{where}, class="{name}"}}', f1s[-1]
        yield f"inference_balanced_accuracy_ratio{{{where}}}", math.fsum(recalls) / len(recalls)
        yield f'inference_f1_average_score{{{where}, average="macro"}}', math.fsum(f1s) / len(f1s)


class Binary(Classes):
    """Two classes with a score and slices by country."""

    def answers(self):
        yield from super().answers()
        model = f'model="{self.model}", job="JOB"'
        for country in ("DE", "FR"):
            joined = [(row, label) for row, label in self.joined if row["country"] == country]
            sliced = f'{model}, slice_by="country", slice="{country}"'
            yield from self.cells(sliced, "inference_slice_outcomes_total", joined)
        for version in ("1", "2"):
            where = f'{model}, version="{version}", window="1h", slice="all"'
            scored = [(row["score"], label == "1") for row, label in self.joined if row["model_version"] == version]
            losses = [-math.log(score if positive else 1 - score) for score, positive in scored]
            squares = [(score - positive) ** 2 for score, positive in scored]
            yield f"inference_log_loss{{{where}}}", math.fsum(losses) / len(scored)
            yield f"inference_brier_score{{{where}}}", math.fsum(squares) / len(scored)
        yield f'inference_slo_target{{{model}, indicator="accuracy"}}', 0.97
        yield f'inference_slo_target{{{model}, indicator="latency_p99"}}', 0.25


class Numbers(Log):
    """Traffic whose answer is a number."""

    def answers(self):
        yield from self.common_answers()
        model = f'model="{self.model}", job="JOB"'
        errors = [row["value"] - label for row, label in self.joined]
        yield f"sum(inference_absolute_error_sum{{{model}}})", math.fsum(map(abs, errors))
        yield f"sum(inference_absolute_error_count{{{model}}})", len(errors)
        yield f"sum(inference_squared_error_total{{{model}}})", math.fsum(error**2 for error in errors)
        over = math.fsum(error for error in errors if error > 0)
        under = math.fsum(-error for error in errors if error < 0)
        yield f'sum(inference_error_sum_total{{{model}, direction="over"}})', over
        yield f'sum(inference_error_sum_total{{{model}, direction="under"}})', under
        for version in ("1", "2"):
            pairs = [(row["value"], label) for row, label in self.joined if row["model_version"] == version]
            where = f'{model}, version="{version}", window="1h", slice="all"'
            count = len(pairs)
            mean = math.fsum(label for _, label in pairs) / count
            squared = math.fsum((value - label) ** 2 for value, label in pairs)
            yield f"inference_mae{{{where}}}", math.fsum(abs(value - label) for value, label in pairs) / count
            yield f"inference_mse{{{where}}}", squared / count
            yield f"inference_rmse{{{where}}}", math.sqrt(squared / count)
            yield f"inference_bias{{{where}}}", math.fsum(value - label for value, label in pairs) / count
            yield f"inference_r2{{{where}}}", 1 - squared / math.fsum((label - mean) ** 2 for _, label in pairs)


def wilson(correct, count):
    """E. B. Wilson's interval for a proportion."""
    share, z2 = correct / count, Z * Z
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return centre - half, centre + half


def everything():
    """The three models' traffic."""

    def fraud(draw):
        score = round(draw.betavariate(0.6, 1.4) * 0.98 + 0.01, 6)
        return {"score": score, "label": "1" if score >= 0.5 else "0", "country": draw.choice(["DE", "FR"])}

    def pet(draw):
        return {"label": draw.choices(["cat", "dog", "owl"], [5, 3, 2])[0]}

    def price(draw):
        return {"value": round(draw.gauss(200, 60), 3)}

    def truth_of_pet(draw, fields):
        return fields["label"] if draw.random() < 0.85 else draw.choice(["cat", "dog", "owl"])

    return [
        Binary("fraud", ["0", "1"], fraud, lambda draw, fields: str(int(draw.random() < fields["score"])), SEED),
        Classes("pets", ["cat", "dog", "owl"], pet, truth_of_pet, SEED + 1),
        Numbers("price", price, lambda draw, fields: round(fields["value"] + draw.gauss(1.5, 12), 3), SEED + 2),
    ]
