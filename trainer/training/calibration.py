"""Calibration on the validation split: of the colours, and of the error to expect of an uncertainty; its result."""

import collections
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom.model import signature
from trainer.evaluation.metrics import LEAST_CHROMA
from trainer.model import heads
from trainer.model.calibrated import Calibration
from trainer.training import losses

Predict = Callable[[tf.Tensor], dict[str, tf.Tensor]]
# px: one pixel in so many along each axis is used, because neighbours are alike.
_STRIDE = 4
# The largest subsets are reported, at most this many, by at most so many characters of their names.
_MOST_SUBSETS, _SUBSET_NAME = 50, 100
_MEASURES = (losses.CALIBRATED_GAIN, "chroma", "true_chroma")


def set_saturation(
    model: keras.Model,
    chroma_ratio: float,
    evaluate: Callable[[], dict[str, float]],
    correction: Calibration | None = None,
) -> None:
    """Sets the factor on ab so that mean chroma becomes `chroma_ratio` of the truth's; 1 for a ratio of 0.

    Args:
        model: of trainer.model.build.build_model.
        chroma_ratio: wanted mean chroma over that of the truth.
        evaluate: returns the model's `chroma` and `true_chroma`.
        correction: of the model's colours, which has the factor in place of the model.
    """
    factor = correction.strength if correction else model.get_layer(heads.SATURATION).factor
    factor.assign(1.0)
    measures = evaluate()
    if chroma_ratio and measures["chroma"]:
        factor.assign(chroma_ratio * measures["true_chroma"] / measures["chroma"])


def fit_correction(model: keras.Model, correction: Calibration, batches: Iterable[dict[str, Any]]) -> None:
    """Fits the linear part of a correction to the colours of a model without strength."""
    own = tf.function(lambda lightness: model(lightness, training=False)[signature.AB])
    correction.fit((own(batch[signature.LIGHTNESS]), batch[signature.AB]) for batch in batches)


def fit_error_scale(model: keras.Model, predict: Predict, batches: Iterable[dict[str, Any]]) -> float:
    """Fits the line from uncertainty to error; returns the mean deviation of the errors from it, ab units."""
    pairs = [_uncertainty_and_error(batch, predict(batch[signature.LIGHTNESS])) for batch in batches]
    uncertainty, error = np.concatenate(pairs, axis=1)
    scale = model.get_layer(heads.ERROR_SCALE)
    scale.fit(uncertainty, error)
    return float(np.abs(scale(uncertainty) - error).mean())


def _uncertainty_and_error(batch: dict[str, Any], outputs: dict[str, Any]) -> np.ndarray:
    """Returns [2, n]: uncertainty, and distance from the truth in ab units, of every _STRIDE-th pixel on each axis."""
    distance = np.linalg.norm(outputs[signature.AB] - batch[signature.AB], axis=-1)
    pair = np.stack([outputs[heads.UNCERTAINTY][..., 0], distance])
    return pair[..., ::_STRIDE, ::_STRIDE].reshape(2, -1)


def measure_subsets(
    names: Iterable[str], batches: Iterable[dict[str, Any]], predict: Predict
) -> dict[str, dict[str, float]]:
    """Returns the figures of each subset, the largest first.

    Args:
        names: the subset of each photograph, in the order of the batches.
        batches: of the validation split.
        predict: returns the calibrated model's outputs for L*.

    Returns:
        By name of the subset: `photographs`, their number; `gain`, the mean PSNR of ab above gray's, dB;
        `chroma_ratio` of the means of chroma; `median_chroma_ratio` of the photographs.
    """
    observed = (losses.observe(batch, predict(batch[signature.LIGHTNESS])) for batch in batches)
    rows = np.concatenate([np.stack([one[name] for name in _MEASURES], axis=1) for one in observed])
    groups = collections.defaultdict(list)
    for name, row in zip(names, rows, strict=True):
        groups[name[:_SUBSET_NAME]].append(row)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: _figures(np.array(found, np.float64)) for name, found in ordered[:_MOST_SUBSETS]}


def _figures(rows: np.ndarray) -> dict[str, float]:
    gain, chroma, true_chroma = rows.T
    return {
        "photographs": len(rows),
        "gain": float(gain.mean()),
        "chroma_ratio": float(chroma.mean() / max(true_chroma.mean(), LEAST_CHROMA)),
        "median_chroma_ratio": float(np.median(chroma / np.maximum(true_chroma, LEAST_CHROMA))),
    }
