"""How near a colorized picture comes to the true one: pure functions, and the uncertainty of their means.

A picture is [H, W, 3] uint8 sRGB. Every measure is taken on the 8-bit picture that a person would see.
"""

from collections.abc import Sequence

import numpy as np
from skimage import color as skimage_color
from skimage import metrics as skimage_metrics

from photochrom import color, tone

# The mean squared error of rounding to 8 bits, uniform over one step: 1/12. No PSNR is higher than it allows.
_ROUNDING_ERROR = 1 / 12
# A true picture's mean C*ab counts as no less, so that no ratio is infinite.
LEAST_CHROMA = 0.1
_RESAMPLES = 1000
_INTERVAL_PERCENT = (2.5, 97.5)

# What `compare` returns, in words, with its unit.
METRICS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ciede2000": "CIEDE2000",
    "colorfulness": "colourfulness M3",
    "colorfulness_difference": "M3 minus the truth's",
    "chroma": "mean chroma C*ab",
    "chroma_ratio": "chroma / true chroma",
}


def compare(rgb: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Returns all METRICS of a picture against the true one of the same size."""
    lab, true_lab = color.rgb_to_lab(rgb), color.rgb_to_lab(truth)
    colorfulness = tone.colorfulness(rgb)
    return {
        "psnr": psnr(rgb, truth),
        "ssim": ssim(rgb, truth),
        "ciede2000": mean_ciede2000(lab, true_lab),
        "colorfulness": colorfulness,
        "colorfulness_difference": colorfulness - tone.colorfulness(truth),
        "chroma": mean_chroma(lab),
        "chroma_ratio": mean_chroma(lab) / max(mean_chroma(true_lab), LEAST_CHROMA),
    }


def psnr(rgb: np.ndarray, truth: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio over all pixels and channels, dB; 58.9 where they are equal.

    Source: 10 log10(peak^2 / mean squared error), ITU-T J.340, with the peak 255. The error counts as no
    less than that of rounding, 1/12, so that equal pictures have a number too.
    """
    error = np.square(rgb.astype(np.float64) - truth).mean()
    return float(10 * np.log10(255**2 / max(error, _ROUNDING_ERROR)))


def ssim(rgb: np.ndarray, truth: np.ndarray) -> float:
    """Returns the structural similarity, the mean of the three channels': 1 where they are equal.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004: Gaussian window of sigma 1.5 (11 px), K 0.01, 0.03.
    """
    return float(
        skimage_metrics.structural_similarity(
            rgb, truth, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def mean_ciede2000(lab: np.ndarray, truth: np.ndarray) -> float:
    """Returns the mean colour difference CIEDE2000 of [H, W, 3] CIE L*a*b*; about 1 is just noticeable.

    Source: CIE 142-2001, as corrected by Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula",
    Color Research & Application 30(1), 2005; kL = kC = kH = 1.
    """
    return float(skimage_color.deltaE_ciede2000(lab, truth).mean())


def mean_chroma(lab: np.ndarray) -> float:
    """Returns the mean of C*ab = sqrt(a*^2 + b*^2) (CIE 15:2004) over [H, W, 3] L*a*b*."""
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def mean_with_interval(values: Sequence[float], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Returns the mean over photographs, and the 95% interval, `low` to `high`, that their sampling leaves.

    A ratio weighted by its denominator gives the ratio of the sums.

    Source: percentile bootstrap, Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13;
    1000 resamples, always of the same seed.
    """
    share = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = share * np.asarray(values, np.float64)
    random, evenly = np.random.default_rng(0), np.full(len(values), 1 / len(values))
    draws = (random.multinomial(len(values), evenly) for _ in range(_RESAMPLES))  # how often each one is drawn
    low, high = np.percentile([draw @ total / (draw @ share) for draw in draws], _INTERVAL_PERCENT)
    return {"mean": float(total.sum() / share.sum()), "low": float(low), "high": float(high)}
