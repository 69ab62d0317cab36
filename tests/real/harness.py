"""Starts real programs for a test and ends them again: the exporter, Prometheus, a proxy between the two.

Every wait polls a condition until a deadline; nothing sleeps for luck. Every port is free and on loopback. Only processes
started here are ended. Their output is kept in REAL_OUTPUT (default target/real), and the end of it is shown when a wait
fails, because "timed out" alone helps nobody.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("INFERENCE_EXPORTER", ROOT / "target/release/inference-exporter"))
OUTPUT = pathlib.Path(os.environ.get("REAL_OUTPUT", ROOT / "target/real"))

# A cold start on a busy two-core machine takes a few seconds; a minute means that it will not happen.
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.1


def wait_until(what, condition, seconds=DEADLINE_SECONDS, explain=lambda: "", poll=POLL_SECONDS):
    """Polls `condition` until it is true and returns its value; the failure says what was waited for and what was seen."""
    deadline = time.monotonic() + seconds
    seen = None
    while True:
        try:
            if value := condition():
                return value
            seen = None
        except OSError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}\nlast error: {seen}\n{explain()}")
        time.sleep(poll)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, headers=None):
    """Returns (headers, body); an HTTP error is raised with its body, which says more than the number."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.headers, response.read()
    except urllib.error.HTTPError as error:
        raise urllib.error.URLError(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from error


def hurried_rules(directory):
    """A copy of the shipped rules in which minutes are seconds: evaluated every second, and nothing waits to fire."""
    shipped = ROOT / "alerts/inference-exporter.rules.yaml"
    text = shipped.read_text()
    for pattern, replacement in ((r"\binterval: 1m\b", "interval: 1s"), (r"\bfor: \d+m\b", "for: 1s")):
        text, replaced = re.subn(pattern, replacement, text)
        assert replaced, f"{shipped} has nothing like {pattern} to hurry"
    path = pathlib.Path(directory) / "hurried.rules.yaml"
    path.write_text(text)
    return path


def lint(exposition):
    """What `promtool check metrics` says of a text exposition: (status, output), and (0, "") where it finds nothing."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition, capture_output=True, text=True, timeout=30, check=False
    )
    return checked.returncode, checked.stdout + checked.stderr


class Program:
    """A child process in a group of its own, its output in a file."""

    def __init__(self, name, arguments, append=False):
        """`append`: the output follows that of an earlier start."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = OUTPUT / f"{name}.log"
        with self.log.open("ab" if append else "wb") as log:
            self.child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self):
        return self.log.read_text(errors="replace")

    def explain(self):
        state = self.child.poll()
        end = "\n".join(self.output().splitlines()[-30:])
        return f"{self.name} {'still runs' if state is None else f'ended with status {state}'}; the end of {self.log}:\n{end}"

    def wait_for(self, what, condition, seconds=DEADLINE_SECONDS, poll=POLL_SECONDS):
        """Like `wait_until`, but does not wait on a program that has ended."""

        def alive_and_true():
            # Looked at first: what a program did before it ended may still be true.
            ended = self.child.poll() is not None
            try:
                value = condition()
            except OSError:
                if not ended:
                    raise
                value = None
            if ended and not value:
                raise AssertionError(f"{self.name} ended while waiting for: {what}\n{self.explain()}")
            return value

        return wait_until(what, alive_and_true, seconds, self.explain, poll)

    def kill(self):
        """Ends it as the kernel does when memory is short: at once, wherever it is."""
        self.child.kill()
        self.child.wait()

    def terminate(self, seconds=15):
        """Asks it to end and returns its exit status; one that does not end in time is a failure."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {seconds} s after SIGTERM\n{self.explain()}") from None

    def close(self):
        """Ends it and whatever it started, by the group that is its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGTERM)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


class Exporter(Program):
    """The release binary. `arguments` come before the address; `port` is free unless the configuration holds it."""

    def __init__(self, name, arguments, port, append=False):
        if not BINARY.exists():
            raise AssertionError(f"{BINARY} is missing; build it with: make build")
        super().__init__(name, [BINARY, *arguments], append)
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def wait_ready(self):
        self.wait_for("/-/ready answers 200", lambda: self._answers("/-/ready"))
        return self

    def _answers(self, path):
        with contextlib.suppress(OSError):
            return get(self.url + path)[0]
        return None

    def metrics(self):
        """The text exposition 0.0.4, which is what a client without an Accept header gets."""
        return get(self.url + "/metrics")[1].decode()


class Prometheus(Program):
    """A real Prometheus on a directory of its own, scraping every second unless told otherwise."""

    def __init__(self, name, directory, jobs, rules=(), interval="1s"):
        """`jobs`: job name → address; `rules`: paths of rule files."""
        config = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "1s"},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": [
                # On Kubernetes the discovery sets `namespace`; here the target does.
                {"job_name": job, "static_configs": [{"targets": [address], "labels": {"namespace": "real"}}]}
                for job, address in jobs.items()
            ],
        }
        path = pathlib.Path(directory) / f"{name}.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        super().__init__(
            name,
            [
                "prometheus",
                f"--config.file={path}",
                f"--storage.tsdb.path={directory}/{name}-tsdb",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
                "--log.level=warn",
            ],
        )
        try:
            self.wait_for("Prometheus is ready", self._ready)
            for job in jobs:
                self.wait_for(f"job {job} is scraped", lambda job=job: self.scalar(f'up{{job="{job}"}}') == 1)
        except BaseException:
            self.close()
            raise

    def _ready(self):
        with contextlib.suppress(OSError):
            return get(self.url + "/-/ready")[0]
        return None

    def explain(self):
        with contextlib.suppress(OSError):
            targets = self.api("targets")["activeTargets"]
            errors = [f"{target['scrapeUrl']}: {target['health']} {target['lastError']}" for target in targets]
            return "\n".join([*errors, super().explain()])
        return super().explain()

    def api(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        return json.loads(get(url)[1])["data"]

    def query(self, promql):
        """The instant vector as [(labels, value)]."""
        data = self.api("query", query=promql)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def samples(self, selector):
        """The raw samples of a range, as [(labels, [(when, value)])], without interpolation or staleness."""
        result = self.api("query", query=selector)["result"]
        return [(one["metric"], [(when, float(value)) for when, value in one["values"]]) for one in result]

    def scalar(self, promql):
        """The value of the one series that answers, or None."""
        result = self.query(promql)
        if len(result) > 1:
            raise AssertionError(f"{promql}: expected one series, got {result}")
        return result[0][1] if result else None


class TextOnlyProxy:
    """Stands between Prometheus and the exporter and drops the Accept header.

    Prometheus 2.42 cannot be told which exposition to ask for and always gets OpenMetrics; through this proxy it gets the
    plain text form. `content_types` is the proof of what was served.
    """

    def __init__(self, upstream):
        proxy = self
        self.content_types = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                forwarded = {name: value for name, value in self.headers.items() if name.lower() not in ("accept", "host")}
                try:
                    headers, body = get(upstream + self.path, forwarded)
                except urllib.error.URLError as error:
                    self.send_error(502, str(error.reason).splitlines()[0])
                    return
                proxy.content_types.add(headers["Content-Type"])
                self.send_response(200)
                for name in ("Content-Type", "Content-Encoding"):
                    if headers[name]:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                """Silent: the test's own output is what is read."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
