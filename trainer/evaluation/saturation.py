"""Effect of more or less chroma: each photograph's metrics over a range of saturation factors.

A model fitted to squared error is under-saturated, other models are not: they are comparable at equal chroma.
"""

from collections.abc import Sequence

import numpy as np

from photochrom.color import compose, difference
from trainer.evaluation import metrics
from trainer.evaluation.metrics import Picture

# Factors on the model's ab: 0 is gray, 1 is the model's own output.
FACTORS = tuple(step / 4 for step in range(11))
UNCHANGED = FACTORS.index(1)
# Every second pixel of every second row suffices for means over photographs, in a third of the time.
STRIDE = 2


def sweep(lightness: np.ndarray, ab: np.ndarray, truth: Picture) -> np.ndarray:
    """Measures a photograph at each factor, on every STRIDE-th pixel of every STRIDE-th row.

    Args:
        lightness: [H, W] float32 L*.
        ab: [H, W, 2] float32 CIE a*, b* of the model.
        truth: the photograph.

    Returns:
        [len(FACTORS), 4]: PSNR above gray's (dB), mean CIEDE2000, mean chroma C*ab, and the truth's mean C*ab.
    """
    return measure(lightness, ab, truth, FACTORS)


def measure(lightness: np.ndarray, ab: np.ndarray, truth: Picture, factors: Sequence[float] = (1.0,)) -> np.ndarray:
    """Same as `sweep`, for any factors: [len(factors), 4]."""
    lightness, ab, truth = sparse(lightness), sparse(ab), Picture(sparse(truth.rgb), sparse(truth.lab))
    gray, *pictures = (Picture.of(compose.compose(lightness, ab * np.float32(factor))) for factor in (0, *factors))
    true_chroma = difference.mean_chroma(truth.lab)
    return np.array(
        [
            (
                metrics.psnr(picture.rgb, truth.rgb) - metrics.psnr(gray.rgb, truth.rgb),
                difference.ciede2000(picture.lab, truth.lab).mean(),
                difference.mean_chroma(picture.lab),
                true_chroma,
            )
            for picture in pictures
        ]
    )


def sparse(pixels: np.ndarray) -> np.ndarray:
    """Returns every STRIDE-th pixel of every STRIDE-th row of [H, W, ...]."""
    return np.ascontiguousarray(pixels[::STRIDE, ::STRIDE])


def summarize(sweeps: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """Returns a row for each factor: the means over photographs; for the chroma ratio, the ratio of the means."""
    means = np.mean(sweeps, axis=0)  # [len(FACTORS), 4]
    return [
        {
            "saturation": factor,
            "psnr_gain": float(gain),
            "ciede2000": float(ciede2000),
            "chroma_ratio": float(chroma / max(true_chroma, metrics.LEAST_CHROMA)),
        }
        for factor, (gain, ciede2000, chroma, true_chroma) in zip(FACTORS, means, strict=True)
    ]
