"""The steps of trainer.evaluate's protocol: the model and the baselines colour each photograph, the metrics judge."""

import concurrent.futures
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from photochrom import bundle, color, compose, errors, signature
from trainer import metrics
from trainer.examples import Example, Examples

MODEL, GRAY, MEAN_COLOUR = METHODS = ("model", "gray", "mean_colour")
GAIN = "psnr_gain"
# What `Judged.scores` holds of each method, in words, with its unit.
SCORES = {"psnr": metrics.METRICS["psnr"], GAIN: "PSNR above gray's, dB", **metrics.METRICS}


@dataclasses.dataclass(frozen=True)
class Judged:
    """One photograph after it was coloured by every method.

    Attributes:
        key: its name.
        pictures: [S, S, 3] uint8 sRGB of each method, and `truth`.
        scores: SCORES of each method.
        true_chroma: mean C*ab of the truth, at least metrics.LEAST_CHROMA.
    """

    key: str
    pictures: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    true_chroma: float


class Judge:
    """The bundle's model and the baselines.

    Attributes:
        mean_ab: a* and b* of the method mean_colour.
        mean_of: which photographs' mean it is.
    """

    def __init__(self, opened: bundle.Bundle, examples: Examples):
        """Loads the model; takes the mean colour from the data's train split, or else from a pass over `examples`.

        Raises:
            UsageError: the SavedModel has no signature of the name that photochrom.signature states.
        """
        self._loaded = tf.saved_model.load(opened.saved_model)  # kept: its signature refers to its variables weakly
        if signature.NAME not in self._loaded.signatures:
            raise errors.UsageError(f"{opened.path} has no signature {signature.NAME!r}; export the model again")
        self.mean_of = "train split" if examples.train_mean else "evaluated photographs"
        self.mean_ab = examples.train_mean or mean_ab(examples)

    def judge_all(self, examples: Iterable[Example], batch_size: int) -> Iterator[Judged]:
        """Yields the judgement of each example, in order; the model gets `batch_size` of them at once."""
        left = iter(examples)
        # NumPy, OpenCV and SciPy leave the interpreter's lock while they compute.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(itertools.islice(left, batch_size)):
                predicted = self.predict(np.stack([example.lab[..., 0] for example in batch]))
                yield from pool.map(judge, batch, predicted, itertools.repeat(self.mean_ab))

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        """Returns the model's [B, H/s, W/s, 2] float32 ab for [B, H, W] float32 L*.

        Raises:
            PhotochromError: the model fails, or says what is no number.
        """
        model = self._loaded.signatures[signature.NAME]
        try:
            ab = model(**{signature.LIGHTNESS: tf.constant(lightness[..., None])})[signature.AB].numpy()
        except (tf.errors.OpError, TypeError, KeyError) as error:
            raise errors.PhotochromError(f"the model failed: {type(error).__name__}: {str(error)[:500]}") from error
        if not np.isfinite(ab).all():
            raise errors.PhotochromError("the model returned ab values that are not finite")
        return ab


def mean_ab(examples: Iterable[Example]) -> tuple[float, float]:
    """Returns mean a* and b* over photographs, each weighing the same."""
    means = [example.lab[..., 1:].mean(axis=(0, 1), dtype=np.float64) for example in examples]
    a, b = np.mean(means, axis=0) if means else (0.0, 0.0)
    return float(a), float(b)


def judge(example: Example, predicted: np.ndarray, constant: tuple[float, float]) -> Judged:
    """Colours one photograph by every method and compares it with the truth.

    Args:
        example: the photograph.
        predicted: [h, w, 2] float32 ab of the model.
        constant: a* and b* of the mean colour.
    """
    lightness = np.ascontiguousarray(example.lab[..., 0])
    flat = np.broadcast_to(np.array(constant, np.float32), (*lightness.shape, 2))
    colours = {MODEL: predicted, GRAY: np.zeros_like(flat), MEAN_COLOUR: np.ascontiguousarray(flat)}
    pictures = {method: compose.compose(lightness, ab) for method, ab in colours.items()}
    truth = color.lab_to_rgb(example.lab)
    scores = {method: metrics.compare(rgb, truth) for method, rgb in pictures.items()}
    for score in scores.values():
        score[GAIN] = score["psnr"] - scores[GRAY]["psnr"]
    true_chroma = max(metrics.mean_chroma(color.rgb_to_lab(truth)), metrics.LEAST_CHROMA)
    return Judged(example.key, {**pictures, "truth": truth}, scores, true_chroma)
