"""Histograms of colours over the ab bins, and the distance between two of them."""

import numpy as np
from scipy.spatial import distance

from photochrom.color import ab_bins

NAME = "ab_histogram"


def histogram(ab: np.ndarray) -> np.ndarray:
    """Returns [Q] int64: the number of pixels of [H, W, 2] CIE a*, b* nearest to each bin of ab_bins."""
    return np.bincount(ab_bins.nearest_to(ab).ravel(), minlength=len(ab_bins.centres()))


def difference(counts: np.ndarray, true_counts: np.ndarray) -> float:
    """Returns the Jensen-Shannon distance of two histograms: 0 for equal ones, 1 where they share no bin.

    The square root of the Jensen-Shannon divergence to base 2. It is a metric, finite where a bin is empty, and
    does not ask which of the two is the truth.

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37(1),
    1991; Endres, Schindelin, "A new metric for probability distributions", the same 49(7), 2003, for the root.
    """
    return float(distance.jensenshannon(counts, true_counts, base=2))
