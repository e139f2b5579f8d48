"""Figures of results that are made up by hand, with known answers."""

import numpy as np
import pytest
from scipy import stats

from tests.support.photograph_results import make_result
from trainer.evaluation import figures, lpips, saturation


def _values(photographs):
    return {name: estimate and estimate["value"] for name, estimate in figures.measure(photographs).items()}


def test_shares_count_photographs_worse_than_each_baseline():
    # PSNR and CIEDE2000 of the model, gray and one colour.
    photographs = [
        make_result("worse than gray", error=[9, 8, 9.5], psnr=[19, 20, 18]),
        make_result("worse than one colour", error=[7, 8, 6], psnr=[21, 20, 22]),
        make_result("worse in CIEDE2000 alone", error=[9, 8, 9], psnr=[22, 20, 20]),
        make_result("equal", error=8, psnr=[20, 20, 20]),
    ]
    found = _values(photographs)
    assert found["below_gray_psnr"] == 1 / 4
    assert found["above_gray_ciede2000"] == 2 / 4
    assert found["below_mean_colour_psnr"] == 1 / 4
    assert found["above_mean_colour_ciede2000"] == 1 / 4


def test_means_and_ratios_have_known_values():
    photographs = [
        make_result("a", error=[6, 10, 9], psnr=[22, 20, 20], chroma_ratio=0.5, true_chroma=30),
        make_result("b", error=[9, 10, 9], psnr=[21, 20, 20], chroma_ratio=0.9, true_chroma=10),
        make_result("c", error=[3, 4, 9], psnr=[20, 20, 20], chroma_ratio=9.0, true_chroma=0.1),
    ]
    found = _values(photographs)
    assert found["psnr_gain"] == pytest.approx(1)
    assert found["ciede2000"] == 6
    assert found["ciede2000_over_gray"] == pytest.approx(18 / 24)
    assert found["median_chroma_ratio"] == 0.9
    assert found["chroma_ratio"] == pytest.approx((15 + 9 + 0.9) / 40.1)


def test_best_gain_is_at_one_factor_for_all():
    # Each photograph has its own best factor; the largest of the means is at the third.
    sweeps = np.zeros((2, len(saturation.FACTORS), 4))
    sweeps[0, [1, 2], 0] = 5, 4
    sweeps[1, [3, 2], 0] = 3, 2
    found = _values([make_result(str(place), sweep=sweep) for place, sweep in enumerate(sweeps)])
    assert found["best_psnr_gain"] == 3


def test_confidence_is_correlated_by_ranks_with_ties():
    random = np.random.default_rng(3)
    errors, sure = random.integers(1, 9, 40).astype(float), random.integers(0, 5, 40) / 5
    photographs = [make_result(str(i), error=errors[i], confidence=sure[i]) for i in range(40)]
    estimate = figures.measure(photographs)["confidence_correlation"]
    assert estimate["value"] == pytest.approx(stats.spearmanr(sure, errors).statistic)
    assert -1 <= estimate["low"] < estimate["value"] < estimate["high"] <= 1


@pytest.mark.parametrize(("errors", "sure"), [([1.0], [0.5]), ([1.0, 2.0], [0.5, 0.5]), ([2.0, 2.0], [0.1, 0.9])])
def test_constant_values_have_no_correlation(errors, sure):
    photographs = [
        make_result(str(i), error=e, confidence=c) for i, (e, c) in enumerate(zip(errors, sure, strict=True))
    ]
    assert figures.measure(photographs)["confidence_correlation"] is None


def test_resamples_without_correlation_do_not_count():
    # A resample of two photographs draws one of them twice in half of the cases.
    photographs = [make_result("a", error=1.0, confidence=0.9), make_result("b", error=2.0, confidence=0.1)]
    assert figures.measure(photographs)["confidence_correlation"] == {"value": -1, "low": -1, "high": -1}


def test_lpips_is_a_figure_where_measured():
    assert lpips.NAME not in _values([make_result("a")])
    assert _values([make_result("a", distance=0.25), make_result("b", distance=0.75)])[lpips.NAME] == 0.5


def test_model_differs_from_itself_by_exactly_nothing():
    photographs = [make_result(str(i), error=1 / (3 + i), psnr=[20 + 1 / (1 + i), 20, 20]) for i in range(7)]
    assert set(map(tuple, map(dict.values, figures.compare(photographs, photographs).values()))) == {(0, 0, 0)}


def test_difference_is_second_minus_first_and_paired():
    random = np.random.default_rng(0)
    errors = random.uniform(2, 20, 50)
    first, second = ([make_result(str(i), error=[e + shift, 9, 9]) for i, e in enumerate(errors)] for shift in (0, 0.5))
    alone, paired = figures.measure(second)["ciede2000"], figures.compare(first, second)["ciede2000"]
    assert alone["high"] - alone["low"] > 1
    assert [paired[name] for name in ("value", "low", "high")] == pytest.approx([0.5] * 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1.234,), "1.23"),
        ((1.2345, False, 3, True), "+1.234"),
        ((-0.001, False, 2, True), "0.00"),
        ((0.3125, True), "31%"),
        ((-0.0521, True, 3, True), "-5.2%"),
    ],
)
def test_figure_as_text(arguments, text):
    assert figures.as_text(*arguments) == text
