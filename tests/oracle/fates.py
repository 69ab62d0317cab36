"""What is predicted, and which of its labels arrive when.

Each prediction is given its fate when it is made (labelled, labelled twice, too late, never), so that the
counts of the join are known by construction and not by a second implementation of the join.
"""

import dataclasses
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 3, 2, tzinfo=UTC)
LAST_PREDICTION = timedelta(hours=19)
# An orphan at this time is the last event of every case, and so the clock at the end of the replay.
END = BEGINNING + timedelta(hours=20)
# No deadline is nearer than this to the event that it is compared with.
MARGIN = timedelta(minutes=3)


@dataclasses.dataclass
class Prediction:
    """One inference: what is logged of it, its truth, and what is to become of it."""

    version: str
    predicted: object  # class as text, or a number
    actual: object
    scores: dict | None = None  # class -> probability
    slices: dict = dataclasses.field(default_factory=dict)
    id: str = ""
    time: datetime = BEGINNING
    latency_ms: float | None = None
    failed: bool = False
    joined: bool = False


@dataclasses.dataclass
class Label:
    time: datetime
    id: str
    actual: object


@dataclasses.dataclass
class Case:
    """A case before it is written."""

    name: str
    model: str
    task: str
    classes: list
    configuration: str
    wait: timedelta
    predictions: list
    counts: dict
    prediction_file: str
    label_file: str
    prediction_lines: list = dataclasses.field(default_factory=list)
    label_lines: list = dataclasses.field(default_factory=list)
    top_k: tuple = ()
    # Which class is the positive one, in binary.
    positive: str = ""
    logs: dict = dataclasses.field(default_factory=dict)


def schedule(predictions, rng, prefix):
    """Spreads the predictions over the day in random order and numbers them."""
    rng.shuffle(predictions)
    step = LAST_PREDICTION / (len(predictions) + 1)
    for index, prediction in enumerate(predictions):
        at = BEGINNING + step * (index + rng.uniform(0.1, 0.9))
        prediction.time = at.replace(microsecond=at.microsecond // 1000 * 1000)
        prediction.id = f"{prefix}{index:05d}"
        prediction.latency_ms = round(rng.lognormvariate(2.5, 0.6), 3)
    return predictions


def wrong_answer(prediction, classes):
    if classes:
        return next(each for each in classes if each != prediction.actual)
    return prediction.actual + 1000


def answer(predictions, rng, wait, classes, orphans, never=(), in_order=True):
    """Decides each prediction's fate; returns the labels in the order of their file, and the counts."""
    labels, counts = [], {"joined": 0, "duplicate": 0, "late": 0, "orphan": orphans + 1}
    for prediction in predictions:
        if prediction.failed or prediction.version in never:
            continue
        deadline = prediction.time + wait
        fate = rng.choices(["joined", "twice", "early", "unlabelled", "late"], [78, 6, 2, 9, 5])[0]
        if fate == "early" and prediction.time - BEGINNING < timedelta(hours=1):
            fate = "joined"
        if fate == "late" and (not in_order or deadline + 2 * MARGIN > END - MARGIN):
            fate = "unlabelled"
        if fate == "unlabelled" and abs(deadline - END) < MARGIN:
            fate = "joined"
        if fate == "unlabelled":
            continue
        if fate == "late":
            at = deadline + rng.uniform(1, 2) * MARGIN
            counts["late"] += 1
        elif fate == "early":
            at = prediction.time - rng.uniform(0.01, 0.5) * timedelta(hours=1)
        else:
            longest = min(wait, END - prediction.time) - MARGIN
            at = prediction.time + timedelta(seconds=5) + rng.uniform(0, 0.95) * longest
        labels.append(Label(at, prediction.id, prediction.actual))
        if fate == "late":
            continue
        prediction.joined = True
        counts["joined"] += 1
        if fate == "twice":
            # The first wins, so the second one's answer must not show.
            other = prediction.actual if rng.random() < 0.5 else wrong_answer(prediction, classes)
            labels.append(Label(at + timedelta(seconds=30), prediction.id, other))
            counts["duplicate"] += 1
    for index in range(orphans):
        at = BEGINNING + rng.uniform(0.01, 0.98) * (END - BEGINNING)
        labels.append(Label(at, f"nobody-{index}", predictions[index].actual))
    labels.sort(key=lambda label: label.time)
    if not in_order:
        shuffle_but_keep_firsts(labels, rng)
    labels.append(Label(END, "nobody-last", predictions[0].actual))
    for label in labels:
        label.time = label.time.replace(microsecond=label.time.microsecond // 1000 * 1000)
    return labels, counts


def shuffle_but_keep_firsts(labels, rng):
    """Shuffles, with two labels of one id in their old order among themselves: the first one wins."""
    order = {id(label): index for index, label in enumerate(labels)}
    rng.shuffle(labels)
    places = {}
    for index, label in enumerate(labels):
        places.setdefault(label.id, []).append(index)
    for indices in places.values():
        sorted_labels = sorted((labels[index] for index in indices), key=lambda each: order[id(each)])
        for index, label in zip(indices, sorted_labels):
            labels[index] = label


def batches_of(predictions, rng):
    """Consecutive predictions of one version, one to five in a batch; a batch has one id and one time."""
    predictions.sort(key=lambda row: row.version)
    batches, position = [], 0
    while position < len(predictions):
        version, size = predictions[position].version, rng.randint(1, 5)
        batch = [row for row in predictions[position : position + size] if row.version == version]
        batches.append(batch)
        position += len(batch)
    rng.shuffle(batches)
    step = LAST_PREDICTION / (len(batches) + 1)
    for index, batch in enumerate(batches):
        at = BEGINNING + step * (index + rng.uniform(0.1, 0.9))
        latency = round(rng.lognormvariate(2.5, 0.6), 3)
        for row in batch:
            row.id = f"batch-{index:04d}"
            row.time = at.replace(microsecond=at.microsecond // 1000 * 1000)
            row.latency_ms = latency
    return batches


def answer_batches(batches, rng, wait, classes, orphans):
    """As `answer`, for whole batches: a batch's labels may be fewer than its rows."""
    records, counts = [], {"joined": 0, "duplicate": 0, "late": 0, "orphan": 2 * orphans + 1}
    for batch in batches:
        made, deadline = batch[0].time, batch[0].time + wait
        fate = rng.choices(["joined", "partly", "twice", "unlabelled", "late"], [70, 10, 6, 8, 6])[0]
        if fate == "late" and deadline + 2 * MARGIN > END - MARGIN:
            fate = "unlabelled"
        if abs(deadline - END) < MARGIN and fate != "twice":
            fate = "joined"
        if fate == "unlabelled":
            continue
        if fate == "late":
            records.append((deadline + rng.uniform(1, 2) * MARGIN, batch[0].id, [row.actual for row in batch]))
            counts["late"] += len(batch)
            continue
        answered = batch[: (len(batch) + 1) // 2] if fate == "partly" else batch
        at = made + timedelta(seconds=5) + rng.uniform(0, 0.95) * (min(wait, END - made) - MARGIN)
        records.append((at, batch[0].id, [row.actual for row in answered]))
        counts["joined"] += len(answered)
        for row in answered:
            row.joined = True
        if fate == "twice":
            others = [wrong_answer(row, classes) for row in batch]
            records.append((at + timedelta(seconds=30), batch[0].id, others))
            counts["duplicate"] += len(batch)
    for index in range(orphans):
        records.append((BEGINNING + rng.uniform(0.01, 0.98) * (END - BEGINNING), f"nobody-{index}", classes[:2]))
    records.sort(key=lambda record: record[0])
    records.append((END, "nobody-last", classes[:1]))
    return records, counts
