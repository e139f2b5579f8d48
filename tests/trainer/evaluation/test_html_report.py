"""The pages of an evaluation and of a comparison with a hostile key, names and subset."""

import base64
import html.parser
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from photochrom.model import bundle
from trainer import evaluate

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=y>"


@pytest.fixture(scope="module")
def hostile(tint, strong_tint, photographs, tmp_path_factory):
    """A folder of two models with hostile names, and three photographs, one with a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    for path, place in ((tint, "model"), (strong_tint, "other")):
        model = shutil.copytree(path, folder / place)
        info = json.loads((model / "model.json").read_text())
        bundle.seal(model, {**info, "name": f"{place} {HOSTILE}"})
    (folder / "photos").mkdir()
    for name, rgb in zip(("a.png", f"{HOSTILE.replace('/', '')}.png", "c.png"), photographs.values(), strict=False):
        Image.fromarray(rgb[:128, :128]).save(folder / "photos" / name)
    return folder


def _page(folder, *models):
    output = folder / f"out{len(models)}"
    evaluate.run([*(f"--model={folder / model}" for model in models), f"--data={folder / 'photos'}",
                  f"--output={output}", "--sheet_rows=2", "--subsets=photos/(.*)\\.png"])  # fmt: skip
    return (output / "report.html").read_text()


@pytest.fixture(scope="module")
def page(hostile):
    return _page(hostile, "model")


@pytest.fixture(scope="module")
def pair_page(hostile):
    return _page(hostile, "model", "other")


@pytest.fixture(params=["page", "pair_page"])
def either(request):
    return request.getfixturevalue(request.param)


class _Reader(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_is_well_formed_and_complete(page, pair_page):
    assert _Reader(page).open == _Reader(pair_page).open == []
    titles, pair_titles = (re.findall(r"<h[23]>(.*?)</h[23]>", text) for text in (page, pair_page))
    assert titles[-5:] == ["Pictures", "Best", "Worst", "Not picked", "Data and model"]
    assert {"Figures by subset", "Metrics", "More or less colour", "Confidence"} <= set(titles)
    assert pair_titles[:3] == ["Figures", "Better on a photograph", "B minus A by subset"]
    assert pair_titles[-5:] == ["Pictures", "B is better", "A is better", "Not picked", "Data and models"]


def test_hostile_names_are_text(either):
    reader = _Reader(either)
    assert {tag for tag, _ in reader.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div", "span", "b", "br"),
        *("table", "thead", "tbody", "tr", "th", "td", "img", "figure", "figcaption", "dl", "dt", "dd", "code"),
    }
    assert all(not name.startswith("on") for _, attributes in reader.elements for name in attributes)
    assert f"model {HOSTILE}" in reader.text
    assert reader.text.count(HOSTILE.replace("/", "")) >= 2  # below a picture and among the subsets
    assert "script-src" not in either and "default-src 'none'" in either


def test_page_names_its_models(page, pair_page):
    assert f"Evaluation of model {HOSTILE}" in _Reader(page).text
    assert f"other {HOSTILE}" in _Reader(pair_page).text


def test_page_is_self_contained(either):
    reader = _Reader(either)
    pictures = [attributes["src"] for tag, attributes in reader.elements if tag == "img"]
    assert all(source.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,")) for source in pictures)
    assert not {"href", "srcset", "action"} & {name for _, attributes in reader.elements for name in attributes}
    assert not re.search(r"url\(|@import", either)


def _strips(page):
    sources = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(int) for source in sources]


def _cell(strip, column):
    return strip[4:-4, 68 * column + 4 : 68 * column + 60]


def test_pictures_show_gray_model_and_truth(page):
    assert len(_strips(page)) == 3 * 2
    strip = _strips(page)[0]
    assert strip.shape == (64, 3 * 64 + 2 * 4, 3)
    gray, model, truth = (_cell(strip, column) for column in range(3))
    assert np.ptp(gray, axis=2).mean() < 4 < np.ptp(truth, axis=2).mean()
    assert np.ptp(model, axis=2).mean() > 6


def test_pictures_of_comparison_show_both_models(pair_page):
    assert len(_strips(pair_page)) == 3 + 2  # three differ in some direction, two have the lowest digests
    for strip in _strips(pair_page):
        assert strip.shape == (64, 4 * 64 + 3 * 4, 3)
        gray, tint, strong = (np.ptp(_cell(strip, column), axis=2).mean() for column in range(3))
        assert gray < 4 < tint < strong - 4


def test_plots_need_no_font(either):
    for source in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", either):
        drawing = base64.b64decode(source)
        assert b"<path" in drawing and b"<script" not in drawing and b"font-family" not in drawing
