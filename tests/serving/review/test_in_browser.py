"""The page in a real Chromium: clicks, keys, files of decisions, 5,000 pictures, accessibility."""

import functools
import http.server
import io
import json
import pathlib
import shutil
import threading
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from photochrom.color import cielab
from photochrom.sources.source import Source
from serving.manifest.rows import FAILED, SKIPPED, Row
from serving.review import decisions, items
from tests.support import review_site
from tests.support.review_site import picture_row

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
# One worker makes the page that all tests need.
pytestmark = [
    pytest.mark.job,
    pytest.mark.xdist_group("test_in_browser"),
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]

COUNT = 5000
HOSTILE = {
    "html": "scans/<img src=x onerror=alert(1)>\"'&amp;.jpg",
    "control": "scans/new\nline\x07.jpg",
    "right to left": "scans/صورة-\u202egnp.jpg",
    "long": "scans/" + "é" * 125 + ".jpg",  # 254 bytes
    "address": "scans/100%#?a=b&c.jpg",
}


def rows() -> list[Row]:
    usual = [picture_row(f"scans/box{i % 7}/{i:05d}.png", (i * 37 % COUNT) / COUNT) for i in range(COUNT)]
    hostile = [picture_row(key, output=f"images/{i}.png") for i, key in enumerate(HOSTILE.values())]
    failed = Row.of(
        Source("scans/<b>.jpg", ""), status=FAILED, reason="undecodable", message="broken <script>alert(1)</script>"
    )
    skipped = [Row.of(Source(f"scans/{i}.txt", ""), status=SKIPPED, reason="not_an_image") for i in range(300)]
    hostile[-1] = picture_row(HOSTILE["address"])  # its copy has its name
    return [*usual, *hostile, failed, *skipped]


# Keys in the order of the page.
KEYS = [
    row.key
    for row in sorted(rows(), key=lambda row: (items.confidence(row), row.key))
    if row.output and row.key not in HOSTILE.values()
]
NAMES = [key.rpartition("/")[2] for key in KEYS]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> pathlib.Path:
    return review_site.write(tmp_path_factory.mktemp("review") / "out #1", rows())


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def address(page_path: pathlib.Path, hash_: str = "") -> str:
    return page_path.as_uri() + hash_


class Visit:
    """A browser of its own, which notes all that must not happen."""

    def __init__(self, chromium, site: pathlib.Path, **settings):
        self.site = site
        self.context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, hash_: str = "") -> "Visit":
        self.page.goto("about:blank")
        self.page.goto(address(self.site, hash_))
        self.page.wait_for_selector("body[data-loaded=everything]")
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def states(self) -> list[str]:
        """The decisions on the first cards."""
        return self.page.eval_on_selector_all("#grid li", "cards => cards.slice(0, 8).map(card => card.dataset.state)")

    def name_of_focus(self) -> str:
        return self.page.evaluate("document.activeElement.querySelector('.name')?.textContent ?? ''")

    def names(self) -> list[str]:
        return self.page.eval_on_selector_all("#grid .name", "names => names.map(name => name.textContent)")

    def wait_for_copy(self) -> None:
        """Waits until the copy itself is shown, no longer its thumbnail."""
        self.page.wait_for_function("document.querySelector('photo-compare .after').src.includes('/images/')")

    def count(self, state: str) -> int:
        return int(self.text(f"#states [data-state='{state}'] .count").replace(",", ""))

    def export(self, reviewer: str) -> list[dict]:
        """Exports, checks that colorize reads the file, and returns its lines."""
        self.page.fill("#reviewer", reviewer)
        with self.page.expect_download() as download:
            self.page.click("#export")
        path = str(download.value.path())
        lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
        assert decisions.read(path).of_key.keys() == {line["key"] for line in lines}
        return lines

    def give(self, *lines: dict | str) -> str:
        """Imports a file and returns the report."""
        data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        file = {"name": "given.jsonl", "mimeType": "application/jsonl", "buffer": data.encode()}
        self.page.set_input_files("#files", [file])
        self.page.wait_for_selector("#report[open]")
        report = self.text("#report-lines")
        self.page.click("#close-report")
        return report


@pytest.fixture
def visit(chromium, site):
    made = Visit(chromium, site)
    yield made
    made.context.close()
    folder = site.parent.parent.as_uri()
    assert made.problems == []
    assert [url for url in made.requests if not url.startswith((folder, "blob:", "about:"))] == []


def decision(key: str, reviewer: str, decision: str = "accept", **values) -> dict:
    sha256 = picture_row(key).output_sha256
    time = "2026-01-31T12:00:00Z"
    line = {"key": key, "copy_sha256": sha256, "decision": decision, "reason": "", "reviewer": reviewer, "time": time}
    return {**line, **values}


def test_page_shows_least_confident_first(visit):
    visit.open()
    assert visit.names() == NAMES[:200]
    assert visit.text("#count-pictures") == "5,005" and visit.text("#count-others") == "301"
    assert "5,306 inputs: 5,005 done, 300 skipped, 1 failed" in visit.text("#totals")
    loaded = visit.page.eval_on_selector("#grid img", "image => image.decode().then(() => image.naturalWidth)")
    assert loaded == 400


def test_filters_and_order_follow_the_address(visit):
    visit.open("#sort=key&order=down&folder=scans/box3/&confidence-from=0.5&text=00")
    names = visit.names()
    assert names == sorted(names, reverse=True) and all(int(name[:5]) % 7 == 3 and "00" in name for name in names)
    visit.page.click("#filters summary")
    visit.page.click("#reset")
    assert len(visit.names()) == 200 and "folder" not in visit.page.url
    visit.page.select_option("#sort", "name")
    visit.page.fill("#text", "01234")
    assert visit.names() == ["01234.png"] and "text=01234" in visit.page.url


def test_keys_decide_and_undo(visit):
    visit.open()
    visit.page.focus("#grid .open")
    visit.press("a", "r", "l", "ArrowRight", "a")
    assert visit.states()[:6] == ["accept", "reject", "later", "undecided", "accept", "undecided"]
    assert (visit.count("accept"), visit.count("reject"), visit.count("undecided")) == (2, 1, 5001)
    visit.press("u", "Control+z")
    assert visit.states()[:6] == ["accept", "reject", "undecided", "undecided", "undecided", "undecided"]
    assert visit.name_of_focus() == visit.names()[2]
    visit.press("ArrowDown", "Home", " ")
    assert visit.page.eval_on_selector("#grid li", "card => card.className") == "gray"


def test_arrows_cross_pages(visit):
    visit.open("#page=2")
    first = visit.names()[0]
    visit.page.focus("#grid .open")
    visit.press("ArrowLeft")
    assert visit.page.input_value(".pager input") == "1" and visit.name_of_focus() == visit.names()[199]
    visit.press("ArrowRight")
    assert visit.name_of_focus() == first
    visit.press("n")
    assert visit.page.input_value(".pager input") == "3"


def test_decisions_survive_a_reload(visit):
    visit.open()
    visit.page.click("#grid li:nth-child(2) .reject")
    visit.open("#state=reject")
    assert visit.names() == [NAMES[1]] and visit.count("reject") == 1


def test_single_view_compares_and_decides(visit):
    visit.open()
    visit.page.click("#grid li:nth-child(3) .open")
    assert visit.text("#name") == NAMES[2] and visit.text("#position") == "3 of 5,005"
    line = "document.querySelector('photo-compare').style.getPropertyValue('--at')"
    visit.press(" ")
    assert visit.page.evaluate(line) == "100%"
    visit.press(" ", "e")
    assert visit.page.evaluate(line) == "0%"
    visit.page.keyboard.type("too red")
    visit.press("Enter", "r")
    assert visit.text("#position") == "4 of 5,005"
    visit.press("ArrowLeft")
    assert visit.page.input_value("#note") == "too red" and "reject" in visit.text("#facts")
    visit.page.click("#accept")
    visit.press("Escape")
    assert visit.page.is_visible("#grid") and visit.states()[2] == "accept"
    visit.page.click("#grid li:nth-child(1) .open")
    visit.page.go_back()
    assert visit.page.is_visible("#grid")


def test_slider_moves_by_pointer_and_keys(visit):
    visit.open()
    visit.page.click("#grid .open")
    box = visit.page.locator("photo-compare input").bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 40)
    at = int(visit.page.input_value("photo-compare input"))
    assert 200 < at < 300
    visit.page.focus("photo-compare input")
    visit.press("ArrowRight")
    assert int(visit.page.input_value("photo-compare input")) == at + 1
    assert visit.text("#position").startswith("1 of")


def test_gray_has_the_lightness_of_the_copy(visit):
    visit.open()
    visit.page.click("#grid .open")
    visit.wait_for_copy()
    visit.press(" ")
    box = visit.page.locator("photo-compare").bounding_box()
    with Image.open(io.BytesIO(visit.page.screenshot())) as shot:
        stripes = [
            shot.convert("RGB").getpixel((int(box["x"] + box["width"] * (i + 0.3) / 5), int(box["y"] + 20)))
            for i in range(5)
        ]
    seen = cielab.rgb_to_lab(np.array([stripes], np.uint8))[0]
    wanted = cielab.rgb_to_lab(np.array([review_site.COLOURS], np.uint8))[0]
    np.testing.assert_allclose(seen[:, 0], wanted[:, 0], atol=0.6)
    np.testing.assert_allclose(seen[:, 1:], 0, atol=0.1)


def test_decision_of_the_manifest_counts(chromium, tmp_path):
    rows = [picture_row("a.png", 0.1, decision="accepted"), picture_row("b.png", 0.2)]
    visit = Visit(chromium, review_site.write(tmp_path / "out", rows)).open()
    assert visit.states() == ["accept", "undecided"]
    visit.page.click("#grid .reject")
    assert visit.states() == ["reject", "undecided"] and len(visit.export("Ada")) == 1
    visit.page.click("#undo")
    assert visit.states() == ["accept", "undecided"]
    visit.context.close()


def test_rest_of_a_page_is_accepted_at_once(visit):
    visit.open()
    visit.page.click("#grid li:nth-child(2) .reject")
    visit.page.click("#accept-rest")
    assert (visit.count("accept"), visit.count("reject")) == (199, 1)
    visit.page.click("#undo")
    assert (visit.count("accept"), visit.count("reject")) == (0, 1)


def test_pages_of_undecided_lose_none(visit):
    visit.open("#state=undecided")
    visit.page.click("#accept-rest")
    after = visit.page.locator(".pager button >> nth=1")
    after.click()
    assert visit.names()[0] == NAMES[200]  # the list stays until it is filtered again
    visit.page.click("#again")
    assert visit.page.input_value(".pager input") == "1" and visit.names()[0] == NAMES[200]


def test_export_states_key_digest_and_reviewer(visit):
    visit.open()
    visit.page.click("#grid li:nth-child(2) .reject")
    visit.page.click("#export")
    assert "Enter your name" in visit.text("#warning")
    (line,) = visit.export("Ada")
    assert visit.text("#export") == "Export 1 decisions"
    assert {**line, "time": ""} == decision(KEYS[1], "Ada", "reject", time="")


def test_import_of_own_export_changes_nothing(visit):
    visit.open()
    visit.page.click("#grid li:nth-child(2) .reject")
    lines = visit.export("Ada")
    assert "1 decisions on 1 pictures" in visit.give(*lines)
    assert visit.export("Ada") == lines


def test_import_shows_conflicts_until_they_are_decided(visit):
    visit.open()
    key, other = KEYS[1], KEYS[0]
    report = visit.give(decision(key, "Ada"), decision(other, "Ada"), decision(other, "Grace"))
    assert "conflict" not in report
    report = visit.give(decision(key, "Grace", "reject"))
    assert "1 pictures have decisions that differ" in report and f"{key}: Ada accept, Grace reject" in report
    visit.page.click("#states [data-state=conflict]")
    assert visit.names() == [NAMES[1]] and len(visit.export("Eve")) == 4
    visit.page.click("#grid .open")
    assert "Reviewers differ" in visit.text("#said")
    visit.press("a", "Escape")
    assert [line["reviewer"] for line in visit.export("Eve") if line["key"] == key] == ["Eve"]


def test_import_takes_the_last_decision_of_a_reviewer(visit):
    visit.open()
    key = KEYS[1]
    later = decision(key, "Ada", "reject", time="2026-02-01T00:00:00Z")
    visit.give(later, decision(key, "Ada"))
    assert visit.export("Ada") == [later]
    visit.page.click("#undo")
    assert visit.count("undecided") == COUNT + len(HOSTILE)


def test_import_names_bad_lines_and_stale_decisions(visit):
    visit.open()
    good = decision(KEYS[1], "Ada", copy_sha256="0" * 64)
    bad = [{**good, "decision": "delete"}, {**good, "copy_sha256": "1"}, {**good, "time": 3}, "{", "[]", "null"]
    report = visit.give(good, *bad, decision("scans/unknown.png", "Ada"))
    assert "6 lines were not read" in report and "given.jsonl, line 2: decision is none of" in report
    assert "1 are about another version" in report and "1 of the pictures are not on this page" in report
    assert visit.count("stale") == 1 and visit.count("accept") == 0


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_name_is_text(visit, kind):
    key = HOSTILE[kind]
    visit.open("#" + urllib.parse.urlencode({"item": key}))
    shown = key.replace("\n", "\\x0a").replace("\x07", "\\x07").replace("\u202e", "\\x202e")
    assert visit.text("#facts dd >> nth=0") == shown and visit.page.locator("#single img").count() == 2
    visit.wait_for_copy()
    visit.press("a", "Escape")
    assert visit.export("Ada")[0]["key"] == key


def test_failed_and_skipped_inputs_have_reasons(visit):
    visit.open("#part=others")
    assert visit.text("#others-list li >> nth=0").splitlines() == [
        "scans/<b>.jpg", "failed: the picture is broken", "broken <script>alert(1)</script>"
    ]  # fmt: skip
    visit.page.click("#reasons [data-reason='skipped:not_an_image']")
    assert visit.page.locator("#others-list li").count() == 200
    visit.page.fill("#others-text", "299")
    assert visit.page.locator("#others-list li").count() == 1


def test_full_storage_asks_for_an_export(visit):
    visit.open()
    visit.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    visit.page.click("#grid .accept")
    assert "export them now" in visit.text("#warning") and visit.count("accept") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_is_accessible(chromium, site, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 740}}
    visit = Visit(chromium, site, **settings).open("#" + urllib.parse.urlencode({"text": "0123"}))
    visit.give(decision("scans/box2/01234.png", "Ada"), decision("scans/box2/01234.png", "Grace", "reject"))
    visit.page.click("#grid li:nth-child(1) .accept")
    visit.page.click("#grid li:nth-child(2) .reject")
    visit.page.click("#grid li:nth-child(3) .later")
    visit.page.click("#filters summary")
    for step in (lambda: None, lambda: visit.page.click("#grid li:nth-child(2) .open"), lambda: visit.press("?"),
                 lambda: (visit.press("Escape", "Escape"), visit.page.click("#show-others"))):  # fmt: skip
        step()
        found = axe.Axe().run(visit.page).response["violations"]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.context.close()


def test_touch_opens_decides_and_returns(chromium, site):
    visit = Visit(chromium, site, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True).open()
    visit.page.tap("#grid li:nth-child(2) .open")
    visit.page.tap("#reject")
    assert visit.text("#position").startswith("3 of")
    visit.page.tap("#back")
    assert visit.states()[1] == "reject"
    visit.context.close()


def test_page_works_from_a_web_server(chromium, site):
    folder = site.parent.parent
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visit = Visit(chromium, site)
        root = f"http://127.0.0.1:{server.server_port}/"
        visit.page.goto(f"{root}review/index.html#item=scans/100%25%23%3Fa%3Db%26c.jpg")
        visit.page.wait_for_selector("body[data-loaded=everything]")
        visit.wait_for_copy()
        server.shutdown()
    assert visit.problems == [] and all(url.startswith(root) for url in visit.requests)
    visit.context.close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
