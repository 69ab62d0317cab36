"""Kills the release binary at random moments while logs are written and rotated, and holds every counter to the truth.

Some fifty kills as part of all tests; `make test-crash KILLS=500 SEED=1` for as many as one likes. The seed is printed. It
decides what is written and when the exporter is killed, but not what the machine does meanwhile.
"""

import collections
import contextlib
import itertools
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import crash_traffic
from crash_scrapes import Scraper
from harness import BINARY, OUTPUT, Exporter, Prometheus, free_port

KILLS = int(os.environ.get("CRASH_KILLS") or 50)
SEED = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
# What lies between two checkpoints is read again in far less; this is for a machine that is busy with other things.
BACK_SECONDS = 20
# What Prometheus adds to a series.
NOT_OURS = ("__name__", "instance", "job", "namespace")
# When the kill comes, and how often of ten.
MOMENTS = {"start": 1, "catching up": 2, "running": 3, "scraped": 2, "checkpoint": 2, "terminate": 1}


class Trial:
    """An exporter that is killed and started again, under a writer and a scraper."""

    def __init__(self, directory, name, seed):
        self.directory = directory
        self.name = name
        self.draw = random.Random(seed)
        self.port = free_port()
        self.config = pathlib.Path(directory, "config.yaml")
        self.config.write_text(json.dumps(crash_traffic.configuration(directory, self.port), indent=1))
        self.state = pathlib.Path(directory, "state")
        self.writer = crash_traffic.Writer(directory, seed)
        self.scraper = Scraper(self.port, self.note)
        self.exporter = None
        self.moments = collections.Counter()
        # (when, what), as the logs have it.
        self.history = []
        self.back_seconds = 0.0

    def note(self, samples):
        lines = samples['inference_exporter_lines_total{log="price"}']
        checkpoint = samples.get("inference_exporter_checkpoint_last_success_timestamp_seconds")
        self.writer.linked.note(self.scraper.life, lines, checkpoint)

    def start(self):
        self.scraper.life += 1
        self.exporter = Exporter(self.name, ["run", "--config", self.config], self.port, append=self.scraper.life > 1)
        self.writer.is_down.clear()
        self.history.append((time.time(), "started"))

    def is_back(self):
        return (self.scraper.life, "/metrics") in self.scraper.open

    def wait_back(self):
        begun = time.monotonic()
        self.exporter.wait_for("/metrics is back", self.is_back, BACK_SECONDS, poll=0.005)
        self.back_seconds = max(self.back_seconds, time.monotonic() - begun)

    def end(self, moment):
        """Ends the exporter at a moment of that kind."""
        self.moments[moment] += 1
        self.wait(moment)
        if moment == "terminate":
            status = self.exporter.terminate()
            if status != 0:
                raise AssertionError(f"status {status} after SIGTERM\n{self.exporter.explain()}")
        else:
            self.exporter.kill()
        self.writer.is_down.set()
        self.history.append((time.time(), f"ended: {moment}"))

    def wait(self, moment):
        if moment == "start":
            time.sleep(self.draw.uniform(0, 0.08))
            return
        if moment == "catching up":
            life = self.scraper.life
            answered = lambda: life in self.scraper.lives_behind or self.is_back()
            self.exporter.wait_for("an answer", answered, BACK_SECONDS, poll=0.001)
            time.sleep(self.draw.uniform(0, 0.02))
            return
        self.wait_back()
        time.sleep(self.draw.uniform(0, 0.8))
        if moment == "scraped":
            self.scraper.scraped.clear()
            self.scraper.scraped.wait(BACK_SECONDS)
        elif moment == "checkpoint":
            new = self.state / "checkpoint.new"
            self.exporter.wait_for("a checkpoint is being written", new.exists, BACK_SECONDS, poll=0.0002)

    def begin(self):
        self.scraper.start()
        self.start()
        self.wait_back()

    def run(self, kills):
        """Kills and starts again under the writer, until enough is wrong or it has been done so often."""
        self.writer.start()
        try:
            for _ in range(kills):
                self.end(*self.draw.choices(list(MOMENTS), MOMENTS.values()))
                if self.draw.random() < 0.25:
                    time.sleep(self.draw.uniform(0.05, 0.4))
                self.start()
                if self.scraper.violations or self.writer.failure or self.scraper.failure:
                    break
            self.wait_back()
        finally:
            self.writer.stop()

    def differences(self, without=()):
        """What the last scrape says otherwise than the writer, once nothing changes any more."""
        waits = max(wait for wait in crash_traffic.WAIT_SECONDS.values() if wait < 60)
        found = []

        def none():
            found[:] = self.writer.truth.differences(self.scraper.last, without)
            return not found or self.scraper.violations

        try:
            self.exporter.wait_for("the truth", none, waits + BACK_SECONDS, poll=0.3)
        except AssertionError as error:
            if "not within" not in str(error):
                raise
        return found

    def summary(self):
        answers = self.scraper.statuses["/metrics"]
        rotations = {log.name: log.rotations for log in self.writer.logs}
        return (
            f"{sum(self.moments.values())} ends {dict(self.moments)}, {len(self.scraper.lives_behind)} starts behind what was shown, "
            f"longest way back {self.back_seconds:.2f} s\n"
            f"{sum(log.lines for log in self.writer.logs)} lines, {self.writer.outcomes} outcomes, rotations {rotations}\n"
            f"scrapes by status {answers}"
        )

    def write_history(self):
        """All that was done to files and processes, in order, beside the output of the exporter."""
        events = sorted(sum((log.history for log in self.writer.logs), self.history))
        path = OUTPUT / f"{self.name}-history.txt"
        path.write_text("".join(f"{when:.6f} {what}\n" for when, what in events))
        return path

    def close(self):
        self.scraper.stop()
        if self.exporter:
            self.exporter.close()


class TrialCase(unittest.TestCase):
    """Trials in a directory of their own, which CRASH_KEEP keeps."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="inference-exporter-real-")
        if not os.environ.get("CRASH_KEEP"):
            self.addCleanup(shutil.rmtree, self.directory)

    def trial(self, name, seed=SEED):
        trial = Trial(self.directory, f"exporter-{name}", seed)
        self.addCleanup(trial.close)
        trial.begin()
        return trial

    def hold(self, trial):
        """What must be true at any time."""
        self.compare(trial, trial.scraper.violations, "counters went back")
        self.assertNotIn("panicked", trial.exporter.output())

    def compare(self, trial, differences, when):
        if differences:
            listed = "\n".join(differences[:40])
            self.fail(f"seed {SEED}, {when}:\n{listed}\n{trial.summary()}\nwhat was done when: {trial.write_history()}")


class Crash(TrialCase):
    def test_every_line_counts_once_however_often_it_is_killed(self):
        print(f"seed {SEED}", flush=True)
        trial = self.trial("crash")
        prometheus = Prometheus("prometheus-crash", self.directory, {"crash": trial.exporter.address}, interval="500ms")
        self.addCleanup(prometheus.close)
        trial.run(KILLS)
        self.hold(trial)
        self.compare(trial, trial.differences(), "at the end")
        self.assert_checkpoints(trial)
        self.assert_prometheus(trial, prometheus)

        # What is written down is the truth too.
        for moment in ("running", "terminate"):
            trial.end(moment)
            trial.start()
            trial.wait_back()
            self.compare(trial, trial.differences(), f"after {moment}")
        self.hold(trial)
        print(trial.summary(), flush=True)
        # The run has proven little if it did not meet what it is about.
        self.assertTrue(trial.scraper.lives_behind or KILLS < 20, "no start was ever behind what was shown")
        self.assertTrue(trial.writer.linked.rotations or KILLS < 20, "the link was never swapped")

    def assert_prometheus(self, trial, prometheus):
        """What a Prometheus that lived through it makes of the whole run."""
        run = f"{math.ceil(time.time() - trial.writer.timeline[0][0]) + 10}s"
        for family in ("inference_outcomes_total", "inference_labels_total", "inference_predictions_total"):
            expected = trial.writer.truth.of(family)
            prometheus.wait_for(
                f"the last scrape of {family}",
                lambda: sum(samples[-1][1] for _, samples in prometheus.samples(f"{family}[{run}]")) == sum(expected.values()),
            )
            last = collections.Counter()
            increases = {frozenset(labels.items()): value for labels, value in prometheus.query(f"increase({family}[{run}])")}
            for labels, samples in prometheus.samples(f"{family}[{run}]"):
                last[crash_traffic.folded(family, labels, without=NOT_OURS)] += samples[-1][1]
                values = [value for _, value in samples]
                self.assertEqual(values, sorted(values), labels)
                del labels["__name__"]
                if len(samples) > 1:
                    grown = values[-1] - values[0]
                    # At either end Prometheus adds at most 1.1 of the mean time between two samples.
                    most = grown * (1 + 2.2 / (len(samples) - 1))
                    increase = increases[frozenset(labels.items())]
                    # Sums of doubles differ in the last digits.
                    is_within = grown * (1 - 1e-9) <= increase <= most * (1 + 1e-9)
                    self.assertTrue(is_within, f"{labels}: {increase}, where {grown} to {most} are possible")
            self.assertEqual({key: count for key, count in last.items() if count}, expected)
            self.assertEqual(prometheus.scalar(f"sum(resets({family}[{run}]))"), 0)
        self.assert_no_spike(trial, prometheus, run)

    def assert_no_spike(self, trial, prometheus, run):
        """Between any two samples no more outcomes than were written since shortly before the first, so no `rate()` can spike."""
        at = collections.Counter()
        # Classifiers have cells, regression has errors.
        for family in ("inference_outcomes_total", "inference_absolute_error_count"):
            for _, samples in prometheus.samples(f"{family}[{run}]"):
                for when, value in samples:
                    at[when] += value
        # What is written shows at the next look, 250 ms later, or once a busy machine comes to it.
        lag = trial.back_seconds + 2
        whens = sorted(at)
        self.assertGreater(len(whens), KILLS / 10, "Prometheus hardly ever met the exporter")
        self.assertGreater(at[whens[-1]], 0)
        for before, after in itertools.pairwise(whens):
            written = trial.writer.outcomes_between(before - lag, after)
            self.assertLessEqual(at[after] - at[before], written, f"between {before} and {after}")

    def assert_checkpoints(self, trial):
        file = trial.state / "checkpoint"

        def is_size_true():
            before, seen, after = file.stat().st_size, own(trial.exporter)["size_bytes"], file.stat().st_size
            return before == seen == after

        # While one takes the place of another the two may differ.
        trial.exporter.wait_for("the size of the checkpoint is told", is_size_true, 10, poll=0.01)
        told = own(trial.exporter)
        self.assertEqual(told["failures_total"], 0)
        # They are 300 ms apart; the rest is for a busy machine.
        self.assertLess(abs(time.time() - told["last_success_timestamp_seconds"]), 5)
        self.assertLess(told["duration_seconds"], 5)


class Disk(TrialCase):
    """What the disk does to checkpoints, and what that does to counting: nothing."""

    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(self.directory, "state")
        self.state.mkdir(mode=0o700)

    def refuse_and_heal(self, trial, refuse, heal):
        """While the disk refuses, counting goes on and the metrics say what is wrong; after that all is as before."""
        trial.writer.start()
        wait = lambda what, condition: trial.exporter.wait_for(what, condition, BACK_SECONDS)
        wait("a first checkpoint", lambda: own(trial.exporter).get("size_bytes", 0) > 0)
        refuse()
        failures = own(trial.exporter)["failures_total"]
        wait("three failures", lambda: own(trial.exporter)["failures_total"] >= failures + 3)
        told, lines = own(trial.exporter), sum(_lines(trial).values())
        wait("lines are counted", lambda: sum(_lines(trial).values()) > lines + 500)
        self.assertEqual(own(trial.exporter)["last_success_timestamp_seconds"], told["last_success_timestamp_seconds"])
        self.assertIn("checkpoint", trial.exporter.output())
        heal()
        wait("a checkpoint", lambda: own(trial.exporter)["last_success_timestamp_seconds"] > told["last_success_timestamp_seconds"])
        failures = own(trial.exporter)["failures_total"]
        trial.end("running")
        trial.start()
        trial.wait_back()
        trial.writer.stop()
        self.compare(trial, trial.differences(crash_traffic.UNSETTLED), "after the disk was well again")
        self.hold(trial)
        self.assertEqual(own(trial.exporter)["failures_total"], 0)

    def test_something_is_in_the_way(self):
        trial = self.trial("in-the-way")

        def refuse():
            # One that is being written may be there for a moment.
            trial.exporter.wait_for("the name is free", lambda: _try(self.state.joinpath("checkpoint.new").mkdir), poll=0.001)

        self.refuse_and_heal(trial, refuse, self.state.joinpath("checkpoint.new").rmdir)

    @unittest.skipUnless(os.geteuid() == 0, "mounting takes root")
    def test_the_disk_is_full(self):
        self.mount("-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", self.state)
        trial = self.trial("full")
        filler = self.state / "filler"

        def refuse():
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

        self.refuse_and_heal(trial, refuse, filler.unlink)

    @unittest.skipUnless(os.geteuid() == 0, "mounting takes root")
    def test_the_disk_becomes_read_only(self):
        trial = self.trial("read-only")

        def refuse():
            # The directory over itself, since what is written to at the moment cannot be made read-only.
            self.mount("--bind", self.state, self.state)
            # Not while a file is open for writing, which for a moment one may be.
            remount = ["mount", "-o", "remount,bind,ro", self.state]
            remounted = lambda: subprocess.run(remount, capture_output=True, check=False).returncode == 0
            trial.exporter.wait_for("a moment in which nothing is written", remounted, poll=0.01)

        self.refuse_and_heal(trial, refuse, lambda: subprocess.run(["umount", self.state], check=True))

    def mount(self, *arguments):
        mounted = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if mounted.returncode:
            self.skipTest(f"root here may not mount: {mounted.stderr.strip()}")
        # Whether the test has undone it or not.
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.state], capture_output=True, check=False)

    def test_a_checkpoint_that_is_damaged_is_refused_and_told(self):
        trial = self.trial("damaged")
        # Without positions nobody knows that what was rotated away is ours.
        trial.writer.rotates = False
        trial.writer.start()
        trial.exporter.wait_for("some lines", lambda: sum(_lines(trial).values()) > 1000)
        trial.writer.stop()
        trial.exporter.wait_for("all lines", lambda: not trial.differences(crash_traffic.UNSETTLED))
        checkpoint = self.state / "checkpoint"
        cut = lambda content: content[: len(content) // 2]
        flip = lambda content: content[:100] + bytes([content[100] ^ 4]) + content[101:]
        newer = lambda content: content[:8] + bytes([content[8] + 1]) + content[9:]
        for damage in (cut, flip, newer, lambda content: b"", lambda content: content + b"x"):
            trial.scraper.wait_next()
            self.assertEqual(trial.exporter.terminate(), 0)
            content = damage(checkpoint.read_bytes())
            checkpoint.write_bytes(content)
            # Counters begin anew, and say so; the logs are all there, so they come to the same.
            trial.scraper.forget()
            told = trial.exporter.output().count("checkpoint.refused")
            trial.start()
            trial.wait_back()
            self.assertEqual(trial.exporter.output().count("checkpoint.refused"), told + 1)
            self.assertEqual((self.state / "checkpoint.refused").read_bytes(), content)
            self.assertEqual(own(trial.exporter)["failures_total"], 1)
        self.compare(trial, trial.differences(crash_traffic.UNSETTLED), "after all was read again")
        self.hold(trial)

    def test_one_process_has_the_directory(self):
        trial = self.trial("first")
        config = pathlib.Path(self.directory, "second.yaml")
        config.write_text(json.dumps(crash_traffic.configuration(self.directory, free_port())))
        command = [BINARY, "run", "--config", config]
        second = subprocess.run(command, capture_output=True, text=True, timeout=BACK_SECONDS, check=False)
        self.assertEqual(second.returncode, 1, second.stderr)
        self.assertIn(str(self.state), second.stderr)
        self.assertIn("in use", second.stderr)
        trial.scraper.wait_next()
        # A killed process leaves no lock behind.
        trial.end("running")
        trial.start()
        trial.wait_back()
        self.hold(trial)

    def test_the_directory_cannot_be_made(self):
        self.state.rmdir()
        self.state.write_text("a file in its place")
        trial = self.trial("no-directory")
        trial.writer.start()
        wait = lambda what, condition: trial.exporter.wait_for(what, condition, BACK_SECONDS)
        wait("failures", lambda: own(trial.exporter)["failures_total"] >= 2)
        wait("lines are counted", lambda: sum(_lines(trial).values()) > 500)
        self.state.unlink()
        wait("a checkpoint", (self.state / "checkpoint").exists)
        wait("its size is told", lambda: own(trial.exporter).get("size_bytes", 0) > 0)
        trial.end("running")
        trial.start()
        trial.wait_back()
        trial.writer.stop()
        self.compare(trial, trial.differences(crash_traffic.UNSETTLED), "once it was there")
        self.hold(trial)


def _lines(trial):
    samples = crash_traffic.parse(trial.exporter.metrics())
    return {key: value for key, value in samples.items() if key.startswith("inference_exporter_lines_total")}


def _try(action):
    try:
        action()
    except FileExistsError:
        return False
    return True


def own(exporter):
    """What the exporter says of its checkpoints."""
    prefix = "inference_exporter_checkpoint_"
    samples = crash_traffic.parse(exporter.metrics())
    return {key.removeprefix(prefix): value for key, value in samples.items() if key.startswith(prefix)}


if __name__ == "__main__":
    unittest.main()
