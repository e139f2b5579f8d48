"""Loads the SavedModel of a bundle and calls its signature. TensorFlow is imported only when a model is loaded."""

from typing import Any

import numpy as np

from photochrom import errors
from photochrom.model import ensemble, graph_check, signature
from photochrom.model.bundle import Bundle
from photochrom.storage import plain_path

# Confidence may exceed 0..1 by this much, through rounding.
_TOLERANCE = 1e-3


def load(folder: str, shown: str) -> Any:
    """Checks a SavedModel on this machine, and loads it.

    Args:
        folder: of the SavedModel.
        shown: its path for messages.

    Raises:
        UsageError: it is not accepted by photochrom.model.graph_check, or damaged.
    """
    import tensorflow as tf

    graph_check.check(folder, shown)
    try:
        with plain_path.plain(folder) as path:
            return tf.saved_model.load(path)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # of many classes, where a part of the file refers to another that is not there
        raise errors.UsageError(f"{shown} cannot be loaded: {_first_line(error)}; copy or export it again") from error


class Model:
    """A loaded SavedModel; several threads may call it."""

    def __init__(self, opened: Bundle):
        """Loads a colorizer or a network of features.

        Raises:
            UsageError: it is not accepted, or has no signature of the name that photochrom.model.signature states.
        """
        self._loaded = load(opened.saved_model, str(opened.path))  # kept: its signature refers weakly to its variables
        if signature.NAME not in getattr(self._loaded, "signatures", ()):
            raise errors.UsageError(f"{opened.path} has no signature {signature.NAME!r}; export the model again")

    def predict(self, lightness: np.ndarray) -> ensemble.Answers:
        """Returns a colorizer's [B, h, w, 2] float32 ab and [B, h, w, 1] confidence for [B, H, W, 1] float32 L*.

        Raises TensorFlow's own errors, for callers that distinguish them; the values are unchecked.
        """
        outputs = self._call(lightness)
        return outputs[signature.AB].numpy(), outputs[signature.CONFIDENCE].numpy()

    def predict_checked(self, lightness: np.ndarray) -> ensemble.Answers:
        """Returns the same as `predict`.

        Raises:
            PhotochromError: the model fails, or returns values that are not finite or a confidence outside 0..1.
        """
        import tensorflow as tf

        try:
            ab, confidence = self.predict(lightness)
        except (tf.errors.OpError, TypeError, KeyError) as error:
            raise errors.PhotochromError(f"the model failed: {errors.said(error)}") from error
        _check(ab, confidence)
        return ab, confidence

    def colours(self, lightness: Any) -> Any:
        """Returns a colorizer's ab for L*, tensors of the shapes of `predict`; may be part of a tf.function."""
        return self._loaded.signatures[signature.NAME](**{signature.LIGHTNESS: lightness})[signature.AB]

    def features(self, lightness: np.ndarray) -> list[np.ndarray]:
        """Returns a feature network's maps [B, h, w, C] for [B, H, W, 1] float32 L*, fine to coarse."""
        outputs = self._call(lightness)
        return [outputs[signature.MAP.format(i)].numpy() for i in range(len(outputs))]

    def _call(self, lightness: np.ndarray) -> dict[str, Any]:
        import tensorflow as tf

        return self._loaded.signatures[signature.NAME](**{signature.LIGHTNESS: tf.constant(lightness)})


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


def _check(ab: np.ndarray, confidence: np.ndarray) -> None:
    if not np.isfinite(ab).all():
        raise errors.PhotochromError("the model returned ab values that are not finite")
    if not (np.abs(confidence - 0.5) <= 0.5 + _TOLERANCE).all():
        raise errors.PhotochromError(
            f"the model returned confidence from {confidence.min()} to {confidence.max()}, expected 0 to 1"
        )
