"""Brings predicted ab from the model's size to a scan's, along the edges of the scan's own L*.

A bilateral grid estimates, at each px of ab and for each of a few levels of L*, the colour of pixels of this lightness.
Full-size ab is read off that grid at each pixel's place and L*, so colour ends where lightness does.

The grid is fitted so that its mean over each px of ab, under the L* that the scan has there, is that px of ab again
(iterative back-projection). So the two colours that are mixed in a px across an edge are separated. Where lightness
has no information, all levels get one colour; the result is bicubic interpolation, fitted in the same way.

Sources: Chen, Paris, Durand 2007, Real-time edge-aware image processing with the bilateral grid; Kopf et al. 2007,
Joint bilateral upsampling; Irani, Peleg 1991, Improving resolution by image registration (back-projection).
docs/chroma.md has what else was measured.
"""

import cv2
import numpy as np

from photochrom.color.lightness import Lightness
from photochrom.imaging import resizing

# Levels of L*, from 0 to 100, of the grid.
_LEVELS = 9
# Weights of neighbours in the grid: Gaussian over px of ab, and a factor for the next levels.
_SIGMA = 1.0
_NEXT_LEVEL = 0.3
# Rounds of back-projection.
_FIT_STEPS = 3
# A level has a colour of its own to the degree that more pixels of the scan than this are evidence for it ...
_EVIDENCE_PIXELS = 6.4
# ... or more than this share of a px of ab: there is grain in large scans.
_LEAST_EVIDENCE = 0.02
# A level's colour may leave the range of the px of ab around by this share of the range.
_BEYOND = 0.25
# The grid is fitted to L* reduced to this many px for each px of ab, along an axis.
_FIT_SCALE = 6
# The grid is enlarged this many times by bicubic interpolation, then read bilinearly.
_READ_SCALE = 4
# Half of that suffices for the mean over a px of ab, in a quarter of the time.
_FIT_READ_SCALE = 2
# The enlarged grid of all levels takes up to 36 MB.
_LARGEST_LEVEL_PIXELS = 1 << 19


class Upsampler:
    """Full-size ab of one picture, by bands of rows; its memory grows with the band, not with the picture.

    Attributes:
        grid: [h, w, K, 2] float32 ab of K levels of L*, or None where ab is resized without regard to L*.
        y, x: [H] and [W] float32, the places of rows and columns on the grid.
    """

    grid: np.ndarray | None = None

    def __init__(self, ab: np.ndarray, lightness: np.ndarray | Lightness):
        """Fits the grid.

        Args:
            ab: [h, w, 2] float32 CIE a*, b*. A picture that is no larger than it along an axis gets it resized as
                `resizing.resize` does, without regard to its lightness.
            lightness: [H, W] float32 L* of the full picture; it is kept, not copied.
        """
        small, full = ab.shape[:2], lightness.shape
        largest = int((_LARGEST_LEVEL_PIXELS / (small[0] * small[1])) ** 0.5)
        if small[0] >= full[0] or small[1] >= full[1] or largest == 0:
            self._resized = resizing.resize(ab, *full)
            return
        self._lightness = lightness
        self.grid = _fit(ab, lightness, min(_READ_SCALE, largest))
        self.y, self.x = _places(full, self.grid)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Returns [stop - start, W, 2] float32 ab of these rows of the picture, the same whatever the bands are."""
        if self.grid is None:
            return self._resized[start:stop]
        return _read(self.grid, self._lightness[start:stop], self.y[start:stop], self.x)


def _fit(ab: np.ndarray, lightness: np.ndarray | Lightness, scale: int) -> np.ndarray:
    """Returns the grid, enlarged `scale` times, whose mean over each px of ab is that px: [h s, w s, K, 2] float32."""
    h, w = ab.shape[:2]
    guide = _reduced(lightness, h, w)
    share = _level_shares(guide, h, w)
    evidence = np.float32(max(_LEAST_EVIDENCE, _EVIDENCE_PIXELS * h * w / lightness.size))
    inverse = 1 / (_gather(share) + evidence)[..., None]
    grid, missing = np.zeros((h, w, _LEVELS, 2), np.float32), ab
    for _ in range(_FIT_STEPS):
        spread = _gather(share[..., None] * missing[:, :, None])
        spread += evidence * missing[:, :, None]
        grid += np.multiply(spread, inverse, out=spread)
        missing = ab - np.einsum("hwk,hwkc->hwc", share, grid)
    # Each px of ab was fitted by itself; the error that interpolation between them causes is added to all levels.
    coarse = _enlarged(grid, min(scale, _FIT_READ_SCALE))
    mean = cv2.resize(_read(coarse, guide, *_places(guide.shape, coarse)), (w, h), interpolation=cv2.INTER_AREA)
    return _enlarged(_near(grid + (ab - mean)[:, :, None], ab), scale)


def _near(grid: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Returns the grid with colours that go a little beyond the range of the 3x3 px of ab around, and no further."""
    around = np.ones((3, 3), np.uint8)
    least, most = cv2.erode(ab, around), cv2.dilate(ab, around)
    margin = np.float32(_BEYOND) * (most - least)
    return np.clip(grid, (least - margin)[:, :, None], (most + margin)[:, :, None])


def _reduced(lightness: np.ndarray | Lightness, h: int, w: int) -> np.ndarray:
    """Returns L* at a whole number of px, at most _FIT_SCALE, for each px of ab."""
    rows, columns = (
        small * min(_FIT_SCALE, max(1, round(full / small)))
        for small, full in zip((h, w), lightness.shape, strict=True)
    )
    if isinstance(lightness, Lightness):
        return lightness.resized(rows, columns)
    return resizing.resize(lightness, rows, columns)


def _level_shares(guide: np.ndarray, h: int, w: int) -> np.ndarray:
    """Returns [h, w, K] float32: the share of each px of ab with the L* of each level, linearly between two levels."""
    from photochrom.color import kernels  # here: numba takes 0.3 s to import

    shares = np.empty((h, w, _LEVELS), np.float32)
    kernels.level_shares(np.ascontiguousarray(guide), shares)
    return shares


def _gather(grid: np.ndarray) -> np.ndarray:
    """Returns [h, w, K, ...] summed over the neighbours in place and level, as weighted by nearness."""
    total = grid.copy()
    total[:, :, 1:] += np.float32(_NEXT_LEVEL) * grid[:, :, :-1]
    total[:, :, :-1] += np.float32(_NEXT_LEVEL) * grid[:, :, 1:]
    flat = total.reshape(*grid.shape[:2], -1)
    return cv2.GaussianBlur(flat, (7, 7), _SIGMA, borderType=cv2.BORDER_REPLICATE).reshape(grid.shape)


def _enlarged(grid: np.ndarray, scale: int) -> np.ndarray:
    """Returns [h s, w s, K, 2]: the grid, enlarged bicubically."""
    h, w = grid.shape[0] * scale, grid.shape[1] * scale
    enlarged = cv2.resize(grid.reshape(*grid.shape[:2], -1), (w, h), interpolation=cv2.INTER_CUBIC)
    return enlarged.reshape(h, w, *grid.shape[2:])


def _read(grid: np.ndarray, lightness: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns [H, W, 2] float32 ab at the places y [H] and x [W] of the grid and at L*, [H, W]."""
    from photochrom.color import kernels  # here: numba takes 0.3 s to import

    ab = np.empty((*lightness.shape, 2), np.float32)
    kernels.read_grid(np.ascontiguousarray(lightness, np.float32), grid, y, x, ab)
    return ab


def _places(full: tuple[int, ...], grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places of the rows, [H], and columns, [W], of a picture of that size on the grid, float32."""
    return _centres(full[0], grid.shape[0]), _centres(full[1], grid.shape[1])


def _centres(full: int, small: int) -> np.ndarray:
    """Returns the positions of the centres of `full` px on the scale of `small` px along the same side, float32."""
    return np.clip((np.arange(full, dtype=np.float32) + 0.5) * (small / full) - 0.5, 0, small - 1).astype(np.float32)
