"""Distillation: a model learns the colours of other bundles beside, or in place of, the true ones."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from photochrom.model import signature
from photochrom.model.bundle import Bundle
from photochrom.model.loaded import Model
from trainer.data.stream import LABELLED


class Teachers:
    """The bundles of --teacher; the mean of their colours is the target."""

    def __init__(self, bundles: Iterable[Bundle], weight: float):
        """Loads the bundles.

        Args:
            bundles: colorizers with the ab_stride of the dataset.
            weight: of their colours against the true ones, 0..1.

        Raises:
            UsageError: a bundle has no signature, or is refused as photochrom.model.loaded states.
        """
        self._weight = weight
        self._models = list(map(Model, bundles))

    def teach(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Returns the batch with the colours to learn as its `ab` [B, h, w, 2]: the bundles' alone where unlabelled."""
        answers = [model.colours(batch[signature.LIGHTNESS]) for model in self._models]
        taught = tf.stop_gradient(tf.add_n(answers) / len(answers))
        own = (1 - self._weight) * batch.get(LABELLED, 1.0)
        return {**batch, signature.AB: own * batch[signature.AB] + (1 - own) * taught}
