"""Calibration on the validation split: the strength of the colours, and the error to expect of an uncertainty."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom.model import signature
from trainer.model import heads

Predict = Callable[[tf.Tensor], dict[str, tf.Tensor]]
# px: one pixel in so many along each axis is used, because neighbours are alike.
_STRIDE = 4


def set_saturation(model: keras.Model, chroma_ratio: float, evaluate: Callable[[], dict[str, float]]) -> None:
    """Sets the factor on ab so that mean chroma becomes `chroma_ratio` of the truth's; 1 for a ratio of 0.

    Args:
        model: of trainer.model.build.build_model.
        chroma_ratio: wanted mean chroma over that of the truth.
        evaluate: returns the model's `chroma` and `true_chroma`.
    """
    saturation = model.get_layer(heads.SATURATION).factor
    saturation.assign(1.0)
    measures = evaluate()
    if chroma_ratio and measures["chroma"]:
        saturation.assign(chroma_ratio * measures["true_chroma"] / measures["chroma"])


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
