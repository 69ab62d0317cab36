"""The status page in a real browser: readable, self-contained, quiet in the console, and telling nothing of a record."""

import json
import pathlib
import struct
import tempfile
import unittest
import zlib

import traffic
from harness import OUTPUT, Exporter, free_port, get
from webdriver import Browser


def rows_of_png(png):
    """(width, height, number of different inflated rows): a blank picture has one row or two."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n"), "not a PNG"
    width, height = struct.unpack(">II", png[16:24])
    position, packed = 8, b""
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        if kind == b"IDAT":
            packed += png[position + 8 : position + 8 + length]
        position += 12 + length
    pixels = zlib.decompress(packed)
    stride = len(pixels) // height
    return width, height, len({pixels[start : start + stride] for start in range(0, len(pixels), stride)})


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="inference-exporter-real-")
        cls.addClassCleanup(directory.cleanup)
        port = free_port()
        config = pathlib.Path(directory.name, "config.yaml")
        config.write_text(json.dumps(traffic.configuration(directory.name, port)))
        cls.models = traffic.everything()
        cls.exporter = Exporter("exporter-page", ["run", "--config", config], port)
        cls.addClassCleanup(cls.exporter.close)
        cls.exporter.wait_ready()
        for model in cls.models:
            model.write_predictions(directory.name)
            model.write_labels(directory.name)
        # A line that is no JSON: the page has a reject to show, and must not show the line.
        cls.secret = "card 4111 1111 1111 1111"
        with open(f"{directory.name}/fraud-predictions.jsonl", "a") as log:
            log.write(cls.secret + "\n")
        cls.exporter.wait_for("the rejected line is counted", lambda: _rejected(cls.exporter.metrics()) == 1)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.browser.open(cls.exporter.url + "/")
        cls.text = cls.browser.evaluate("return document.body.innerText")

    def test_a_person_can_read_it(self):
        self.assertIn("inference-exporter", self.browser.title())
        for word in ("fraud", "pets", "price", "binary", "multiclass", "regression", "fraud-predictions", "pets-labels"):
            self.assertIn(word, self.text)
        structure = self.browser.evaluate(
            "return {lang: document.documentElement.lang, h1: document.querySelectorAll('h1').length,"
            " tables: document.querySelectorAll('table').length,"
            " headless: [...document.querySelectorAll('table')].filter(t => !t.querySelector('th')).length}"
        )
        self.assertEqual((structure["lang"], structure["h1"], structure["headless"]), ("en", 1, 0), structure)
        self.assertGreaterEqual(structure["tables"], 2)

    def test_no_undefined_figure_is_shown_as_a_number(self):
        for word in ("NaN", "Infinity"):
            self.assertNotIn(word, self.text)

    def test_it_fits_the_window(self):
        width = self.browser.evaluate("return [document.documentElement.scrollWidth, window.innerWidth]")
        self.assertLessEqual(width[0], width[1], "the page scrolls sideways")

    def test_it_loads_nothing_from_elsewhere_and_the_console_is_quiet(self):
        # Loaded once more, so that this test reads its own log whatever ran before.
        self.browser.requested_urls()
        self.browser.console()
        self.browser.open(self.exporter.url + "/")
        urls = self.browser.requested_urls()
        self.assertIn(self.exporter.url + "/", urls)
        elsewhere = [url for url in urls if not url.startswith((self.exporter.url + "/", "data:"))]
        self.assertEqual(elsewhere, [])
        self.assertEqual([entry["message"] for entry in self.browser.console()], [])

    def test_its_links_lead_somewhere(self):
        links = self.browser.evaluate("return [...document.links].map(link => link.href)")
        own = [link for link in links if link.startswith(self.exporter.url)]
        self.assertTrue(any(link.endswith("/metrics") for link in own), links)
        for link in own:
            get(link)

    def test_nothing_of_a_record_is_shown(self):
        page = get(self.exporter.url + "/")[1].decode() + get(self.exporter.url + "/api/v1/status")[1].decode()
        self.assertNotIn("4111", page)
        for model in self.models:
            for row in model.rows:
                self.assertNotIn(row["request_id"], page)
                self.assertNotIn(row["trace_id"], page)

    def test_screenshot(self):
        png = self.browser.screenshot()
        OUTPUT.mkdir(parents=True, exist_ok=True)
        (OUTPUT / "page.png").write_bytes(png)
        width, height, different = rows_of_png(png)
        self.assertGreaterEqual(width, 1200)
        # A page of text has some hundred different rows of pixels, an empty one hardly any.
        self.assertGreater(different, 100, f"{width}×{height}, see {OUTPUT / 'page.png'}")


def _rejected(exposition):
    lines = [line for line in exposition.splitlines() if line.startswith("inference_exporter_rejected_lines_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


if __name__ == "__main__":
    unittest.main()
