import numpy as np
import pytest

from photochrom.color import ab_bins, cielab
from trainer.evaluation import ab_histogram


def test_histogram_counts_each_pixel_once_in_its_bin(photographs):
    ab = cielab.rgb_to_lab(photographs["rocket"][:100, :100])[..., 1:]
    counts = ab_histogram.histogram(ab)
    assert (counts.shape, counts.sum()) == ((261,), 10_000)
    near_gray = np.flatnonzero((ab_bins.centres() == 0).all(axis=1))[0]
    assert counts[near_gray] == (np.abs(ab) < 5).all(axis=-1).sum()


@pytest.mark.parametrize(
    ("counts", "true_counts", "expected"),
    [
        ([2, 4, 6], [1, 2, 3], 0),  # the same shares
        ([5, 0], [0, 3], 1),  # nothing in common: one bit
        # p = (1/2, 1/2), q = (1, 0), their mean m = (3/4, 1/4): root of 1/2 KL(p, m) + 1/2 KL(q, m).
        ([1, 1], [1, 0], np.sqrt((0.5 * np.log2(2 / 3) + 0.5 * np.log2(2)) / 2 + np.log2(4 / 3) / 2)),
    ],
)
def test_difference_by_hand(counts, true_counts, expected):
    assert ab_histogram.difference(np.array(counts), np.array(true_counts)) == pytest.approx(expected, abs=1e-9)
    assert ab_histogram.difference(np.array(true_counts), np.array(counts)) == pytest.approx(expected, abs=1e-9)
