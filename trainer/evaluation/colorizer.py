"""Predictions of a bundle's model for evaluation: by one view, or by its ensemble, with the time of both."""

import dataclasses
import time

import numpy as np

from photochrom.model import bundle, loaded, working_size
from photochrom.model import ensemble as ensembles


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A model's answer to one photograph.

    Attributes:
        ab: [h, w, 2] float32 CIE a*, b*.
        confidence: [h, w, 1] float32, 0..1.
        single: [h, w, 2] ab without the ensemble; None without an ensemble.
    """

    ab: np.ndarray
    confidence: np.ndarray
    single: np.ndarray | None = None


class Colorizer:
    """A bundle's model, or its ensemble.

    Attributes:
        seconds: the model's run time without an ensemble and with it.
    """

    def __init__(self, opened: bundle.Bundle, ensemble: bool):
        """Loads the model; with `ensemble` a prediction is the average over ensemble.py's views.

        Raises:
            UsageError: the SavedModel has no signature of the name that photochrom.model.signature states.
        """
        self._predict = loaded.Model(opened).predict_checked
        self._ensemble = ensemble
        self.seconds = [0.0, 0.0]

    def color(self, lightness: np.ndarray) -> list[Prediction]:
        """Returns the prediction for each of [B, H, W, 1] L*, which the model sees with a margin, as in serving."""
        size = lightness.shape[1:3]
        padded = _padded(lightness)
        if not self._ensemble:
            return [_prediction(size, *answer) for answer in zip(*self._predict(padded), strict=True)]
        if not self.seconds[0]:
            self._predict(padded[:1])  # warm-up: the first call takes longer
        started = time.monotonic()
        single, _ = self._predict(padded)
        between = time.monotonic()
        averaged = ensembles.average(self._predict, padded)
        self.seconds[0] += between - started
        self.seconds[1] += time.monotonic() - between
        return [_prediction(size, *answer) for answer in zip(*averaged, single, strict=True)]


def _padded(lightness: np.ndarray) -> np.ndarray:
    shape = working_size.padded_shape(*lightness.shape[1:3])
    return np.stack([working_size.pad_by_reflection(one, shape) for one in lightness])


def _prediction(size: tuple[int, int], *outputs: np.ndarray) -> Prediction:
    """Returns the prediction from the model's outputs for a padded picture of `size` px."""
    stride = working_size.padded_shape(*size)[0] // outputs[0].shape[0]
    return Prediction(*(working_size.cut(one, size, stride) for one in outputs))
