import numpy as np
import pytest

from trainer.evaluation import confidence


def test_perfect_confidence_keeps_best_photographs():
    errors = np.arange(1.0, 11)
    found = confidence.summarize(1 / errors, errors, [confidence.tally(np.ones((2, 2), np.float32), np.ones((2, 2)))])
    assert found["rank_correlation"] == pytest.approx(-1)
    for row in found["most_confident"]:
        assert row["ciede2000"] == pytest.approx(errors[: round(10 * row["share"])].mean()) == row["best"]
    kept = found["most_confident_80"]
    assert (kept["share"], kept["ciede2000"], kept["difference"]) == (0.8, 4.5, -1)
    assert kept["low"] < -1 < kept["high"] < 0


def test_reversed_confidence_raises_error():
    errors = np.arange(1.0, 11)
    kept = confidence.summarize(errors / 10, errors, [np.ones((2, 10))])["most_confident_80"]
    assert kept["difference"] == pytest.approx(1)
    assert kept["best"] == pytest.approx(4.5)


def test_share_may_end_within_a_photograph():
    rows = confidence.keep_most_confident([0.9, 0.5, 0.1], [1, 2, 6])
    half = next(row for row in rows if row["share"] == 0.5)
    assert half["ciede2000"] == pytest.approx((1 + 0.5 * 2) / 1.5)


def test_equal_confidence_has_no_correlation():
    found = confidence.summarize([0.5] * 4, [1, 2, 3, 4], [np.ones((2, 10))])
    assert found["rank_correlation"] is None
    assert found["mean"] == 0.5


def test_tally_sums_errors_by_confidence():
    sure = np.array([[0.0, 0.05], [0.95, 1.0]], np.float32)
    tallied = confidence.tally(sure, np.array([[4.0, 2.0], [1.0, 0.5]]))
    assert tallied[:, 0].tolist() == [2, 6]
    assert tallied[:, 9].tolist() == [2, 1.5]
    assert tallied[:, 1:9].sum() == 0


def test_tally_resizes_confidence_to_error():
    assert confidence.tally(np.full((3, 2), 0.31, np.float32), np.ones((12, 8)))[0].tolist() == [0, 0, 0, 96] + [0] * 6


def test_calibration_leaves_out_levels_without_pixels():
    tallied = np.zeros((2, 10))
    tallied[:, 2], tallied[:, 7] = (30, 300), (10, 20)
    assert confidence.calibrate(tallied) == [
        {"from": 0.2, "to": 0.3, "share": 0.75, "ciede2000": 10},
        {"from": 0.7, "to": 0.8, "share": 0.25, "ciede2000": 2},
    ]
    assert confidence.summarize([0.5, 0.6], [2, 1], [tallied])["error_falls_with_confidence"]
    assert not confidence.summarize([0.5, 0.6], [2, 1], [tallied * [[1], [-1]]])["error_falls_with_confidence"]
