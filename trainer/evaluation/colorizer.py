"""Predictions of a bundle's model for evaluation: by one view, or by its ensemble, with the time of both."""

import dataclasses
import time

import numpy as np

from photochrom.model import bundle, loaded
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
        """Returns the prediction for each of [B, H, W, 1] L*."""
        if not self._ensemble:
            return [Prediction(*answer) for answer in zip(*self._predict(lightness), strict=True)]
        if not self.seconds[0]:
            self._predict(lightness[:1])  # warm-up: the first call takes longer
        started = time.monotonic()
        single, _ = self._predict(lightness)
        between = time.monotonic()
        averaged = ensembles.average(self._predict, lightness)
        self.seconds[0] += between - started
        self.seconds[1] += time.monotonic() - between
        return [Prediction(*answer) for answer in zip(*averaged, single, strict=True)]
