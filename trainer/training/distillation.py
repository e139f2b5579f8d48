"""Distillation: a model learns the colours of other bundles beside, or in place of, the true ones."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from photochrom import errors
from photochrom.model import signature
from photochrom.model.bundle import Bundle
from photochrom.model.loaded import Model


class Teachers:
    """The bundles of --teacher; the mean of their colours is the target."""

    def __init__(self, bundles: Iterable[Bundle], weight: float, ab_stride: int):
        """Loads the bundles.

        Args:
            bundles: colorizers.
            weight: of their colours against the true ones, 0..1.
            ab_stride: of the dataset.

        Raises:
            UsageError: a bundle has another ab_stride, or no signature.
        """
        self._weight = weight
        self._models = [Model(_fitting(bundle, ab_stride)) for bundle in bundles]

    def teach(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Returns the batch with the colours to learn as its `ab` [B, h, w, 2]."""
        answers = [model.colours(batch[signature.LIGHTNESS]) for model in self._models]
        taught = tf.stop_gradient(tf.add_n(answers) / len(answers))
        return {**batch, signature.AB: (1 - self._weight) * batch[signature.AB] + self._weight * taught}


def _fitting(bundle: Bundle, ab_stride: int) -> Bundle:
    if bundle.ab_stride != ab_stride:
        raise errors.UsageError(
            f"--teacher {bundle.path} has ab_stride {bundle.ab_stride}, the dataset has {ab_stride}; prepare it with "
            f"--ab_stride={bundle.ab_stride}"
        )
    return bundle
