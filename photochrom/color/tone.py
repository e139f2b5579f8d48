"""Tone of a picture: separates colour, gray and toned photographs (sepia, cyanotype); measures colourfulness."""

import dataclasses
import functools

import cv2
import numpy as np

# The measure is taken on a thumbnail of about this size, px: JPEG noise in ab averages out.
_THUMBNAIL = 96
_LIGHTNESS_BINS = 16
# Red-green and yellow-blue of Hasler and Susstrunk.
_OPPONENT = np.array([[1, -1, 0], [0.5, 0.5, -1]], np.float32)
# CIE units, root mean square over the picture. Below the first a picture is gray; with a spread below the second a
# colour photograph is too dull to learn from.
_GRAY_CHROMA = 2.0
_TEACHING_SPREAD = 1.2
# In a toned picture stray * across is less than factor * chroma^power: stains and fading move colours along one line,
# between paper and silver, the colours of things in two dimensions. The exponents are the best of a grid, on 87 toned
# historic scans, 426 synthetic ones and 3,913 colour photographs; docs/triage.md has the errors of each kind.
_FACTOR, _POWER = 2.5, 0.5
# Share of the pixels that `stray` covers, and rounds of fitting lightness and place in turn.
_STRAY_SHARE = 0.98
_STRAY_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Tone:
    """Amount and variation of colour in a picture, in CIE units.

    Attributes:
        chroma: root mean square of C*ab.
        spread: root mean square distance in ab from the mean colour of all pixels equally light. A toned
            picture has one colour for each lightness, however strong, so its spread is near 0.
        stray: the distance in ab that 98% of the pixels keep to the colour of all pixels equally light, when that
            colour may also drift over the picture, as it does in a print faded towards its edges.
        across: root mean square of the same distances along the direction of ab in which they are smallest.
    """

    chroma: float
    spread: float
    stray: float = 0.0
    across: float = 0.0

    @property
    def is_gray(self) -> bool:
        """No colour at all."""
        return self.chroma < _GRAY_CHROMA

    @property
    def is_monochrome(self) -> bool:
        """Gray or toned: a black-and-white photograph, whatever its colour."""
        return self.is_gray or self.stray * self.across < _FACTOR * self.chroma**_POWER

    @property
    def teaches_color(self) -> bool:
        """Colour enough to train on."""
        return not self.is_gray and self.spread >= _TEACHING_SPREAD


def measure(lab: np.ndarray) -> Tone:
    """Measures [H, W, 3] float32 CIE L*a*b*."""
    height, width = lab.shape[:2]
    factor = max(1, max(height, width) // _THUMBNAIL)  # a whole number: OpenCV averages such areas fast
    size = (max(1, width // factor), max(1, height // factor))
    thumbnail = cv2.resize(lab, size, interpolation=cv2.INTER_AREA)
    lightness, ab = thumbnail[:, :, 0], thumbnail[:, :, 1:]
    bins = np.clip(lightness * (_LIGHTNESS_BINS / 100), 0, _LIGHTNESS_BINS - 1).astype(np.intp)
    chroma = float(np.sqrt(np.square(ab).sum() / bins.size))
    stray, across = _stray_and_across(bins, ab)
    return Tone(*(round(one, 3) for one in (chroma, _spread(bins.ravel(), ab.reshape(-1, 2)), stray, across)))


def _spread(bins: np.ndarray, ab: np.ndarray) -> float:
    """Returns the root mean square distance from the mean ab of each bin: mean of squares less square of the means."""
    counts = np.maximum(np.bincount(bins, minlength=_LIGHTNESS_BINS), 1)
    sums = [np.bincount(bins, ab[:, i], _LIGHTNESS_BINS) for i in range(2)]
    explained = sum((np.square(total) / counts).sum() for total in sums)
    return float(np.sqrt(max(float(np.square(ab).sum(dtype=np.float64)) - explained, 0.0) / len(ab)))


def _stray_and_across(bins: np.ndarray, ab: np.ndarray) -> tuple[float, float]:
    """Returns `stray` and `across` of Tone, of the distances to the colour of the same lightness and place.

    Lightness and a surface of the second degree are fitted in turn, which comes near the common least squares. Every
    other pixel of every other row does.
    """
    bins, ab = bins[::2, ::2], ab[::2, ::2]
    basis = surface_basis(*bins.shape)[:, 1:]
    basis = basis - basis.mean(axis=0)
    projection = np.linalg.pinv(basis.T @ basis) @ basis.T
    bins, residual = bins.ravel(), ab.reshape(-1, 2).astype(np.float64)
    counts = np.maximum(np.bincount(bins, minlength=_LIGHTNESS_BINS), 1)[:, None]
    for _ in range(_STRAY_ROUNDS):
        means = np.stack([np.bincount(bins, residual[:, i], _LIGHTNESS_BINS) for i in range(2)], axis=1) / counts
        residual = residual - means[bins]
        residual = residual - basis @ (projection @ residual)
    distances = np.hypot(residual[:, 0], residual[:, 1])
    rank = min(len(distances) - 1, int(_STRAY_SHARE * len(distances)))
    variances = np.linalg.eigvalsh(residual.T @ residual / len(residual))
    return float(np.partition(distances, rank)[rank]), float(np.sqrt(max(variances[0], 0.0)))


@functools.lru_cache(maxsize=64)
def surface_basis(height: int, width: int) -> np.ndarray:
    """Returns [height * width, 6] float64: 1, x, y, x^2, y^2, xy with x and y from -1 to 1; not to be written to."""
    y, x = (values.ravel() for values in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    return np.stack([np.ones(height * width), x, y, x * x, y * y, x * y], axis=1)


def colorfulness(rgb: np.ndarray) -> float:
    """Returns the colourfulness M3 of [H, W, 3] uint8 sRGB: 0 gray, 15 slightly, 45 averagely, 109 extremely colourful.

    Source: D. Hasler, S. Susstrunk, "Measuring Colourfulness in Natural Images", SPIE 5007, 2003.
    """
    mean, deviation = cv2.meanStdDev(cv2.transform(rgb.astype(np.float32), _OPPONENT))
    return float(np.hypot(*deviation[:, 0]) + 0.3 * np.hypot(*mean[:, 0]))
