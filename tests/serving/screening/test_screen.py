"""Decisions on toned and unsuitable scans, by a table and in whole runs."""

import json

import numpy as np
import pytest
import skimage.data
from PIL import Image

from photochrom import errors
from photochrom.color import tone
from serving.config import ColorizeConfig
from serving.screening import screen, triage
from tests.support import runs

pytestmark = pytest.mark.job  # whole jobs or trainings


@pytest.fixture(scope="module")
def scans(gray_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed") / "scans"
    folder.mkdir()
    for name in ("sepia.jpg", "colour.jpg", "box1/square.jpg"):
        (folder / name.rpartition("/")[2]).write_bytes((gray_folder / name).read_bytes())
    Image.fromarray(skimage.data.page()).save(folder / "page.png")
    Image.new("L", (90, 90), 0).save(folder / "black.png")
    return folder


def run(tint, output, scans, *flags) -> dict[str, dict]:
    found = runs.colorize(tint, output, scans, flags=flags).rows
    return {key.removeprefix("scans/"): row for key, row in found.items()}


def outcome(row: dict) -> tuple[str, str, str]:
    return row["kind"], row["status"], row["reason"]


def test_colorize_skips_unsuitable_and_colours_toned(tint, scans, tmp_path):
    found = run(tint, tmp_path, scans)
    assert {key: outcome(row) for key, row in found.items()} == {
        "square.jpg": ("gray", "done", ""),
        "sepia.jpg": ("toned", "done", ""),
        "colour.jpg": ("colour", "skipped", "color_input"),
        "page.png": ("text", "skipped", "text"),
        "black.png": ("blank", "skipped", "blank"),
    }
    assert "is a page of text; --unsuitable says skip" in found["page.png"]["message"]
    assert json.loads((tmp_path / "manifest/summary.json").read_text())["reasons"]["skipped:blank"] == 1


def test_colorize_copies_kept_tones_unchanged(tint, scans, tmp_path):
    first = run(tint, tmp_path, scans)
    assert (tmp_path / first["sepia.jpg"]["output"]).read_bytes() != (scans / "sepia.jpg").read_bytes()
    found = run(tint, tmp_path, scans, "--toned=keep", "--unsuitable=colorize")
    assert outcome(found["sepia.jpg"]) == ("toned", "done", "toned_kept")
    assert (tmp_path / found["sepia.jpg"]["output"]).read_bytes() == (scans / "sepia.jpg").read_bytes()
    assert outcome(found["page.png"]) == ("text", "done", "")
    assert outcome(found["black.png"]) == ("blank", "skipped", "uncolored")
    assert "a mean chroma of 0.00 CIE units" in found["black.png"]["message"]
    assert not (tmp_path / "images/scans/black.png").exists()
    again = run(tint, tmp_path, scans, "--toned=skip")
    assert outcome(again["sepia.jpg"]) == ("toned", "skipped", "toned")
    assert not (tmp_path / "images/scans/sepia.jpg").exists(), "a copy of an earlier run without a row"
    assert not (tmp_path / "images/scans/page.png").exists()


TONES = {"gray": tone.Tone(0.0, 0.0), "toned": tone.Tone(9.0, 1.0), "colour": tone.Tone(20.0, 15.0, 60.0, 5.0)}


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("gray", {"toned": "skip", "color_inputs": "skip"}, ("colorize", "")),
        ("negative", {}, ("colorize", "")),
        ("negative", {"negatives": "skip"}, ("skip", "negative")),
        ("text", {}, ("skip", "text")),
        ("blank", {"unsuitable": "colorize"}, ("colorize", "")),
        ("toned", {}, ("colorize", "")),
        ("toned", {"toned": "keep"}, ("copy", "toned_kept")),
        ("toned", {"toned": "skip"}, ("skip", "toned")),
        ("colour", {"color_inputs": "copy"}, ("copy", "copied")),
        ("colour", {"color_inputs": "colorize"}, ("colorize", "")),
    ],
)
def test_decide_by_kind_and_flags(kind, flags, expected):
    config = ColorizeConfig(input=("scans",), output="out", **flags)
    action, reason, message = screen.decide(triage.Triage(kind, TONES.get(kind, TONES["gray"]), {}), config)
    assert (action, reason) == expected
    assert bool(message) == (action == "skip")


@pytest.mark.parametrize("flag", ["toned", "unsuitable", "negatives"])
def test_output_digest_depends_on_screening_flags(flag):
    default = ColorizeConfig(input=("scans",), output="out")
    other = {"toned": "keep", "unsuitable": "colorize", "negatives": "skip"}[flag]
    assert ColorizeConfig(input=("scans",), output="out", **{flag: other}).output_digest() != default.output_digest()


def test_check_colored_accepts_faint_colour():
    gray = np.full((64, 96), 50, np.float32)
    screen.check_colored(gray, np.full((16, 24, 2), (-1, -3), np.float32))
    with pytest.raises(errors.Uncolored, match=r"mean chroma of 0\.\d+ CIE units; under 1.5 it counts as gray"):
        screen.check_colored(gray, np.full((16, 24, 2), (-1, -3), np.float32), saturation=0.2)
