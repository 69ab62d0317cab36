"""Draws the dashboards as pictures: Grafana's published components in headless Chromium, over a real Prometheus.

A preview, not Grafana: see viewer.jsx for what is Grafana's and what is not. It installs its npm packages (some 450 MB) in a
directory of its own and is no part of `make test`.

Usage: render.py PROMETHEUS_URL OUTPUT_DIRECTORY [DASHBOARD[?PARAMETERS]…]
       PARAMETERS are `var-model=fraud&seconds=1800`; `seconds` is the length of the time range that ends now, `scrape` the
       scrape interval, `width` the picture's width in pixels.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/real"))

from harness import wait_until  # noqa: E402 – found through the path above
from webdriver import Browser  # noqa: E402

WORK = pathlib.Path(os.environ.get("PREVIEW_DIRECTORY", ROOT / "target/preview"))
PAGE = b"""<!doctype html><meta charset="utf-8"><title>preview</title><link rel="stylesheet" href="/viewer.css">
<style>body { margin: 0; background: #111217 } ::-webkit-scrollbar { display: none }</style><div id="root"></div><script src="/viewer.js"></script>"""
WIDTH = 1600
ROW_PIXELS, HEAD_PIXELS = 38, 56
# Of the window's height, what Chromium keeps for itself.
BARS_PIXELS = 143


def bundle():
    """Installs the packages once and bundles the viewer."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "viewer.jsx"):
        (WORK / name).write_text((HERE / name).read_text())
    if not (WORK / "node_modules/@grafana/ui").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=WORK, check=True)
    command = ["npx", "esbuild", "viewer.jsx", "--bundle", "--minify", "--format=iife", "--outfile=viewer.js", "--log-level=error"]
    command += ['--define:process.env.NODE_ENV="production"', *(f"--loader:.{kind}=dataurl" for kind in ("svg", "ttf", "woff", "woff2"))]
    subprocess.run(command, cwd=WORK, check=True)


def serve(prometheus):
    """The page, the dashboards, and Prometheus behind one address, as a browser may ask only where its page is from."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = urllib.parse.urlsplit(self.path).path
            if path.startswith("/api/"):
                return self.forward(None)
            if path == "/":
                return self.answer(PAGE, "text/html")
            if path.startswith("/dashboards/"):
                return self.answer((ROOT / path[1:]).read_bytes(), "application/json")
            if path == "/favicon.ico" or path.startswith("/public/"):
                # Icons and fonts: some are published, and a preview can do without the others.
                file = WORK / "node_modules/@grafana/ui/dist" / path[1:]
                return self.answer(file.read_bytes() if file.exists() else b"", "image/svg+xml")
            file = WORK / path[1:]
            if path in ("/viewer.js", "/viewer.css") and file.exists():
                return self.answer(file.read_bytes(), {".js": "text/javascript", ".css": "text/css"}[file.suffix])
            return self.send_error(404)

        def do_POST(self):
            self.forward(self.rfile.read(int(self.headers["Content-Length"])))

        def forward(self, body):
            try:
                with urllib.request.urlopen(urllib.request.Request(prometheus + self.path, body), timeout=60) as response:
                    self.answer(response.read(), "application/json")
            except urllib.error.HTTPError as error:
                self.answer(error.read(), "application/json")

        def answer(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Silent: the viewer's own errors are what is read."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def draw(address, name, parameters):
    dashboard = json.loads((ROOT / f"dashboards/{name}.json").read_text())
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width = int(parameters.get("width", WIDTH))
    browser = Browser(width + 8, bottom * ROW_PIXELS + HEAD_PIXELS + BARS_PIXELS)
    try:
        browser.open(f"{address}/?{urllib.parse.urlencode({'dashboard': name, 'width': width, **parameters})}")
        wait_until(f"{name} is drawn", lambda: browser.evaluate("return window.failed || window.drawn >= window.wanted"), 60)
        # What was asked for has come; React has yet to put it on the screen.
        browser.evaluate("return document.fonts.ready.then(() => new Promise(done => setTimeout(done, 700)))")
        for entry in browser.console():
            if entry["level"] == "SEVERE":
                print(f"{name}: {entry['message'][:1500]}", file=sys.stderr)
        if failed := browser.evaluate("return window.failed"):
            sys.exit(f"{name}: {failed}")
        return browser.screenshot()
    finally:
        browser.close()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    prometheus, output = sys.argv[1].rstrip("/"), pathlib.Path(sys.argv[2])
    wanted = sys.argv[3:] or sorted(path.stem for path in (ROOT / "dashboards").glob("*.json"))
    output.mkdir(parents=True, exist_ok=True)
    bundle()
    server = serve(prometheus)
    for one in wanted:
        name, _, parameters = one.partition("?")
        picture = draw(f"http://127.0.0.1:{server.server_address[1]}", name, dict(urllib.parse.parse_qsl(parameters)))
        (output / f"{name}.png").write_bytes(picture)
        print(output / f"{name}.png")
    server.shutdown()


if __name__ == "__main__":
    main()
