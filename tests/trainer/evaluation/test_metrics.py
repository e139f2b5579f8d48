import numpy as np
import pytest

from photochrom.color import cielab, difference
from trainer.evaluation import metrics
from trainer.evaluation.metrics import Picture

# Sharma, Wu, Dalal 2005, table 1: pair, two L*a*b* colours, CIEDE2000. The pairs test the arctangent, the mean
# hue, the rotation term and large differences.
SHARMA = [
    (1, (50.0000, 2.6772, -79.7751), (50.0000, 0.0000, -82.7485), 2.0425),
    (4, (50.0000, -1.3802, -84.2814), (50.0000, 0.0000, -82.7485), 1.0000),
    (7, (50.0000, 0.0000, 0.0000), (50.0000, -1.0000, 2.0000), 2.3669),
    (9, (50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0009), 7.1792),
    (11, (50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0011), 7.2195),
    (17, (50.0000, 2.5000, 0.0000), (73.0000, 25.0000, -18.0000), 27.1492),
    (20, (50.0000, 2.5000, 0.0000), (58.0000, 24.0000, 15.0000), 19.4535),
    (25, (60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    (34, (2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("_pair", "lab", "other", "expected"), SHARMA)
def test_ciede2000_of_published_pairs(_pair, lab, other, expected):
    found = difference.ciede2000(np.array([[lab]]), np.array([[other]]))
    assert found == pytest.approx(expected, abs=5e-5)


def test_auc_by_hand():
    # Errors 0, 5 (3-4-5), 75 and 200: 1, 1 - 5/150, 1/2 and 0.
    truth = np.zeros((1, 4, 2))
    ab = np.array([[[0, 0], [3, -4], [0, 75], [-200, 0]]])
    assert metrics.auc(ab, truth) == pytest.approx((1 + 145 / 150 + 0.5 + 0) / 4)
    assert metrics.auc(ab, truth, np.array([[0, 3, 1, 0]])) == pytest.approx((3 * 145 / 150 + 0.5) / 4)


def test_auc_agrees_with_counting_at_thresholds(photographs):
    truth = Picture.of(photographs["coffee"][:64, :64]).ab
    distance = np.linalg.norm(truth, axis=-1)  # of gray
    shares = [(distance <= threshold).mean() for threshold in range(151)]
    assert metrics.auc(np.zeros_like(truth), truth) == pytest.approx(np.trapezoid(shares) / 150, abs=0.003)


def test_auc_is_rebalanced_with_weights(photographs):
    truth = photographs["coffee"][:64, :64]
    gray = np.repeat(truth[:, :, 1:2], 3, axis=2)
    chroma = np.linalg.norm(Picture.of(truth).ab, axis=-1)
    scores = _compare(gray, truth, chroma)
    assert scores["auc_rebalanced"] < scores["auc"] - 0.002  # more colourful pixels have larger weights
    assert "auc_rebalanced" not in _compare(gray, truth)


def _compare(rgb, truth, weights=None):
    return metrics.compare(Picture.of(rgb), Picture.of(truth), weights)


def _flat(*rgb: int) -> np.ndarray:
    return np.full((16, 16, 3), rgb, np.uint8)


@pytest.mark.parametrize(
    ("rgb", "truth", "decibels"),
    [
        (_flat(10, 20, 30), _flat(11, 21, 31), 48.1308),  # error 1: 20 log10(255)
        (_flat(0, 0, 0), _flat(255, 255, 255), 0.0),
        (_flat(100, 100, 100), _flat(100, 100, 112), 31.3184),  # error 144 / 3
        (_flat(7, 8, 9), _flat(7, 8, 9), 58.9226),  # equal: error 1/12
    ],
)
def test_psnr_by_hand(rgb, truth, decibels):
    assert metrics.psnr(rgb, truth) == pytest.approx(decibels, abs=1e-4)


def test_ssim_by_hand():
    # Flat pictures have no variance: (2 x y + C1) / (x^2 + y^2 + C1) with C1 = (0.01 * 255)^2 = 6.5025.
    expected = (2 * 100 * 150 + 6.5025) / (100**2 + 150**2 + 6.5025)
    assert metrics.ssim(_flat(100, 100, 100), _flat(150, 150, 150)) == pytest.approx(expected, abs=1e-6)


def test_picture_equals_itself(photographs):
    truth = photographs["chelsea"][:64, :64]
    scores = _compare(truth, truth, np.ones((64, 64)))
    assert list(scores) == list(metrics.METRICS)
    assert (scores["ssim"], scores["ciede2000"], scores["colorfulness_difference"]) == (1, 0, 0)
    assert (scores["chroma_ratio"], scores["auc"], scores["auc_rebalanced"]) == (1, 1, 1)


def test_gray_has_no_colour(photographs):
    truth = photographs["coffee"][:64, :64]
    gray = np.repeat(truth[:, :, 1:2], 3, axis=2)
    scores = _compare(gray, truth)
    assert scores["colorfulness"] == pytest.approx(0, abs=1e-4)
    assert scores["chroma_ratio"] == pytest.approx(0, abs=1e-3)
    assert scores["colorfulness_difference"] < -5


def test_colorfulness_by_hand():
    # Half red, half green: rg = 255 and -255, yb = 127.5. sigma 255 and 0, mean 0 and 127.5.
    rgb = np.concatenate([_flat(255, 0, 0), _flat(0, 255, 0)])
    assert _compare(rgb, rgb)["colorfulness"] == pytest.approx(255 + 0.3 * 127.5, abs=1e-3)


def test_chroma_ratio_of_a_gray_truth_is_finite():
    red, gray = _flat(200, 0, 0), _flat(90, 90, 90)
    chroma = difference.mean_chroma(cielab.rgb_to_lab(red))
    assert _compare(red, gray)["chroma_ratio"] == pytest.approx(chroma / 0.1)


def test_interval_is_that_of_the_mean():
    values = np.random.default_rng(1).normal(10, 2, 400)
    found = metrics.mean_with_interval(values)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * 2 / np.sqrt(400), rel=0.15)
    assert found == metrics.mean_with_interval(values)


def test_interval_of_one_photograph_is_its_value():
    assert metrics.mean_with_interval([3.5]) == {"mean": 3.5, "low": 3.5, "high": 3.5}


def test_ratio_weighted_by_denominator_is_ratio_of_sums():
    found = metrics.mean_with_interval([5 / 10, 3 / 1], weights=[10, 1])
    assert found["mean"] == pytest.approx(8 / 11)
    assert (found["low"], found["high"]) == pytest.approx((0.5, 3.0))
