"""Calibrated colours: a correction of the network's ab, as part of the served graph."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from photochrom.model import signature

# Sum of squares, ab units: colours that vary less determine no slope.
_LEAST_SQUARES = 1e-6
# ab units: the chroma that an exponent leaves unchanged, a typical one, and the least that it strengthens further.
_TYPICAL_CHROMA, _LEAST_CHROMA = 16.0, 1.0


class Calibration(tf.Module):
    """ab -> linear -> strength * chroma ** exponent, for pictures of ab [B, h, w, 2]; identity until it is set.

    `linear` is mean * m + differences * (ab - m) + offset, where m is the picture's mean ab: it pulls the colours
    towards their mean where `differences` is below `mean`. The exponent changes chroma alone, not hue: below 1 it
    weakens strong colours and strengthens weak ones.

    A module beside the network, not a layer in it: bundles with and without it have the same network, so a run may
    start from either.

    Attributes:
        mean, differences: factors on the picture's mean and on a pixel's difference from it.
        offset: [2] ab units.
        exponent: above 0.
        strength: factor on the result.
    """

    def __init__(self, exponent: float = 1.0) -> None:
        super().__init__()
        self.mean, self.differences, self.strength, self.exponent = (
            tf.Variable(value, trainable=False, name=name)
            for name, value in (("mean", 1.0), ("differences", 1.0), ("strength", 1.0), ("exponent", exponent))
        )
        self.offset = tf.Variable([0.0, 0.0], trainable=False, name="offset")

    def __call__(self, ab: Any) -> Any:
        """Returns the calibrated colours, in the shape and unit of the argument."""
        mean = tf.reduce_mean(ab, axis=(1, 2), keepdims=True)
        ab = self.mean * mean + self.differences * (ab - mean) + self.offset
        chroma = tf.sqrt(tf.maximum(tf.reduce_sum(ab**2, -1, keepdims=True), _LEAST_CHROMA**2))
        return self.strength * ab * (chroma / _TYPICAL_CHROMA) ** (self.exponent - 1)

    def fit(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Sets `mean`, `differences` and `offset` to the least-squares estimate of the truth, before the exponent.

        Within a picture, differences from the mean are orthogonal to the mean and to the offset, so the estimate is
        two regressions: of the true differences, and of the true means with an intercept for each axis.

        Args:
            pairs: the network's and the true ab of batches of pictures of one size, each [B, h, w, 2].
        """
        products, means = zip(*(_moments(*map(np.asarray, pair)) for pair in pairs), strict=True)
        predicted, truth = np.concatenate(means, axis=1)
        centre, true_centre = predicted.mean(axis=0), truth.mean(axis=0)
        slope = _slope(_products(predicted - centre, truth - true_centre))
        self.mean.assign(slope)
        self.differences.assign(_slope(np.sum(products, axis=0)))
        self.offset.assign(true_centre - slope * centre)

    def describe(self) -> dict[str, float]:
        """Returns its numbers, for model.json."""
        names = ("mean", "differences", "strength", "exponent")
        a, b = self.offset.numpy().tolist()
        return {**{name: float(getattr(self, name).numpy()) for name in names}, "offset_a": a, "offset_b": b}


def predict(model: keras.Model, calibration: Calibration | None, lightness: Any) -> dict[str, Any]:
    """Returns the outputs of a colorizer at inference for [B, H, W, 1] L*, with calibrated colours."""
    outputs = model(lightness, training=False)
    return {**outputs, signature.AB: calibration(outputs[signature.AB])} if calibration else outputs


def _moments(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the [2] products of the differences from the means, and the [2, B, 2] means of prediction and truth."""
    means = np.stack([one.mean(axis=(1, 2), dtype=np.float64) for one in (predicted, truth)])
    differences = (one - mean[:, None, None] for one, mean in zip((predicted, truth), means, strict=True))
    return _products(*differences), means


def _products(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns [2]: the sum of the products of prediction and truth, and that of the prediction's squares."""
    return np.array([np.sum(predicted * truth), np.sum(np.square(predicted))])


def _slope(products: np.ndarray) -> float:
    """Returns the slope of the truth over the prediction, never below 0; 1 for a constant prediction."""
    product, square = products
    return max(float(product / square), 0.0) if square > _LEAST_SQUARES else 1.0
