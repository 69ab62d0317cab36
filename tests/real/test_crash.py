"""Kills the release binary at random moments while logs are written and rotated, and holds every counter to the truth.

Some fifty kills as part of all tests; `make test-crash KILLS=500 SEED=1` for as many as one likes. The seed is printed. It
decides what is written and when the exporter is killed, but not what the machine does meanwhile.
"""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest

import crash_traffic
from crash_scrapes import Scraper
from harness import BINARY, Exporter, Prometheus, free_port, get, wait_until

KILLS = int(os.environ.get("CRASH_KILLS") or 50)
SEED = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
# What lies between two checkpoints is read again in far less; this is for a machine that is busy with other things.
BACK_SECONDS = 20
# When the kill comes, and how often of ten.
MOMENTS = {"start": 1, "catching up": 2, "running": 3, "scraped": 2, "checkpoint": 2, "terminate": 1}


class Killed:
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
        self.back_seconds = 0.0

    def note(self, samples):
        lines = samples['inference_exporter_lines_total{log="price"}']
        checkpoint = samples.get("inference_exporter_checkpoint_last_success_timestamp_seconds")
        self.writer.linked.note(lines, checkpoint)

    def start(self):
        self.scraper.life += 1
        self.exporter = Exporter(self.name, ["run", "--config", self.config], self.port, append=True)
        self.writer.is_down.clear()

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

    def run(self, kills):
        self.writer.start()
        self.scraper.start()
        try:
            self.start()
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

    def differences(self):
        """What the last scrape says otherwise than the writer, once nothing changes any more."""
        waits = max(wait for wait in crash_traffic.WAIT_SECONDS.values() if wait < 60)
        found = []

        def none():
            found[:] = self.writer.truth.differences(self.scraper.last)
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

    def close(self):
        self.scraper.stop()
        if self.exporter:
            self.exporter.close()


class Crash(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def hold(self, killed):
        """What must be true at any time."""
        self.assertEqual(killed.scraper.violations, [], f"seed {SEED}; {killed.summary()}")
        self.assertNotIn("panicked", killed.exporter.output())

    def test_every_line_counts_once_however_often_it_is_killed(self):
        print(f"seed {SEED}", flush=True)
        killed = Killed(self.directory, "exporter-crash", SEED)
        self.addCleanup(killed.close)
        killed.run(KILLS)
        differences = killed.differences()
        self.hold(killed)
        self.assertEqual(differences, [], f"seed {SEED}; {killed.summary()}")
        self.assert_checkpoints(killed)

        # Whatever is written down is the truth too.
        for moment in ("running", "terminate"):
            killed.end(moment)
            killed.start()
            killed.wait_back()
            self.assertEqual(killed.differences(), [], f"seed {SEED}; after {moment}")
        self.hold(killed)
        print(killed.summary(), flush=True)
        # The run has proven little if it did not meet what it is about.
        self.assertTrue(killed.scraper.lives_behind, "no start was ever behind what was shown")
        self.assertTrue(killed.writer.linked.rotations or KILLS < 20, "the link was never swapped")

    def assert_checkpoints(self, killed):
        samples = crash_traffic.parse(killed.exporter.metrics())
        own = lambda name: samples[f"inference_exporter_checkpoint_{name}"]
        self.assertEqual(own("failures_total"), 0)
        # 300 ms apart, and an fsync.
        self.assertLess(abs(time.time() - own("last_success_timestamp_seconds")), 5)
        self.assertEqual(own("size_bytes"), (killed.state / "checkpoint").stat().st_size)
        self.assertLess(own("duration_seconds"), 5)


if __name__ == "__main__":
    unittest.main()
