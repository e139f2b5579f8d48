"""Figures by which models are chosen: gains, ratios and shares of failures of a set of photographs, with intervals.

PROTOCOL.md defines each. A figure is a statistic of a few numbers of each photograph, so the same resamples of
photographs give its interval, and that of its difference between two models.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from trainer.evaluation import lpips, metrics
from trainer.evaluation.evaluator import GAIN, GRAY, MEAN_COLOUR, MODEL, PhotographResult

# The C numbers of a photograph that a figure needs.
Numbers = Callable[[PhotographResult], Sequence[float] | np.ndarray]
# value, low, high: a figure and its 95% interval.
Estimate = dict[str, float]
# name of the figure -> estimate; None where the photographs have no such figure.
Figures = dict[str, Estimate | None]


def mean(values: np.ndarray) -> np.ndarray:
    """Returns [R], the means of [R, N, 1]."""
    return values[..., 0].mean(axis=1)


def median(values: np.ndarray) -> np.ndarray:
    """Returns [R], the medians of [R, N, 1]."""
    return np.median(values[..., 0], axis=1)


def ratio_of_means(values: np.ndarray) -> np.ndarray:
    """Returns [R], the mean of [R, N, 0] over that of [R, N, 1]; NaN where the latter is 0."""
    above, below = values.mean(axis=1).T
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def largest_mean(values: np.ndarray) -> np.ndarray:
    """Returns [R], the largest of the C means of [R, N, C]."""
    return values.mean(axis=1).max(axis=1)


def rank_correlation(values: np.ndarray) -> np.ndarray:
    """Returns [R], Spearman's rank correlation of [R, N, 0] and [R, N, 1]; NaN where either is constant.

    Pearson's correlation of the ranks, equal values having the mean of theirs.

    Source: Spearman, "The Proof and Measurement of Association between Two Things", American Journal of Psychology
    15(1), 1904.
    """
    ranks = stats.rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(ranks).sum(axis=1).prod(axis=1))
    return np.divide(ranks.prod(axis=2).sum(axis=1), scale, out=np.full_like(scale, np.nan), where=scale != 0)


@dataclasses.dataclass(frozen=True)
class Figure:
    """The definition of a figure.

    Attributes:
        title: with its unit.
        numbers: returns the C numbers of a photograph that it needs.
        statistic: [R, N, C] of R samples of N photographs -> [R].
        percent: whether it is a share, shown in percent.
    """

    title: str
    numbers: Numbers
    statistic: metrics.Statistic = mean
    percent: bool = False

    def table(self, photographs: Sequence[PhotographResult]) -> np.ndarray:
        """Returns [N, C] float64, the numbers of each photograph."""
        return np.array([self.numbers(photograph) for photograph in photographs], np.float64)


def as_text(value: float, percent: bool = False, digits: int = 2, signed: bool = False) -> str:
    """Returns a figure as text, with `digits` after the point; a share in percent, with two less. Zero has no sign."""
    number, unit = (100 * value, "%") if percent else (value, "")
    text = f"{number:{'+' if signed else ''}.{digits - 2 * percent}f}"
    return (text.lstrip("+-") if float(text) == 0 else text) + unit


def _score(metric: str) -> Numbers:
    return lambda result: [result.scores[MODEL][metric]]


def _is_worse(metric: str, than: str) -> Numbers:
    """Returns whether the model's error is larger than a baseline's, or its PSNR lower; equal ones are not worse."""
    sign = -1 if metric == "psnr" else 1
    return lambda result: [sign * result.scores[MODEL][metric] > sign * result.scores[than][metric]]


def _chromas(result: PhotographResult) -> Sequence[float]:
    """Returns the mean chroma of the result and that of the truth, at least metrics.LEAST_CHROMA."""
    truth = result.weights["chroma_ratio"]
    return result.scores[MODEL]["chroma_ratio"] * truth, truth


FIGURES = {
    "psnr_gain": Figure("PSNR above gray's, dB", _score(GAIN)),
    "best_psnr_gain": Figure("at the best saturation, dB", lambda result: result.sweep[:, 0], largest_mean),
    "ciede2000": Figure("CIEDE2000", _score("ciede2000")),
    "ciede2000_over_gray": Figure(
        "CIEDE2000 / gray's",
        lambda result: [result.scores[method]["ciede2000"] for method in (MODEL, GRAY)],
        ratio_of_means,
    ),
    lpips.NAME: Figure("LPIPS (AlexNet)", _score(lpips.NAME)),
    "chroma_ratio": Figure("chroma / true chroma", _chromas, ratio_of_means),
    "median_chroma_ratio": Figure("chroma ratio, median", _score("chroma_ratio"), median),
    "below_gray_psnr": Figure("worse than gray, PSNR", _is_worse("psnr", GRAY), percent=True),
    "above_gray_ciede2000": Figure("worse than gray, CIEDE2000", _is_worse("ciede2000", GRAY), percent=True),
    "below_mean_colour_psnr": Figure("worse than one colour, PSNR", _is_worse("psnr", MEAN_COLOUR), percent=True),
    "above_mean_colour_ciede2000": Figure(
        "worse than one colour, CIEDE2000", _is_worse("ciede2000", MEAN_COLOUR), percent=True
    ),
    "confidence_correlation": Figure(
        "confidence and CIEDE2000, rank corr.",
        lambda result: [result.confidence, result.scores[MODEL]["ciede2000"]],
        rank_correlation,
    ),
}


def available(photographs: Sequence[PhotographResult]) -> dict[str, Figure]:
    """Returns the figures that these photographs have: all, without LPIPS where it was not measured."""
    is_left_out = lpips.NAME not in photographs[0].scores[MODEL]
    return {name: figure for name, figure in FIGURES.items() if not (is_left_out and name == lpips.NAME)}


def measure(photographs: Sequence[PhotographResult]) -> Figures:
    """Returns the figures of a set of photographs."""
    return {
        name: metrics.bootstrap(figure.statistic, figure.table(photographs))
        for name, figure in available(photographs).items()
    }


def compare(first: Sequence[PhotographResult], second: Sequence[PhotographResult]) -> Figures:
    """Returns the second model's figures minus the first's on the same photographs, in the same order.

    Each resample draws photographs, and both models' results of them: difficult ones are difficult for both, so the
    interval is narrower than those of the two figures.
    """
    return {
        name: metrics.bootstrap(
            _difference(figure.statistic), np.stack([figure.table(first), figure.table(second)], axis=1)
        )
        for name, figure in available(first).items()
    }


def _difference(statistic: metrics.Statistic) -> metrics.Statistic:
    """Returns the statistic of [R, N, 1] minus that of [R, N, 0], of [R, N, 2, C]."""
    return lambda values: statistic(values[:, :, 1]) - statistic(values[:, :, 0])
