"""Relation of confidence and error: of the most confident photographs, and of the pixels at each confidence level."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from scipy import stats

from trainer.evaluation import metrics

# Shares of the photographs, the most confident ones first.
SHARES = tuple(step / 10 for step in range(1, 11))
BINS = 10


def tally(confidence: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Counts pixels and sums their errors by confidence.

    Args:
        confidence: [h, w] float32 in 0..1; resized bilinearly to the size of `error`.
        error: [H, W] CIEDE2000.

    Returns:
        [2, BINS]: number of pixels in each of BINS equal parts of 0..1, and the sum of their errors.
    """
    full = cv2.resize(confidence, error.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bins = np.clip(full.ravel() * BINS, 0, BINS - 1).astype(np.intp)
    return np.stack([np.bincount(bins, minlength=BINS), np.bincount(bins, error.ravel(), BINS)])


def summarize(confidence: Sequence[float], errors: Sequence[float], tallies: Sequence[np.ndarray]) -> dict[str, Any]:
    """Returns the content of `confidence` in summary.json.

    Args:
        confidence: mean confidence of each photograph.
        errors: mean CIEDE2000 of each.
        tallies: result of `tally` for each.
    """
    rows = keep_most_confident(confidence, errors)
    levels = calibrate(np.sum(tallies, axis=0))
    return {
        "mean": float(np.mean(confidence)),
        "rank_correlation": rank_correlation(confidence, errors),
        "most_confident": rows,
        "most_confident_80": next(row for row in rows if row["share"] == 0.8),
        "calibration": levels,
        "error_falls_with_confidence": bool(np.all(np.diff([level["ciede2000"] for level in levels]) <= 0)),
    }


def rank_correlation(confidence: Sequence[float], errors: Sequence[float]) -> float | None:
    """Returns Spearman's rank correlation, best -1; None if either is constant."""
    if np.ptp(confidence) == 0 or np.ptp(errors) == 0:
        return None
    return float(stats.spearmanr(confidence, errors).statistic)


def keep_most_confident(confidence: Sequence[float], errors: Sequence[float]) -> list[dict[str, float]]:
    """Returns the mean error of the most confident photographs for each of SHARES, and its difference from that of all.

    A share that ends within a photograph counts a part of it; equally confident photographs keep their order. `low`
    and `high` are the difference's 95% interval: each resample of the photographs is sorted and cut separately. `best`
    is the mean of the same share sorted by error, the lower bound for any confidence.
    """
    values = np.asarray(errors, np.float64)
    by_confidence = values[np.argsort(-np.asarray(confidence), kind="stable")]
    each_once = np.ones(len(values))
    # Any assignment of photographs to the columns of the resamples is valid.
    draws = metrics.resamples(len(values))
    rows = []
    for share in SHARES:
        mean = _mean_of_first(by_confidence, each_once, share)
        differences = [
            _mean_of_first(by_confidence, draw, share) - _mean_of_first(by_confidence, draw, 1) for draw in draws
        ]
        low, high = metrics.interval(differences)
        rows.append(
            {
                "share": share,
                "ciede2000": mean,
                "difference": mean - float(values.mean()),
                "low": low,
                "high": high,
                "best": _mean_of_first(np.sort(values), each_once, share),
            }
        )
    return rows


def _mean_of_first(values: np.ndarray, times: np.ndarray, share: float) -> float:
    """Returns the mean of the first `share` of a list in which each value is repeated `times`."""
    times = times.astype(np.float64)
    wanted = share * len(values)
    kept = np.clip(wanted - (np.cumsum(times) - times), 0, times)
    return float(kept @ values / wanted)


def calibrate(tallied: np.ndarray) -> list[dict[str, float]]:
    """Returns a row for each confidence level with pixels: its ends, share of pixels, and mean error."""
    counts, sums = tallied
    return [
        {
            "from": level / BINS,
            "to": (level + 1) / BINS,
            "share": float(counts[level] / counts.sum()),
            "ciede2000": float(sums[level] / counts[level]),
        }
        for level in np.flatnonzero(counts).tolist()
    ]
