import numpy as np
import pytest

from photochrom.color import cielab, compose, difference, gamut
from trainer.evaluation import metrics, saturation
from trainer.evaluation.metrics import Picture


@pytest.fixture(scope="module")
def photograph(photographs):
    lab = cielab.rgb_to_lab(np.ascontiguousarray(photographs["coffee"][100:228, 100:228]))
    return np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:]), Picture.of(gamut.lab_to_rgb(lab))


def _row(sweep, factor):
    return dict(
        zip(("gain", "ciede2000", "chroma", "true_chroma"), sweep[saturation.FACTORS.index(factor)], strict=True)
    )


def test_model_with_half_chroma_is_best_doubled(photograph):
    lightness, ab, truth = photograph
    sweep = saturation.sweep(lightness, ab / 2, truth)
    assert saturation.FACTORS[int(sweep[:, 0].argmax())] == saturation.FACTORS[int(sweep[:, 1].argmin())] == 2
    assert _row(sweep, 2)["ciede2000"] < 0.5
    assert _row(sweep, 1)["chroma"] == pytest.approx(_row(sweep, 1)["true_chroma"] / 2, rel=0.02)


def test_factor_zero_is_gray(photograph):
    lightness, ab, truth = photograph
    row = _row(saturation.sweep(lightness, ab, truth), 0)
    gray = Picture.of(compose.compose(lightness, np.zeros_like(ab)))
    assert (row["gain"], row["chroma"]) == (0, pytest.approx(0, abs=1e-3))
    assert row["ciede2000"] == pytest.approx(difference.ciede2000(gray.lab, truth.lab).mean(), rel=0.02)


def test_factor_one_agrees_with_whole_picture(photograph):
    lightness, ab, truth = photograph
    model = Picture.of(compose.compose(lightness, ab * 0.6))
    gray = compose.compose(lightness, np.zeros_like(ab))
    row = _row(saturation.sweep(lightness, ab * np.float32(0.6), truth), 1)
    assert row["gain"] == pytest.approx(metrics.psnr(model.rgb, truth.rgb) - metrics.psnr(gray, truth.rgb), abs=0.1)
    assert row["ciede2000"] == pytest.approx(difference.ciede2000(model.lab, truth.lab).mean(), rel=0.02)


def test_summary_has_ratio_of_mean_chromas():
    sweeps = np.ones((2, len(saturation.FACTORS), 4))
    sweeps[:, :, 2] = [[6], [2]]  # chroma
    sweeps[:, :, 3] = [[6], [10]]  # of the truth
    rows = saturation.summarize(list(sweeps))
    assert [row["saturation"] for row in rows] == list(saturation.FACTORS)
    assert {row["chroma_ratio"] for row in rows} == {0.5}
