"""Metrics of a colorized picture against the true one, and confidence intervals of their means.

All metrics are computed on the final 8-bit picture.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from skimage import metrics as skimage_metrics

from photochrom.color import cielab, tone
from photochrom.color.difference import ciede2000, mean_chroma

# Mean squared error of rounding to 8 bits, uniform over one step: 1/12. It bounds PSNR.
_ROUNDING_ERROR = 1 / 12
# Lower bound of a true picture's mean C*ab, so that ratios are finite.
LEAST_CHROMA = 0.1
# Zhang 2016, section 3.1: thresholds on the distance in ab from 0 to 150.
_MOST_AB_ERROR = 150
_RESAMPLES = 1000
_INTERVAL_PERCENT = (2.5, 97.5)
# Numbers of all resamples that `bootstrap` holds at once; 4 million take 32 MB.
_BLOCK_NUMBERS = 2**22

# [R, N, ...] numbers of R samples of N photographs -> [R].
Statistic = Callable[[np.ndarray], np.ndarray]

# Titles, with units, of the results of `compare`.
METRICS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ciede2000": "CIEDE2000",
    "auc": "AuC of the ab error",
    "auc_rebalanced": "AuC, rebalanced",
    "colorfulness": "colourfulness M3",
    "colorfulness_difference": "M3 minus the truth's",
    "chroma": "mean chroma C*ab",
    "chroma_ratio": "chroma / true chroma",
}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture in both forms: [H, W, 3] uint8 sRGB, and the [H, W, 3] float32 CIE L*a*b* of it."""

    rgb: np.ndarray
    lab: np.ndarray

    @classmethod
    def of(cls, rgb: np.ndarray) -> "Picture":
        """Returns the picture of these [H, W, 3] uint8 sRGB pixels."""
        return cls(rgb, cielab.rgb_to_lab(rgb))

    @property
    def ab(self) -> np.ndarray:
        """[H, W, 2] float32 CIE a*, b*."""
        return self.lab[..., 1:]


def compare(picture: Picture, truth: Picture, weights: np.ndarray | None = None) -> dict[str, float]:
    """Returns METRICS of a picture against the true one of the same size.

    Args:
        picture: the result.
        truth: the photograph.
        weights: [H, W] class-rebalancing weight of each true pixel's colour; None for no auc_rebalanced.
    """
    colorfulness = tone.colorfulness(picture.rgb)
    rebalanced = {} if weights is None else {"auc_rebalanced": auc(picture.ab, truth.ab, weights)}
    return {
        "psnr": psnr(picture.rgb, truth.rgb),
        "ssim": ssim(picture.rgb, truth.rgb),
        "ciede2000": float(ciede2000(picture.lab, truth.lab).mean()),
        "auc": auc(picture.ab, truth.ab),
        **rebalanced,
        "colorfulness": colorfulness,
        "colorfulness_difference": colorfulness - tone.colorfulness(truth.rgb),
        "chroma": mean_chroma(picture.lab),
        "chroma_ratio": mean_chroma(picture.lab) / max(mean_chroma(truth.lab), LEAST_CHROMA),
    }


def psnr(rgb: np.ndarray, truth: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio over all pixels and channels, dB; 58.9 for equal pictures.

    Source: 10 log10(peak^2 / mean squared error), ITU-T J.340, with the peak 255. The error is
    at least that of rounding, 1/12, so that it is finite for equal pictures.
    """
    error = np.square(rgb.astype(np.float64) - truth).mean()
    return float(10 * np.log10(255**2 / max(error, _ROUNDING_ERROR)))


def ssim(rgb: np.ndarray, truth: np.ndarray) -> float:
    """Returns the structural similarity, the mean over the three channels: 1 for equal pictures.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004: Gaussian window of sigma 1.5 (11 px), K 0.01, 0.03.
    """
    return float(
        skimage_metrics.structural_similarity(
            rgb, truth, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def auc(ab: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Returns the area under the curve of the share of pixels whose ab error is within a threshold, 0..1.

    The thresholds run from 0 to 150 and the area is divided by 150. A pixel with error d adds 1 - d/150, so the mean of
    that is the exact area. Zhang counts at integer thresholds, which differs by 0.003 at most.

    Args:
        ab: [H, W, 2] CIE a*, b* of the result.
        truth: [H, W, 2] CIE a*, b* of the photograph.
        weights: [H, W] weight of each pixel; None for equal weights.

    Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1.
    """
    distance = np.hypot(ab[..., 0] - truth[..., 0], ab[..., 1] - truth[..., 1])
    return float(np.average(np.maximum(1 - distance / _MOST_AB_ERROR, 0), weights=weights))


def mean_with_interval(values: Sequence[float], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Returns the mean over photographs, and its 95% interval, `low` to `high`, over the choice of photographs.

    A ratio weighted by its denominator gives the ratio of the sums.

    Source: percentile bootstrap, Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13;
    1000 resamples with a fixed seed.
    """
    share = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = share * np.asarray(values, np.float64)
    low, high = interval([draw @ total / (draw @ share) for draw in resamples(len(values))])
    return {"mean": float(total.sum() / share.sum()), "low": low, "high": high}


def bootstrap(statistic: Statistic, values: np.ndarray) -> dict[str, float] | None:
    """Returns a statistic's `value` over photographs, and its 95% interval, `low` to `high`, as `mean_with_interval`.

    Args:
        statistic: maps R samples of photographs, [R, N, ...], to [R]; NaN where a sample has none.
        values: [N, ...] numbers of each photograph.

    Returns:
        The three numbers; None where the photographs have no such statistic. Resamples without it do not count.
    """
    value = float(statistic(values[np.newaxis])[0])
    if np.isnan(value):
        return None
    draws = resamples(len(values))
    blocks = np.array_split(draws, -(-len(draws) * values.size // _BLOCK_NUMBERS))
    found = np.concatenate([statistic(values[_members(block)]) for block in blocks])
    low, high = interval(found[~np.isnan(found)])
    return {"value": value, "low": low, "high": high}


def _members(draws: np.ndarray) -> np.ndarray:
    """Returns [R, N]: the photographs of each resample, in order, repeated as often as [R, N] `draws` says."""
    rows, count = draws.shape
    return np.repeat(np.tile(np.arange(count), rows), draws.ravel()).reshape(rows, count)


def interval(means: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Returns the ends of the 95% interval of the values of all resamples."""
    low, high = np.percentile(means, _INTERVAL_PERCENT)
    return float(low), float(high)


@functools.lru_cache(maxsize=2)
def resamples(count: int) -> np.ndarray:
    """Returns [1000, count] uint16: how often each resample draws each of `count` photographs; deterministic."""
    random, evenly = np.random.default_rng(0), np.full(count, 1 / count)
    return np.stack([random.multinomial(count, evenly).astype(np.uint16) for _ in range(_RESAMPLES)])
