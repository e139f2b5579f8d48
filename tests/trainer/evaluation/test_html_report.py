"""The page of an evaluation with a hostile key, name and subset."""

import base64
import html.parser
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from trainer import evaluate

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=y>"


@pytest.fixture(scope="module")
def page(tint, photographs, tmp_path_factory):
    """The report on three photographs, one with a hostile name, by a model with a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    model = shutil.copytree(tint, folder / "model")
    info = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**info, "name": f"model {HOSTILE}"}))
    (folder / "photos").mkdir()
    for name, rgb in zip(("a.png", f"{HOSTILE.replace('/', '')}.png", "c.png"), photographs.values(), strict=False):
        Image.fromarray(rgb[:128, :128]).save(folder / "photos" / name)
    argv = [f"--model={model}", f"--data={folder / 'photos'}", f"--output={folder / 'out'}"]
    evaluate.run([*argv, "--sheet_rows=2", "--subsets=photos/(.*)\\.png"])
    return (folder / "out" / "report.html").read_text()


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


def test_page_is_well_formed_and_complete(page):
    reader = _Reader(page)
    assert reader.open == []
    titles = re.findall(r"<h[23]>(.*?)</h[23]>", page)
    assert titles[-5:] == ["Pictures", "Best", "Worst", "Not picked", "Data and model"]
    assert {"Metrics", "More or less colour", "Confidence", "Subsets"} <= set(titles)


def test_hostile_names_are_text(page):
    reader = _Reader(page)
    assert {tag for tag, _ in reader.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div", "span", "b", "br"),
        *("table", "thead", "tbody", "tr", "th", "td", "img", "figure", "figcaption", "dl", "dt", "dd", "code"),
    }
    assert all(not name.startswith("on") for _, attributes in reader.elements for name in attributes)
    assert f"Evaluation of model {HOSTILE}" in reader.text
    assert reader.text.count(HOSTILE.replace("/", "")) >= 2  # below a picture and among the subsets
    assert "script-src" not in page and "default-src 'none'" in page


def test_page_is_self_contained(page):
    reader = _Reader(page)
    pictures = [attributes["src"] for tag, attributes in reader.elements if tag == "img"]
    assert len(pictures) == 4 + 3 * 2
    assert all(source.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,")) for source in pictures)
    assert not {"href", "srcset", "action"} & {name for _, attributes in reader.elements for name in attributes}
    assert not re.search(r"url\(|@import", page)


def test_pictures_show_gray_model_and_truth(page):
    source = re.search(r"data:image/jpeg;base64,([^\"]+)", page)[1]
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(int)
    assert strip.shape == (64, 3 * 64 + 2 * 4, 3)
    gray, model, truth = (strip[4:-4, left + 4 : left + 60] for left in (0, 68, 136))
    assert np.ptp(gray, axis=2).mean() < 4 < np.ptp(truth, axis=2).mean()
    assert np.ptp(model, axis=2).mean() > 6


def test_plots_need_no_font(page):
    for source in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
        drawing = base64.b64decode(source)
        assert b"<path" in drawing and b"<script" not in drawing and b"font-family" not in drawing
