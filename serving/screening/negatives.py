"""Detects negatives by the arrangement of dark and light: a very small network in NumPy, and three statistics.

The histogram has almost no information: a logistic model on 59 statistics of histogram, gradients and local contrast
detected 6% of the negatives of colour photographs turned gray at 1% of false alarms. The weights in negatives.npz
(5,885 numbers, float16) were trained for this on photographs turned gray and their inversions, with random crops, tone
curves, blur and noise; docs/triage.md has the photographs and the results.
"""

import functools
import pathlib

import cv2
import numpy as np

from photochrom.color import cielab

_WEIGHTS = pathlib.Path(__file__).with_name("negatives.npz")
_SIDE = 48
# Rows and columns stepped over by the three convolutions.
_STRIDES = (2, 2, 1)
# Scales ranks to about the range of the standardized values, and bounds these in an even picture; as in training.
_RANK_SCALE = 1.7
_LEAST_DEVIATION = 4.0
# For the network's answer, mean, skewness and tails: logistic regression on 113 historic scans and 461 photographs,
# held out from the network's training, and their inversions; the mean of two halves' fits.
_COEFFICIENTS = (0.70, 0.66, -0.74, 0.57)
_TAIL_FLOOR = 0.05


def log_odds(gray: np.ndarray) -> float:
    """Returns the log odds, natural, that [H, W] uint8 gray is a negative.

    The network's answer for the picture, minus that for the inversion, prefers neither; a logistic model
    adds three statistics of L*.
    """
    thumbnail = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    values = _ranks_and_values(thumbnail)
    read = _score(-values) - _score(values)
    return float(np.dot(_COEFFICIENTS, (read, *_statistics(cielab.gray_to_lightness(thumbnail)))))


def _statistics(lightness: np.ndarray) -> tuple[float, float, float]:
    """Returns mean, skewness and the log ratio of the upper to the lower tail of [H, W] L*."""
    mean, deviation = float(lightness.mean()), float(lightness.std())
    standardized = (lightness - mean) / max(deviation, 2.0)
    skewness = float((standardized**3).mean())
    p2, p25, p75, p98 = np.percentile(standardized, (2, 25, 75, 98))
    tails = float(np.log((p98 - p75 + _TAIL_FLOOR) / (p25 - p2 + _TAIL_FLOOR)))
    return (mean - 50) / 25, float(np.clip(skewness, -5, 5)), tails


def _ranks_and_values(gray: np.ndarray) -> np.ndarray:
    """Returns [S, S, 2] float32: ranks of the values, which are invariant to tone curves, and standardized values."""
    counts = np.bincount(gray.ravel(), minlength=256)
    middle = np.cumsum(counts) - counts / 2
    ranks = ((middle / gray.size * 2 - 1) * _RANK_SCALE).astype(np.float32)
    deviation = max(float(gray.std()), _LEAST_DEVIATION)
    return np.stack([ranks[gray], (gray - gray.mean(dtype=np.float32)) / np.float32(deviation)], axis=2)


def _score(values: np.ndarray) -> float:
    weights = _weights()
    for layer, stride in enumerate(_STRIDES):
        values = np.maximum(_convolve(values, weights[2 * layer], stride) + weights[2 * layer + 1], 0)
    half = values.shape[0] // 2
    bands = np.concatenate([values[:half].mean(axis=(0, 1)), values[half:].mean(axis=(0, 1))])
    return (bands @ weights[-2] + weights[-1]).item()


def _convolve(values: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Correlates [H, W, C] with [k, k, C, D] without padding."""
    size = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(0, 1))[::stride, ::stride]
    return np.tensordot(windows, kernel.transpose(2, 0, 1, 3), axes=3)


@functools.lru_cache(maxsize=1)
def _weights() -> list[np.ndarray]:
    with np.load(_WEIGHTS, allow_pickle=False) as stored:
        return [stored[f"arr_{i}"].astype(np.float32) for i in range(len(stored.files))]
