"""Scrapes an exporter that is killed and started again, and holds against it every counter that ever went back.

A response that was received as a whole has been shown, whatever became of the exporter since. What was sent and not received
has not, so a connection that breaks says nothing.
"""

import http.client
import threading
import time

from crash_traffic import parse

# Of the exporter's own counters, those that are kept over a restart.
KEPT = (
    "inference_exporter_lines_total",
    "inference_exporter_records_total",
    "inference_exporter_bytes_total",
    "inference_exporter_rejected_lines_total",
    "inference_exporter_ignored_lines_total",
    "inference_exporter_rotations_total",
)
PAUSE_SECONDS = 0.03
# Enough to see what is wrong; the first is what counts.
VIOLATIONS_MAX = 20


class Scraper(threading.Thread):
    """Asks for /-/ready and /metrics in turn until it is stopped."""

    def __init__(self, port, on_scrape):
        super().__init__(daemon=True)
        self.port = port
        self.on_scrape = on_scrape
        # Counts the starts of the exporter; raised before each.
        self.life = 0
        self.shown = {}
        self.violations = []
        self.statuses = {"/-/ready": {}, "/metrics": {}}
        # (life, path) that has answered 200.
        self.open = set()
        self.lives_behind = set()
        # Set at each 200 of /metrics, for whoever waits for the next.
        self.scraped = threading.Event()
        self.last = ""
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                for path in ("/-/ready", "/metrics"):
                    self.ask(path)
                time.sleep(PAUSE_SECONDS)
        except BaseException as error:
            self.failure = error
            raise

    def stop(self):
        self.stopping.set()
        self.join(60)
        if self.failure or self.is_alive():
            raise AssertionError(f"the scraper did not end as it should: {self.failure}")

    def ask(self, path):
        life = self.life
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            status, body = response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError):
                self.violate(f"{path} did not answer within 10 s")
            return
        finally:
            connection.close()
        self.statuses[path][status] = self.statuses[path].get(status, 0) + 1
        if self.life == life:
            self.note_status(life, path, status)
        if status == 200 and path == "/metrics":
            self.note_shown(body)

    def note_status(self, life, path, status):
        """Within one life both answer 503 until what was shown is read again, and 200 from then on."""
        if status == 200:
            self.open.add((life, path))
        elif status != 503:
            self.violate(f"{path} answers {status} in life {life}")
        elif path == "/metrics":
            self.lives_behind.add(life)
            for other in ("/metrics", "/-/ready"):
                if (life, other) in self.open:
                    self.violate(f"/metrics answers 503 in life {life} after {other} has answered 200")
        elif (life, "/-/ready") in self.open:
            self.violate(f"/-/ready answers 503 in life {life} after it has answered 200")

    def note_shown(self, exposition):
        counters = counters_of(exposition)
        for key, before in self.shown.items():
            now = counters.get(key)
            if now is None:
                self.violate(f"{key} was {before} and is gone")
            elif now < before:
                self.violate(f"{key} was {before} and is {now}")
        self.shown = counters
        self.last = exposition
        self.on_scrape(parse(exposition))
        self.scraped.set()

    def forget(self):
        """Counters may begin anew from here on. To be called while the exporter is down."""
        self.shown = {}

    def wait_next(self):
        """Waits for a scrape that begins after this call, at the earliest, as one may be under way."""
        for _ in range(2):
            self.scraped.clear()
            if not self.scraped.wait(20):
                raise AssertionError("no scrape was answered for 20 s")

    def violate(self, what):
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"life {self.life}: {what}")


def counters_of(exposition):
    """The samples that may never go back: counters, and of histograms buckets, counts and sums, as nothing below 0 is observed."""
    families = set()
    for line in exposition.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            if family in KEPT or (not family.startswith(("inference_exporter_", "process_")) and kind in ("counter", "histogram")):
                families.update([family] if kind == "counter" else [f"{family}_{part}" for part in ("bucket", "count", "sum")])
    return {key: value for key, value in parse(exposition).items() if key.partition("{")[0] in families}
