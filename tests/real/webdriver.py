"""Drives a headless Chromium through chromedriver, in the few words of the WebDriver protocol that the page test needs.

Standard library only, so that the test needs no package but Debian's two.
"""

import base64
import json
import re
import tempfile
import urllib.error
import urllib.request

from harness import Program


class Browser:
    """One session: a fresh profile, a window, the log of its console and of its network."""

    def __init__(self, width=1280, height=900):
        self.driver = Program("chromedriver", ["chromedriver", "--port=0"])
        self.profile = tempfile.TemporaryDirectory(prefix="inference-exporter-chromium-")
        try:
            port = self.driver.wait_for(
                "chromedriver names its port",
                lambda: re.search(r"started successfully on port (\d+)", self.driver.output()),
            )[1]
            self.session = f"http://127.0.0.1:{port}/session"
            options = {
                "args": [
                    "--headless=new",
                    # The sandbox needs user namespaces, which containers and root do not have; the page is our own.
                    "--no-sandbox",
                    "--disable-dev-shm-usage",
                    "--disable-gpu",
                    # Nothing but the page may talk to the network, or the network log proves nothing.
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--no-first-run",
                    f"--user-data-dir={self.profile.name}",
                    f"--window-size={width},{height}",
                ]
            }
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            answer = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
            self.session += "/" + answer["sessionId"]
        except BaseException:
            self.close()
            raise

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.session + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            # Starting Chromium on a busy machine is the slowest of the calls.
            with urllib.request.urlopen(request, timeout=90) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"chromedriver: {method} {path}: {error.read().decode(errors='replace')[:2000]}") from error

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def title(self):
        return self._call("GET", "/title")

    def evaluate(self, script):
        """Runs JavaScript in the page; `return` gives the value."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def screenshot(self):
        return base64.b64decode(self._call("GET", "/screenshot"))

    def console(self):
        """What the console said since the last call."""
        return self._call("POST", "/se/log", {"type": "browser"})

    def requested_urls(self):
        """Every address that was asked for since the last call, the page's own included."""
        events = (json.loads(entry["message"])["message"] for entry in self._call("POST", "/se/log", {"type": "performance"}))
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def close(self):
        if "/session/" in getattr(self, "session", ""):
            self._call("DELETE", "")
        self.driver.close()
        self.profile.cleanup()
