"""Whole comparisons of two tiny models: the summary, the printed text and the files."""

import re

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.model import bundle
from tests.support.evaluation import evaluate
from trainer.evaluate import OUTPUTS

# One worker makes the evaluations that several tests need.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("evaluated")]


@pytest.fixture(scope="module")
def compared(timid, learned, dataset, tmp_path_factory):
    """The comparison of a model with half of the true chroma, A, and one with the true colours, B."""
    folder = tmp_path_factory.mktemp("compared") / "out"
    return evaluate([timid, learned], dataset, folder, "--sheet_rows=1", r"--subsets=^\w+/(\d)/")


def test_better_model_wins_on_every_photograph(compared):
    comparison = compared.summary["comparison"]
    for found in (comparison, *comparison["subsets"].values()):
        assert found["differences"]["psnr_gain"]["low"] > 3
        assert found["differences"]["ciede2000"]["high"] < -3
        assert found["differences"]["chroma_ratio"]["value"] == pytest.approx(0.5, abs=0.05)
        assert {metric: shares["B"]["value"] for metric, shares in found["better"].items()}["ciede2000"] == 1
        assert found["better"]["psnr"]["A"]["value"] == 0
    assert {name: one["photographs"] for name, one in comparison["subsets"].items()} == {"0": 2, "1": 2}
    assert re.search(r"^CIEDE2000 .* -\d+\.\d+ ±\d\.\d+$", compared.printed, re.MULTILINE)
    assert re.search(r"^B is better, PSNR +100\.0% ±0\.0% ", compared.printed, re.MULTILINE)


def test_each_model_has_its_own_evaluation(compared, evaluated, timid, learned):
    models = compared.summary["models"]
    assert [models[label]["digest"] for label in "AB"] == [timid.digest, learned.digest]
    for part in ("methods", "figures", "distributions", "saturation", "confidence"):
        assert models["B"][part] == evaluated.summary[part]
    alone = [row for row in evaluated.rows() if row["method"] == "model"]
    rows = [{**row, "method": "model"} for row in compared.rows() if row["method"] == "B"]
    assert [{name: row[name] for name in alone[0]} for row in rows] == alone


def test_sheet_has_gray_both_models_and_truth(compared):
    assert {file.name for file in compared.folder.iterdir()} == {*OUTPUTS} - {"a_better.png", "best.png", "worst.png"}
    sheet = np.asarray(Image.open(compared.folder / "b_better.png")).astype(int)
    gray, timid, learned, truth = (sheet[40:220, left : left + 180] for left in (10, 206, 402, 598))
    assert np.ptp(gray, axis=2).max() <= 2
    assert np.abs(learned - truth).mean() < 5 < np.abs(timid - truth).mean() < np.abs(gray - truth).mean()


def test_bundle_equals_itself_exactly(half_right, dataset, tmp_path):
    found = evaluate([half_right, half_right], dataset, tmp_path / "out", r"--subsets=^\w+/(\d)/")
    comparison = found.summary["comparison"]
    for one in (comparison, *comparison["subsets"].values()):
        assert {number for figure in one["differences"].values() if figure for number in figure.values()} == {0}
        assert {share["value"] for shares in one["better"].values() for share in shares.values()} == {0}
    assert found.page.count("<p>None.</p>") == 2


def test_earlier_sheets_of_other_kind_are_removed(timid, learned, dataset, tmp_path):
    evaluate([timid, learned], dataset, tmp_path / "out", "--limit=1")
    evaluate(learned, dataset, tmp_path / "out", "--limit=1")
    assert not {"a_better.png", "b_better.png"} & {file.name for file in (tmp_path / "out").iterdir()}


def test_models_of_other_sizes_need_a_size(learned, photo_folder, tmp_path):
    copy = tmp_path / "larger"
    (copy / "saved_model").parent.mkdir()
    (copy / "saved_model").symlink_to(learned.path / "saved_model")
    larger = bundle.seal(copy, {**learned.info, "image_size": 96})
    with pytest.raises(errors.UsageError, match=r"different sizes: .* at 64 px, .*larger at 96 px; give one by --"):
        evaluate([learned, larger], photo_folder, tmp_path / "out")
    assert evaluate([learned, larger], photo_folder, tmp_path / "out", "--limit=1", "--image_size=64").summary["models"]
