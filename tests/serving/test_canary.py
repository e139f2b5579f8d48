"""A new model, tried on a few pictures of a finished run before it makes all copies again."""

import hashlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.color import cielab
from serving.manifest import reader
from tests.support import runs

pytestmark = pytest.mark.job  # whole jobs or trainings


def run(bundle, output, scans, *flags):
    runs.colorize(bundle, output, scans, flags=flags)


@pytest.fixture
def earlier(tint, gray_folder, tmp_path):
    """The scans and the output folder of a run on four scans."""
    scans = tmp_path / "scans"
    shutil.copytree(gray_folder / "box1", scans / "box1")
    for name in ("tall.tif", "deep.png", "broken.jpg"):
        shutil.copy(gray_folder / name, scans)
    run(tint, tmp_path / "out", scans, "--canary=4")  # there is no last run to compare with
    return scans, tmp_path / "out"


def digests(output):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in output.rglob("*") if path.is_file()}


def mean_difference(output, strong_output):
    """Returns the ratio of the chromas of the copies themselves: the ab of both models are proportional."""
    chromas = []
    for _, row in reader.read_rows(str(output)):
        if row.output:
            pair = [cielab.rgb_to_lab(np.asarray(Image.open(folder / row.output).convert("RGB")))
                    for folder in (output, strong_output)]  # fmt: skip
            chromas.append([np.hypot(lab[..., 1], lab[..., 2]).mean() for lab in pair])
    before, after = np.mean(chromas, axis=0)
    return after / before


def test_canary_stops_a_model_that_drifts(strong_tint, earlier, tmp_path):
    scans, output = earlier
    before = digests(output)
    with pytest.raises(errors.PhotochromError, match="the canary stopped the run, nothing was changed") as raised:
        run(strong_tint, output, scans, "--canary=3", "--canary_max_drift=1")
    assert re.search(
        r"of 3 pictures: CIEDE2000 \d+\.\d\d .* 0\.0% uncoloured; --canary_max_drift allows 1", str(raised.value)
    )
    sheet = output / "manifest/canary.png"
    assert Image.open(sheet).width > 500 and str(sheet) in str(raised.value)
    sheet.unlink()
    assert digests(output) == before


def test_canary_lets_a_model_continue_within_limits(tint, strong_tint, earlier, tmp_path, capsys):
    scans, output = earlier
    shutil.copytree(output, tmp_path / "before")
    run(strong_tint, output, scans, "--canary=4", "--canary_max_drift=50")
    said = re.search(r"canary: 4 pictures: CIEDE2000 (\S+) .* (\S+) of their chroma", capsys.readouterr().out)
    assert 1 < float(said[1]) < 50
    assert float(said[2]) == pytest.approx(mean_difference(tmp_path / "before", output), rel=0.1)
    assert {row.model_digest for _, row in reader.read_rows(str(output)) if row.output} != set()
    (output / "manifest/canary.png").unlink()
    run(strong_tint, output, scans, "--canary=4", "--canary_max_drift=0")  # the same model as the last run's
    assert not (output / "manifest/canary.png").exists()


def test_canary_reports_the_share_of_uncoloured_pictures(gray_tint, earlier):
    scans, output = earlier
    with pytest.raises(errors.PhotochromError, match=r"0\.00 of their chroma, 100\.0% uncoloured"):
        run(gray_tint, output, scans, "--canary=4", "--canary_max_drift=1")


def test_canary_compares_no_missing_copies(strong_tint, earlier, capsys):
    scans, output = earlier
    shutil.rmtree(output / "images")
    run(strong_tint, output, scans, "--canary=4", "--canary_max_drift=0")
    assert "canary:" not in capsys.readouterr().out
