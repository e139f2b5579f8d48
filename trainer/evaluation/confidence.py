"""Whether the model's confidence means something: the error of what it is sure of, and of each level of confidence."""

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
    """Sums up pixels by confidence.

    Args:
        confidence: [h, w] float32 in 0..1, brought to the size of `error` bilinearly.
        error: [H, W] CIEDE2000.

    Returns:
        [2, BINS]: how many pixels lie in each of BINS equal parts of 0..1, and the sum of their errors.
    """
    full = cv2.resize(confidence, error.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bins = np.clip(full.ravel() * BINS, 0, BINS - 1).astype(np.intp)
    return np.stack([np.bincount(bins, minlength=BINS), np.bincount(bins, error.ravel(), BINS)])


def summarize(confidence: Sequence[float], errors: Sequence[float], tallies: Sequence[np.ndarray]) -> dict[str, Any]:
    """Returns what the report says of confidence.

    Args:
        confidence: the mean of each photograph.
        errors: its mean CIEDE2000.
        tallies: what `tally` returned for it.
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
    """Returns Spearman's rank correlation, best -1; None where either does not vary."""
    if np.ptp(confidence) == 0 or np.ptp(errors) == 0:
        return None
    return float(stats.spearmanr(confidence, errors).statistic)


def keep_most_confident(confidence: Sequence[float], errors: Sequence[float]) -> list[dict[str, float]]:
    """Returns for each of SHARES the mean error of the most confident photographs, and how it differs from that of all.

    Where a share ends within a photograph, a part of it counts; equally confident ones keep their order. `low` and
    `high` are the difference's 95% interval: each resample of the photographs is sorted and cut anew. `best` is the
    mean of the same share sorted by error: no confidence can do better.
    """
    values = np.asarray(errors, np.float64)
    by_confidence = values[np.argsort(-np.asarray(confidence), kind="stable")]
    everyone = np.ones(len(values))
    # Which photograph a column of the resamples stands for does not matter.
    draws = metrics.resamples(len(values))
    rows = []
    for share in SHARES:
        mean = _mean_of_first(by_confidence, everyone, share)
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
                "best": _mean_of_first(np.sort(values), everyone, share),
            }
        )
    return rows


def _mean_of_first(values: np.ndarray, times: np.ndarray, share: float) -> float:
    """Returns the mean of the first `share` of a list in which each value stands `times` over."""
    times = times.astype(np.float64)
    wanted = share * len(values)
    kept = np.clip(wanted - (np.cumsum(times) - times), 0, times)
    return float(kept @ values / wanted)


def calibrate(tallied: np.ndarray) -> list[dict[str, float]]:
    """Returns a row for each level of confidence that has pixels: its ends, its share of them, their mean error."""
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
