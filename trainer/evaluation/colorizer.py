"""Predictions of a bundle's model for evaluation: by one view, or by its ensemble, with the time of both."""

import dataclasses
import time

import numpy as np

from photochrom.color import smoothing
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
        """Returns the prediction for each of [B, H, W, 1] L*, with margin and smoothing as in serving."""
        padded = _padded(lightness)
        if not self._ensemble:
            return list(map(_prediction, lightness, *self._predict(padded)))
        if not self.seconds[0]:
            self._predict(padded[:1])  # warm-up: the first call takes longer
        started = time.monotonic()
        single, _ = self._predict(padded)
        between = time.monotonic()
        averaged = ensembles.average(self._predict, padded)
        self.seconds[0] += between - started
        self.seconds[1] += time.monotonic() - between
        return list(map(_prediction, lightness, *averaged, single))


def _padded(lightness: np.ndarray) -> np.ndarray:
    shape = working_size.padded_shape(*lightness.shape[1:3])
    return np.stack([working_size.pad_by_reflection(one, shape) for one in lightness])


def _prediction(
    lightness: np.ndarray, ab: np.ndarray, confidence: np.ndarray, single: np.ndarray | None = None
) -> Prediction:
    """Returns the prediction from the model's outputs for a padded picture, finished as serving does."""
    size = lightness.shape[0], lightness.shape[1]
    stride = working_size.padded_shape(*size)[0] // ab.shape[0]

    def finished(ab: np.ndarray) -> np.ndarray:
        return smoothing.smooth(working_size.cut(ab, size, stride), lightness[..., 0])

    return Prediction(
        finished(ab), working_size.cut(confidence, size, stride), None if single is None else finished(single)
    )
