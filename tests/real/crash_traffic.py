"""Logs that are written while the exporter is killed, and what every counter must come to, counted as they are written.

The writer appends in chunks that end in the middle of lines, rotates in every way that leaves the bytes on the disk, and keeps
writing to renamed files for a moment, as real writers do. The counting is plain arithmetic over what was drawn, with none of
the exporter's code, words or data structures. What is drawn depends on the seed; when it is written, on the machine.

Where a rotation may rightly lose lines it is not done: a file is never deleted or emptied, and a symbolic link is pointed
elsewhere only once a checkpoint holds the file it leads to.
"""

import bisect
import collections
import datetime
import heapq
import json
import math
import os
import pathlib
import random
import re
import threading
import time

# How long a prediction waits for its label. Where labels have no time of their own, what is late depends on when a line is
# read, so there it is longer than any run.
WAIT_SECONDS = {"fraud": 6, "pets": 6, "price": 3600}
# Events are a little older than their lines, as they are in life: a time ahead of the exporter's clock is set back to it, and
# its clock is read before the lines are.
AGE_SECONDS = 1.0
VERSIONS = ("1", "2", "3")
COUNTRIES = ("DE", "FR", "US")
PETS = ("cat", "dog", "owl")
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')

# Counters (and two gauges of the join) that must equal what was counted here; a series that was not is 0.
EXACT = {
    "inference_requests_total",
    "inference_predictions_total",
    "inference_outcomes_total",
    "inference_slice_outcomes_total",
    "inference_labels_total",
    "inference_predictions_unlabeled_total",
    "inference_predictions_pending",
    "inference_labels_waiting",
    "inference_squared_error_total",
    "inference_error_sum_total",
    "inference_window_samples",
    "inference_exporter_lines_total",
    "inference_exporter_bytes_total",
    "inference_exporter_rejected_lines_total",
    "inference_exporter_ignored_lines_total",
}
# Those that are true only once all that waits has waited long enough.
UNSETTLED = {
    "inference_labels_total",
    "inference_predictions_unlabeled_total",
    "inference_predictions_pending",
    "inference_labels_waiting",
}
# Histograms of which every bucket must.
EXACT_HISTOGRAMS = {
    "inference_request_duration_seconds",
    "inference_prediction_score",
    "inference_outcome_score",
    "inference_absolute_error",
    "inference_label_delay_seconds",
}
# Labels of prices have no time of their own: how late they are depends on when their line was read.
READ_TIME = ("inference_label_delay_seconds", "price")


def configuration(directory, port, checkpoint_interval="300ms"):
    """The exporter's configuration for these logs (JSON is YAML)."""
    prediction = {"id": "request_id", "time": "ts", "version": "model_version", "status": "status"}
    latency = {"latency": {"path": "latency_ms", "unit": "ms"}}

    def log(name, model, format, path, **options):
        return {"name": name, "model": model, "format": format, "paths": [f"{directory}/{path}"], "start_at": "beginning", **options}

    fraud = {**prediction, **latency, "prediction": "label", "score": "score", "slices": {"country": "country"}}
    pets = {**prediction, **latency, "prediction": "label"}
    price = {**prediction, **latency, "prediction": "value"}
    label = {"id": "request_id", "label": "truth", "time": "ts"}
    return {
        "listen": f"127.0.0.1:{port}",
        "state_dir": f"{directory}/state",
        "checkpoint_interval": checkpoint_interval,
        "logs": [
            log("fraud", "fraud", "json", "fraud/app.jsonl", fields=fraud, where={"kind": "prediction"}),
            log("fraud-labels", "fraud", "csv", "fraud/labels.csv", fields=label),
            log("pets", "pets", "json", "pets/app.jsonl", fields=pets),
            log("pets-cri", "pets", "json", "pods/0.log", fields=pets, container="cri"),
            log("pets-labels", "pets", "csv", "pets/labels.csv", fields=label),
            log("price", "price", "json", "linked/current.jsonl", fields=price),
            log("price-files", "price", "json", "many/price-*.jsonl", fields=price),
            log("price-labels", "price", "csv", "price-labels.csv", fields={"id": "request_id", "label": "truth"}),
        ],
        "models": {
            "fraud": {"task": "binary", "positive": "1", "slices": ["country"], **_model("fraud")},
            "pets": {"task": "multiclass", "classes": list(PETS), **_model("pets")},
            "price": {"task": "regression", **_model("price")},
        },
    }


def _model(name):
    return {"failed": "5..", "windows": ["1h", "all"], "join": {"wait": f"{WAIT_SECONDS[name]}s"}}


def parse(exposition):
    """The samples of a text exposition: name and labels, as written, to value."""
    samples = {}
    for line in exposition.splitlines():
        if line and line[0] != "#":
            key, _, value = line.rpartition(" ")
            samples[key] = float(value)
    return samples


def series(key):
    """(name, labels) of a key of `parse`."""
    name, labels, _ = SAMPLE.fullmatch(key + " 0").groups()
    return name, dict(LABEL.findall(labels or ""))


def folded(name, labels, without=()):
    """A second label may be read while the first one waits for its prediction: then the version is not known yet."""
    if name == "inference_labels_total" and labels["result"] == "duplicate":
        without = (*without, "version")
    return frozenset((label, value) for label, value in labels.items() if label not in without)


def _equal(seen, expected):
    # Counts are whole numbers and equal; sums are added up in another order here.
    return math.isclose(seen, expected, rel_tol=1e-12)


class Truth:
    """Counts of what was written."""

    def __init__(self):
        self.counts = collections.Counter()
        self.values = collections.defaultdict(list)

    def add(self, family, amount=1, **labels):
        self.counts[family, frozenset(labels.items())] += amount

    def observe(self, family, value, **labels):
        self.values[family, frozenset(labels.items())].append(value)

    def of(self, family):
        """The counts of one family by labels."""
        return {labels: count for (name, labels), count in self.counts.items() if name == family}

    def differences(self, exposition, without=()):
        """Where a scrape says something else, each as one line; `without` these families."""
        values = {key: sorted(values) for key, values in self.values.items()}
        unseen = set(values)
        counted, found = collections.Counter(), []
        for key, seen in parse(exposition).items():
            name, labels = series(key)
            if name in EXACT:
                counted[name, folded(name, labels)] += seen
            elif (expected := self._of_histogram(name, labels, values, unseen)) is not None and not _equal(seen, expected):
                found.append(f"{key}: {seen}, expected {expected}")
        for family, labels in sorted(counted.keys() | self.counts.keys(), key=str):
            seen, expected = counted[family, labels], self.counts[family, labels]
            if family not in without and not _equal(seen, expected):
                found.append(f"{family}{dict(sorted(labels))}: {seen}, expected {expected}")
        found += [f"{family}{dict(labels)}: absent" for family, labels in unseen]
        # Lines and bytes by log first: where they differ, the rest follows.
        return sorted(found, key=lambda line: not line.startswith("inference_exporter_"))

    @staticmethod
    def _of_histogram(name, labels, values, unseen):
        family, _, part = name.rpartition("_")
        if family not in EXACT_HISTOGRAMS:
            return None
        bound = labels.pop("le", None)
        observed = values.get((family, frozenset(labels.items())), [])
        unseen.discard((family, frozenset(labels.items())))
        if part == "count":
            return len(observed)
        if (family, labels["model"]) == READ_TIME:
            return None
        return math.fsum(observed) if part == "sum" else bisect.bisect_right(observed, float(bound))


class Log:
    """One log: the file that is written to, the one that was until a moment ago, and how one follows the other."""

    def __init__(self, truth, draw, name, directory, file, header=""):
        self.truth, self.draw, self.name, self.header = truth, draw, name, header
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = self.directory / file
        self.rotations = 0
        self.lines = 0
        self.file = self.old = None
        self.held = b""
        # (when, what), for whoever has to find out what went wrong.
        self.history = []
        self.begin()

    def begin(self):
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.note_file("created", self.file)
        if self.header:
            self.append(self.header, ignored="header")

    def append(self, line, rejected=None, ignored=None):
        """Writes what was held back and the line, but for a rest that follows with the next one."""
        chunk = self.held + self._counted(line, rejected, ignored)
        # Now and then everything, so that the last byte is a line end.
        cut = len(chunk) if self.draw.random() < 0.3 else self.draw.randrange(len(chunk) + 1)
        _write(self.file, chunk[:cut])
        self.held = chunk[cut:]

    def append_late(self, line):
        """Writes to the file that has gone to another name, if there is one."""
        if self.old is None:
            self.append(line)
            return
        _write(self.old, self._counted(line))
        self.note_file("written late", self.old)
        if self.draw.random() < 0.5:
            os.close(self.old)
            self.old = None

    def wrap(self, line):
        return line + "\n"

    def note_file(self, what, file):
        status = os.fstat(file)
        self.history.append((time.time(), f"{self.name}: inode {status.st_ino} {what}, {status.st_size} bytes"))

    def finish_line(self):
        _write(self.file, self.held)
        self.held = b""

    def rotate(self):
        self.finish_line()
        self.rotations += 1
        self.note_file("rotated", self.file)
        if self.old is not None:
            os.close(self.old)
        self.old = self.file
        if os.fstat(self.old).st_size == 0:
            # Nothing shows that it is ours, so it is written to no more.
            os.close(self.old)
            self.old = None
        self.move()
        self.begin()

    def move(self):
        """Rename, to a name with a number that never comes again."""
        self.path.rename(f"{self.path}.20240131-{self.rotations:06}")

    def close(self):
        self.finish_line()
        for file in (self.file, self.old):
            if file is not None:
                os.close(file)

    def _counted(self, line, rejected=None, ignored=None):
        chunk = self.wrap(line).encode()
        self.lines += 1
        self.truth.add("inference_exporter_lines_total", log=self.name)
        self.truth.add("inference_exporter_bytes_total", len(chunk), log=self.name)
        if rejected:
            self.truth.add("inference_exporter_rejected_lines_total", log=self.name, reason=rejected)
        if ignored:
            self.truth.add("inference_exporter_ignored_lines_total", log=self.name, reason=ignored)
        return chunk


class Chain(Log):
    """`app.log` becomes `app.log.1`, which becomes `app.log.2`, and so on."""

    def move(self):
        for number in range(self.rotations - 1, 0, -1):
            os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.rename(self.path, f"{self.path}.1")


class Many(Log):
    """Each file has its own name under the glob, and stays."""

    def begin(self):
        self.path = self.directory / f"price-{self.rotations:06}.jsonl"
        super().begin()

    def move(self):
        """It stays where it is."""


class Linked(Log):
    """A symbolic link leads to the file that is written to; it is swapped when `is_held`."""

    def __init__(self, *arguments):
        self.is_held = False
        self.checkpoints = []
        self.life = self.started = None
        super().__init__(*arguments)

    def begin(self):
        link = self.path
        self.path = self.directory / f"target-{self.rotations:06}.data"
        super().begin()
        os.symlink(self.path.name, f"{link}.swap")
        os.rename(f"{link}.swap", link)
        self.path = link
        self.is_held = False
        self.checkpoints = []
        # The first line of this file, in lines of the log.
        self.first_line = self.lines + 1

    def move(self):
        """It stays where it is; the link moves."""

    def note(self, life, lines_total, checkpoint):
        """What a scrape showed. The file is held once its first line was shown and two checkpoints were finished since: the
        first of them may have been begun before. What a process says at first is when it started."""
        if life != self.life:
            self.life, self.started = life, checkpoint
        if lines_total >= self.first_line and checkpoint not in (self.started, *self.checkpoints):
            self.checkpoints.append(checkpoint)
            self.is_held = len(self.checkpoints) > 2


class Cri(Log):
    """Lines as a container runtime wraps them, some of them in pieces."""

    def wrap(self, line):
        at = _iso(time.time())
        if self.draw.random() < 0.8:
            return f"{at} stdout F {line}\n"
        cut = self.draw.randrange(1, len(line))
        return f"{at} stdout P {line[:cut]}\n{at} stdout F {line[cut:]}\n"


class Writer(threading.Thread):
    """Writes to all logs at a bounded rate until it is stopped."""

    def __init__(self, directory, seed, lines_per_second=1500):
        super().__init__(daemon=True)
        self.draw = random.Random(seed)
        self.truth = Truth()
        self.lines_per_second = lines_per_second
        header = "request_id,truth,ts"
        new = lambda kind, name, file, *more: kind(self.truth, self.draw, name, *_split(directory, file), *more)
        self.fraud = new(Log, "fraud", "fraud/app.jsonl")
        self.pets = new(Chain, "pets", "pets/app.jsonl")
        self.cri = new(Cri, "pets-cri", "pods/0.log")
        self.linked = new(Linked, "price", "linked/current.jsonl")
        self.many = new(Many, "price-files", "many/price")
        self.labels = {
            "fraud": new(Log, "fraud-labels", "fraud/labels.csv", header),
            "pets": new(Chain, "pets-labels", "pets/labels.csv", header),
            "price": new(Log, "price-labels", "price-labels.csv", "request_id,truth"),
        }
        self.sources = [(self.fraud, "fraud"), (self.pets, "pets"), (self.cri, "pets"), (self.linked, "price"), (self.many, "price")]
        self.logs = [log for log, _ in self.sources] + list(self.labels.values())
        self.rotating = [log for log in self.logs if log not in (self.linked, self.labels["price"])]
        # Labels to be written: (when, tie break, model, prediction).
        self.waiting = []
        self.number = 0
        # (when, outcomes so far): what a rate may show.
        self.outcomes = 0
        self.timeline = [(time.time(), 0)]
        self.rotates = True
        self.stopping = threading.Event()
        self.is_down = threading.Event()
        self.failure = None

    def outcomes_between(self, start, end):
        """How many were written in a stretch of time, and some ticks around it."""
        first = max(bisect.bisect_left(self.timeline, (start,)) - 1, 0)
        last = min(bisect.bisect_left(self.timeline, (end,)), len(self.timeline) - 1)
        return self.timeline[last][1] - self.timeline[first][1]

    # --- what the thread does

    def run(self):
        try:
            while not self.stopping.is_set():
                self.tick(self.draw.uniform(0.005, 0.03))
            self.finish()
        except BaseException as error:
            self.failure = error
            raise

    def stop(self):
        self.stopping.set()
        self.join(60)
        if self.failure or self.is_alive():
            raise AssertionError(f"the writer did not end as it should: {self.failure}")

    def tick(self, seconds):
        until = time.monotonic() + seconds
        for _ in range(max(1, int(seconds * self.lines_per_second / 3))):
            log, model = self.draw.choice(self.sources)
            self.write_prediction(log, model)
        self.write_labels(time.time())
        if self.rotates:
            self.rotate()
        self.timeline.append((time.time(), self.outcomes))
        time.sleep(max(0, until - time.monotonic()))

    def rotate(self):
        # While the exporter is down, several rotations of one log.
        chance = 0.1 if self.is_down.is_set() else 0.004
        for log in self.rotating:
            if self.draw.random() < chance:
                log.rotate()
        if self.linked.is_held and self.draw.random() < 0.1:
            self.linked.rotate()

    def finish(self):
        """The labels that are still owed, and the rest of each line."""
        self.write_labels(math.inf)
        for log in self.logs:
            log.close()
        self.timeline.append((time.time(), self.outcomes))

    # --- predictions

    def write_prediction(self, log, model):
        chance = self.draw.random()
        if chance < 0.01:
            log.append(f"no record {self.draw.getrandbits(32)}", rejected="malformed")
        elif chance < 0.015:
            log.append('{"unknown": 1, "kind": "prediction"}', rejected="nothing_mapped")
        elif chance < 0.02:
            log.append('{"request_id": "x", "kind": "prediction", "label": "1", "value": 1, "ts": "yesterday"}', rejected="invalid_time")
        elif chance < 0.03 and log is not self.cri:
            log.append(" ", ignored="empty")
        elif chance < 0.04 and log is self.fraud:
            log.append('{"kind": "debug", "request_id": "x"}', ignored="condition")
        else:
            row = self.draw_prediction(model)
            is_late = self.draw.random() < 0.1
            (log.append_late if is_late else log.append)(json.dumps(row))
            self.count_prediction(model, row)
            if chance > 0.98 and not is_late:
                # The id comes twice: a prediction like any other, but for the join.
                log.append(json.dumps(row))
                self.count_prediction(model, row)
                self.truth.add("inference_predictions_unlabeled_total", model=model, version=row["model_version"], reason="evicted")
            self.settle(model, row)

    def draw_prediction(self, model):
        self.number += 1
        at = math.floor(time.time() - AGE_SECONDS)
        row = {
            "kind": "prediction",
            "request_id": f"{model}-{self.number}",
            "ts": _iso(at),
            "model_version": self.draw.choice(VERSIONS),
            "status": self.draw.choice((200, 200, 200, 201, 503)),
            "latency_ms": self.draw.randrange(1, 400),
        }
        if model == "fraud":
            row["score"] = self.draw.randrange(1, 256) / 256
            row["label"] = str(int(row["score"] >= 0.5))
            row["country"] = self.draw.choice(COUNTRIES)
        elif model == "pets":
            row["label"] = self.draw.choice(PETS)
        else:
            row["value"] = self.draw.randrange(8000) / 8
        row["at"] = at
        return row

    def count_prediction(self, model, row):
        both = {"model": model, "version": row["model_version"]}
        result = "failed" if row["status"] == 503 else "ok"
        self.truth.add("inference_requests_total", status=str(row["status"]), result=result, **both)
        self.truth.observe("inference_request_duration_seconds", row["latency_ms"] / 1000, **both)
        self.truth.add("inference_predictions_total", **both, **({"predicted": row["label"]} if "label" in row else {}))
        if "score" in row:
            self.truth.observe("inference_prediction_score", row["score"], **both)

    def settle(self, model, row):
        """Decides what becomes of a prediction: a label later, too late, or none."""
        chance, wait = self.draw.random(), WAIT_SECONDS[model]
        if chance < 0.85:
            due = time.time() + self.draw.uniform(0, 2)
        elif chance < 0.9 and model != "price":
            # As whole seconds are written, a second too late at least, and soon enough for the id to be remembered.
            due = time.time() + wait + self.draw.uniform(2, 3)
            self.count_unanswered(model, row)
        else:
            self.count_unanswered(model, row)
            return
        # The number decides between equal times, so that rows are never compared.
        heapq.heappush(self.waiting, (due, self.number, model, row))

    def count_unanswered(self, model, row):
        both = {"model": model, "version": row["model_version"]}
        if model == "price":
            self.truth.add("inference_predictions_pending", **both)
        else:
            self.truth.add("inference_predictions_unlabeled_total", reason="expired", **both)

    # --- labels

    def write_labels(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            due, _, model, row = heapq.heappop(self.waiting)
            # At the end those that should come late are never written.
            if due < row["at"] + WAIT_SECONDS[model] or time.time() >= due:
                self.write_label(model, row, math.floor(time.time() - AGE_SECONDS))

    def write_label(self, model, row, at):
        log, truth, chance = self.labels[model], self.draw_truth(model, row), self.draw.random()
        both = {"model": model, "version": row["model_version"]}
        if chance < 0.01:
            log.append("one,two,three,four,five", rejected="malformed")
        elif chance < 0.03:
            self._write(log, f"nobody-{row['request_id']}", truth, at)
            if model == "price":
                self.truth.add("inference_labels_waiting", model=model)
            else:
                self.truth.add("inference_labels_total", model=model, result="orphan")
        self._write(log, row["request_id"], truth, at)
        if at > row["at"] + WAIT_SECONDS[model]:
            self.truth.add("inference_labels_total", result="late", **both)
            return
        self.truth.add("inference_labels_total", result="joined", **both)
        self.truth.observe("inference_label_delay_seconds", at - row["at"], **both)
        self.count_outcome(model, row, truth, both)
        if chance > 0.97:
            self._write(log, row["request_id"], truth, at)
            self.truth.add("inference_labels_total", model=model, result="duplicate")

    def draw_truth(self, model, row):
        if model == "fraud":
            return str(int(self.draw.random() < row["score"]))
        if model == "pets":
            return row["label"] if self.draw.random() < 0.8 else self.draw.choice(PETS)
        return row["value"] + self.draw.randrange(-80, 80) / 8

    def count_outcome(self, model, row, truth, both):
        self.outcomes += 1
        slices = ["all"] + ([f"country={row['country']}"] if model == "fraud" else [])
        for window in ("1h", "all"):
            for one in slices:
                self.truth.add("inference_window_samples", window=window, slice=one, **both)
        if model == "price":
            error = row["value"] - truth
            self.truth.observe("inference_absolute_error", abs(error), **both)
            self.truth.add("inference_squared_error_total", error * error, **both)
            if error:
                self.truth.add("inference_error_sum_total", abs(error), direction="over" if error > 0 else "under", **both)
            return
        cell = {"predicted": row["label"], "actual": truth, "correct": str(row["label"] == truth).lower()}
        self.truth.add("inference_outcomes_total", **cell, **both)
        if model == "fraud":
            self.truth.add("inference_slice_outcomes_total", slice_by="country", slice=row["country"], **cell, **both)
            self.truth.observe("inference_outcome_score", row["score"], actual=truth, **both)

    def _write(self, log, identifier, truth, at):
        log.append(f"{identifier},{truth}" + (f",{_iso(at)}" if "ts" in log.header else ""))


def _iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def _split(directory, file):
    path = pathlib.Path(directory, file)
    return path.parent, path.name


def _write(file, chunk):
    while chunk:
        chunk = chunk[os.write(file, chunk) :]
