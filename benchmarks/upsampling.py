"""Chroma upsampling: true ab reduced and enlarged again by several methods, guided by the true L*.

`python -m benchmarks.upsampling --photographs FOLDER [--count N]` prints one table: the mean over photographs of
CIEDE2000 at the strongest chroma edges and over all pixels. Reduced means averaged over squares of 4, 8, 12 and 24
px, like a model's ab; the edges are the 10% of pixels with the largest change of the true ab. The photographs are
spread evenly over the larger ones of the folder, and four of scikit-image.

Methods for comparison, as published: joint bilateral upsampling (Kopf et al. 2007), the fast guided filter (He, Sun
2015), bicubic interpolation with local linear detail of L*, and plain back-projection (Irani, Peleg 1991).
"""

import argparse
import pathlib
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import skimage.data
from PIL import Image
from skimage.color import deltaE_ciede2000

from benchmarks import photographs
from photochrom.color import cielab
from photochrom.color.upsampling import Upsampler

FACTORS = (4, 8, 12, 24)
# Both sides of a photograph are cut to multiples of this, px, which all factors divide.
_SIDE_STEP = 24
# Only pictures with a side of at least this, px, are measured: their ab has 25 px or more at factor 24.
_SHORTEST_LONG_SIDE = 600
# CIEDE2000 is computed on this many pixels of a picture, sampled by a seed, of its edges and of all.
_SAMPLE = 6_000
_EDGE_SHARE = 0.1

_CARRIED = (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea, skimage.data.rocket)

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def errors(folder: pathlib.Path, count: int) -> dict[str, np.ndarray]:
    """Returns {method: [factors, 2]}: CIEDE2000 at edges and overall, means over `count` photographs and four more."""
    totals: dict[str, np.ndarray] = {}
    seen = 0
    for lightness, ab in _photographs(folder, count):
        samples = _samples(ab)
        for row, factor in enumerate(FACTORS):
            size = (ab.shape[1] // factor, ab.shape[0] // factor)
            small = cv2.resize(ab, size, interpolation=cv2.INTER_AREA)
            for name, method in METHODS.items():
                found = method(small, lightness)
                total = totals.setdefault(name, np.zeros((len(FACTORS), 2)))
                total[row] += [_difference(lightness, found, ab, sample) for sample in samples]
        seen += 1
    return {name: total / seen for name, total in totals.items()}


def gains(found: dict[str, np.ndarray], factor: int) -> float:
    """Returns the relative reduction of the error at edges, of the method in use against bilinear interpolation."""
    row = FACTORS.index(factor)
    return float(1 - found[IN_USE][row, 0] / found["bilinear"][row, 0])


def seconds(height: int, width: int) -> float:
    """Returns the seconds of one core that the method in use takes for a scan of this size with ab of 48x64 px."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 100, (height // 10, width // 10)).astype(np.float32)
    lightness = cv2.resize(coarse, (width, height))
    ab = random.uniform(-50, 50, (48, 64, 2)).astype(np.float32)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    started = time.process_time()
    upsampler = Upsampler(ab, lightness)
    for top in range(0, height, 256):
        upsampler.rows(top, top + 256)
    cv2.setNumThreads(threads)
    return time.process_time() - started


def _photographs(folder: pathlib.Path, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields L* and ab of photographs, cropped so that all factors divide their sides."""
    large = [path for path in photographs.paths(folder) if max(Image.open(path).size) >= _SHORTEST_LONG_SIDE]
    if not large:
        raise SystemExit(f"--photographs {folder} holds no JPEG with a side of {_SHORTEST_LONG_SIDE} px or more")
    chosen = [large[i] for i in sorted(set(np.linspace(0, len(large) - 1, count).astype(int)))]
    for rgb in [*chosen, *_CARRIED]:
        pixels = rgb() if callable(rgb) else np.asarray(Image.open(rgb).convert("RGB"))
        height, width = (side // _SIDE_STEP * _SIDE_STEP for side in pixels.shape[:2])
        lab = cielab.rgb_to_lab(np.ascontiguousarray(pixels[:height, :width]))
        yield np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:])


def _samples(ab: np.ndarray) -> list[np.ndarray]:
    """Returns the indices of sampled pixels, once of the edges and once of all."""
    slopes = [cv2.Sobel(ab, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1))]
    steepness = sum(np.square(slope).sum(axis=2) for slope in slopes)
    edges = np.flatnonzero(steepness >= np.quantile(steepness, 1 - _EDGE_SHARE))
    random = np.random.default_rng(0)
    return [random.choice(pixels, min(_SAMPLE, len(pixels))) for pixels in (edges, np.arange(steepness.size))]


def _difference(lightness: np.ndarray, ab: np.ndarray, truth: np.ndarray, sample: np.ndarray) -> float:
    found, wanted = (np.c_[lightness.ravel()[sample], colours.reshape(-1, 2)[sample]] for colours in (ab, truth))
    return float(deltaE_ciede2000(found, wanted).mean())


def _interpolation(flag: int) -> Method:
    return lambda ab, lightness: cv2.resize(ab, lightness.shape[::-1], interpolation=flag)


def _reduce(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels, like.shape[1::-1], interpolation=cv2.INTER_AREA)


_bilinear, _bicubic = _interpolation(cv2.INTER_LINEAR), _interpolation(cv2.INTER_CUBIC)


def _back_projection(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Bicubic interpolation, corrected twice by the interpolated residual of its mean over each px of ab."""
    full = _bicubic(ab, lightness)
    for _ in range(2):
        full += _bicubic(ab - _reduce(full, ab), lightness)
    return full


def _joint_bilateral(radius: int, spatial: float, lightness_range: float = 12) -> Method:
    """Kopf et al. 2007: Gaussians of the distance in px of ab and in L*, over (2 radius + 1)^2 px of ab."""

    def upsample(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
        (h, w), (height, width) = ab.shape[:2], lightness.shape
        low = _reduce(lightness, ab)
        y, x = (np.arange(height) + 0.5) * h / height - 0.5, (np.arange(width) + 0.5) * w / width - 0.5
        total, weights = np.zeros((height, width, 2), np.float32), np.full((height, width, 1), 1e-12, np.float32)
        for down in range(-radius, radius + 1):
            for across in range(-radius, radius + 1):
                row, column = np.rint(y).astype(int) + down, np.rint(x).astype(int) + across
                near = np.exp(-0.5 * ((y - row) / spatial) ** 2)[:, None] * np.exp(-0.5 * ((x - column) / spatial) ** 2)
                tap = np.ix_(row.clip(0, h - 1), column.clip(0, w - 1))
                alike = np.exp(-0.5 * ((lightness - low[tap]) / lightness_range) ** 2) + 1e-4
                weight = (near.astype(np.float32) * alike)[..., None]
                total += weight * ab[tap]
                weights += weight
        return total / weights

    return upsample


def _slopes(ab: np.ndarray, low: np.ndarray, mean: Callable[[np.ndarray], np.ndarray], least: float) -> np.ndarray:
    """Returns [h, w, 2]: slope of ab over L* in windows, by regression; `least` is added to the variance of L*."""
    covariance = mean(ab * low[..., None]) - mean(ab) * mean(low)[..., None]
    return covariance / (mean(low * low) - mean(low) ** 2 + least)[..., None]


def _fast_guided(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """He, Sun 2015: windows of 3x3 px of ab, epsilon 10."""

    def mean(pixels: np.ndarray) -> np.ndarray:
        return cv2.blur(pixels, (3, 3))

    low = _reduce(lightness, ab)
    slope = _slopes(ab, low, mean, 10)
    offset = mean(ab) - slope * mean(low)[..., None]
    return _bilinear(mean(slope), lightness) * lightness[..., None] + _bilinear(mean(offset), lightness)


def _linear_detail(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Bicubic ab plus the slope times the residual of the interpolated small L*; Gaussian window, 0.7 px."""
    low = _reduce(lightness, ab)
    slope = _slopes(ab, low, lambda pixels: cv2.GaussianBlur(pixels, (5, 5), 0.7), 100)
    return _bicubic(ab, lightness) + _bicubic(slope, lightness) * (lightness - _bicubic(low, lightness))[..., None]


def _in_use(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    return Upsampler(ab, lightness).rows(0, len(lightness))


IN_USE = "bilateral grid, back-projected (in use)"
METHODS: dict[str, Method] = {
    "nearest": _interpolation(cv2.INTER_NEAREST),
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "Lanczos": _interpolation(cv2.INTER_LANCZOS4),
    "bicubic, back-projected": _back_projection,
    "joint bilateral, 3x3": _joint_bilateral(1, 0.7),
    "fast guided filter": _fast_guided,
    "bicubic and linear detail of L*": _linear_detail,
    IN_USE: _in_use,
}


def table(found: dict[str, np.ndarray]) -> str:
    """Returns the rows of a table in Markdown: at edges / overall, for each factor."""
    head = "| method | " + " | ".join(f"{factor}" for factor in FACTORS) + " |\n|---|" + "---|" * len(FACTORS)
    rows = (
        f"| {name} | " + " | ".join(f"{edge:.2f} / {overall:.2f}" for edge, overall in values) + " |"
        for name, values in found.items()
    )
    return "\n".join([head, *rows])


def main() -> None:
    """Prints the table of all methods, and the duration of the one in use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", required=True, type=pathlib.Path, help="folder of colour photographs, JPEG")
    parser.add_argument("--count", type=int, default=48, help="how many of them")
    flags = parser.parse_args()
    print(table(errors(flags.photographs, flags.count)))
    print(f"\nin use, 12 MP: {seconds(3000, 4000):.2f} s of one core")


if __name__ == "__main__":
    main()
