"""The steps of trainer.evaluate's protocol: the model and the baselines colour each photograph, the metrics judge."""

import concurrent.futures
import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Iterable, Iterator

import numpy as np

from photochrom.color import ab_bins, compose, difference, gamut
from photochrom.imaging import resizing
from photochrom.model import bundle, ensemble, loaded
from trainer.evaluation import ab_histogram, confidence, frechet, lpips, metrics, saturation
from trainer.evaluation.examples import Example, Examples
from trainer.evaluation.frechet import FeatureNetwork
from trainer.evaluation.lpips import Lpips
from trainer.evaluation.metrics import Picture

MODEL, GRAY, MEAN_COLOUR = METHODS = ("model", "gray", "mean_colour")
TRUTH = "truth"
GAIN = "psnr_gain"
# What `Judged.scores` may hold of each method, in words, with its unit.
SCORES = {
    "psnr": metrics.METRICS["psnr"],
    GAIN: "PSNR above gray's, dB",
    "ssim": metrics.METRICS["ssim"],
    lpips.NAME: "LPIPS (AlexNet)",
    **metrics.METRICS,
}


@dataclasses.dataclass(frozen=True)
class Judged:
    """One photograph after it was coloured by every method.

    Attributes:
        key: its name.
        confidence: the model's, mean over the picture, 0..1.
        pictures: [S, S, 3] uint8 sRGB of each method, and of TRUTH.
        scores: SCORES of each method, as far as they could be measured.
        weights: how much the photograph counts in the mean of a metric, where that is not 1.
        histograms: [Q] pixels in each ab bin, of each method and of TRUTH.
        sweep: what trainer.evaluation.saturation says of it.
        tally: what trainer.evaluation.confidence says of it.
        features: [D] of each method and of TRUTH; empty without a network.
        single: what saturation.measure says of the model without an ensemble, [4]; None where there is none.
    """

    key: str
    confidence: float
    pictures: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    weights: dict[str, float]
    histograms: dict[str, np.ndarray]
    sweep: np.ndarray
    tally: np.ndarray
    features: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    single: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks that look at pictures, as far as their weights are at hand."""

    lpips: Lpips | None = None
    frechet: FeatureNetwork | None = None

    @property
    def digests(self) -> dict[str, dict[str, str]]:
        """The SHA-256 of the weights of each, hex."""
        found = {} if self.lpips is None else {lpips.NAME: {"sha256": lpips.SHA256}}
        return found if self.frechet is None else {**found, frechet.NAME: {"sha256": self.frechet.sha256}}

    def measure(self, batch: list[Judged]) -> list[Judged]:
        """Adds what the networks see to each photograph of a batch."""
        pictures = {name: np.stack([one.pictures[name] for one in batch]) for name in (*METHODS, TRUTH)}
        if self.frechet:
            features = {name: self.frechet.extract(rgb) for name, rgb in pictures.items()}
            batch = [
                dataclasses.replace(one, features={name: array[i] for name, array in features.items()})
                for i, one in enumerate(batch)
            ]
        if self.lpips:
            distances = self.lpips.compare({name: pictures[name] for name in METHODS}, pictures[TRUTH])
            for i, one in enumerate(batch):
                for method in METHODS:
                    one.scores[method][lpips.NAME] = float(distances[method][i])
        return batch


class Judge:
    """The bundle's model and the baselines.

    Attributes:
        mean_ab: a* and b* of the method mean_colour.
        mean_of: which photographs' mean it is.
        seconds: that the model took, without an ensemble and with it.
    """

    def __init__(self, opened: bundle.Bundle, examples: Examples, networks: Networks, ensemble: bool = False):
        """Loads the model; takes the mean colour from the data's train split, or else from a pass over `examples`.

        With `ensemble` the model answers as the average over ensemble.py's views, and is judged without, too.

        Raises:
            UsageError: the SavedModel has no signature of the name that photochrom.model.signature states.
        """
        self.predict = loaded.Model(opened).predict_checked
        self._networks = networks
        self._ensemble = ensemble
        self.seconds = [0.0, 0.0]
        self._ab_weights = examples.ab_weights
        self.mean_of = "train split" if examples.train_mean else "evaluated photographs"
        self.mean_ab = examples.train_mean or mean_ab(examples)

    def judge_all(self, examples: Iterable[Example], batch_size: int) -> Iterator[Judged]:
        """Yields the judgement of each example, in order; the model gets `batch_size` of them at once."""
        left = iter(examples)
        judge_one = functools.partial(judge, constant=self.mean_ab, ab_weights=self._ab_weights)
        # NumPy, OpenCV and SciPy leave the interpreter's lock while they compute.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(itertools.islice(left, batch_size)):
                predicted = self._answer(np.stack([example.lab[..., 0] for example in batch])[..., None])
                yield from self._networks.measure(list(pool.map(judge_one, batch, *predicted)))

    def _answer(self, lightness: np.ndarray) -> tuple[np.ndarray, np.ndarray, Iterable[np.ndarray | None]]:
        """Returns ab and confidence for [B, H, W, 1] L*, and what ab would be without an ensemble, if there is one."""
        if not self._ensemble:
            return *self.predict(lightness), itertools.repeat(None)
        if not self.seconds[0]:
            self.predict(lightness[:1])  # the first call takes longer
        started = time.monotonic()
        ab, _ = self.predict(lightness)
        between = time.monotonic()
        averaged = ensemble.average(self.predict, lightness)
        self.seconds[0] += between - started
        self.seconds[1] += time.monotonic() - between
        return *averaged, ab


def mean_ab(examples: Iterable[Example]) -> tuple[float, float]:
    """Returns mean a* and b* over photographs, each weighing the same."""
    means = [example.lab[..., 1:].mean(axis=(0, 1), dtype=np.float64) for example in examples]
    a, b = np.mean(means, axis=0) if means else (0.0, 0.0)
    return float(a), float(b)


def judge(
    example: Example,
    predicted: np.ndarray,
    sure: np.ndarray,
    single: np.ndarray | None,
    constant: tuple[float, float],
    ab_weights: np.ndarray | None,
) -> Judged:
    """Colours one photograph by every method and compares it with the truth.

    Args:
        example: the photograph.
        predicted: [h, w, 2] float32 ab of the model.
        sure: [h, w, 1] float32 confidence of the model.
        single: [h, w, 2] ab of the model without its ensemble, if there is one.
        constant: a* and b* of the mean colour.
        ab_weights: [Q] class-rebalancing weight of each ab bin, where the data has them.
    """
    lightness = np.ascontiguousarray(example.lab[..., 0])
    flat = np.broadcast_to(np.array(constant, np.float32), (*lightness.shape, 2))
    predicted = resizing.resize(predicted, *lightness.shape)
    colours = {MODEL: predicted, GRAY: np.zeros_like(flat), MEAN_COLOUR: np.ascontiguousarray(flat)}
    truth = Picture.of(gamut.lab_to_rgb(example.lab))
    pictures = {method: Picture.of(compose.compose(lightness, ab)) for method, ab in colours.items()}
    weights = None if ab_weights is None else ab_weights[ab_bins.nearest_to(truth.ab)]
    error = difference.ciede2000(saturation.sparse(pictures[MODEL].lab), saturation.sparse(truth.lab))
    return Judged(
        example.key,
        float(sure.mean(dtype=np.float64)),
        {**{method: picture.rgb for method, picture in pictures.items()}, TRUTH: truth.rgb},
        _score(pictures, truth, weights),
        {
            "chroma_ratio": max(difference.mean_chroma(truth.lab), metrics.LEAST_CHROMA),
            **({} if weights is None else {"auc_rebalanced": float(weights.sum(dtype=np.float64))}),
        },
        {name: ab_histogram.histogram(picture.ab) for name, picture in {**pictures, TRUTH: truth}.items()},
        saturation.sweep(lightness, predicted, truth),
        confidence.tally(sure[..., 0], error),
        single=None
        if single is None
        else saturation.measure(lightness, resizing.resize(single, *lightness.shape), truth)[0],
    )


def _score(pictures: dict[str, Picture], truth: Picture, weights: np.ndarray | None) -> dict[str, dict[str, float]]:
    """Returns SCORES of each method, but for those of networks."""
    scores = {method: metrics.compare(picture, truth, weights) for method, picture in pictures.items()}
    for score in scores.values():
        score[GAIN] = score["psnr"] - scores[GRAY]["psnr"]
    return scores
