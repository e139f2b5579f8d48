"""The pixels of a copy, computed on demand for some rows: colour composed, opacity added, the label drawn."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from photochrom.color import compose, upsampling
from photochrom.color.lightness import Lightness
from photochrom.imaging.picture import Picture, to_uint8
from serving.copies import label


@dataclasses.dataclass(frozen=True)
class Raster:
    """A coloured copy of a picture.

    Attributes:
        picture: the decoded original.
        ab: [h, w, 2] float32 CIE a*, b*.
        depth: np.uint8 or np.uint16.
        keeps_alpha: whether opacity becomes a fourth channel; else the picture is composed over white.
        saturation: factor on the chroma.
        mark: a label, or None.
    """

    picture: Picture
    ab: np.ndarray
    depth: type = np.uint8
    keeps_alpha: bool = True
    saturation: float = 1.0
    mark: label.Mark | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Returns height, width and channels."""
        height, width = self.picture.pixels.shape[:2]
        added = self.mark.added_rows if self.mark else 0
        return height + added, width, 4 if self.picture.alpha is not None and self.keeps_alpha else 3

    def bands(self) -> Iterator[np.ndarray]:
        """Yields the rows from the top, about a million px at a time, in the dtype `depth`."""
        height, width, _ = self.shape
        for rows in compose.bands(height, width):
            yield self.rows(rows)

    def array(self) -> np.ndarray:
        """Returns all rows, [H, W, 3 or 4]."""
        pixels: np.ndarray = np.empty(self.shape, self.depth)
        top = 0
        for band in self.bands():
            pixels[top : top + len(band)] = band
            top += len(band)
        return pixels

    def rows(self, rows: slice) -> np.ndarray:
        """Returns some rows."""
        _, width, channels = self.shape
        inside = slice(rows.start, min(rows.stop, self.picture.pixels.shape[0]))
        pixels: np.ndarray = np.full((rows.stop - rows.start, width, channels), np.iinfo(self.depth).max, self.depth)
        if inside.start < inside.stop:
            pixels[: inside.stop - inside.start] = self._inside(inside)
        return self.mark.draw(pixels, rows) if self.mark else pixels

    @functools.cached_property
    def _lightness(self) -> Lightness:
        return Lightness(self.picture.pixels)

    @functools.cached_property
    def _colours(self) -> upsampling.Upsampler:
        return upsampling.Upsampler(self.ab, self._lightness)

    def _inside(self, rows: slice) -> np.ndarray:
        rgb = compose.compose_rows(self._lightness, self._colours, rows, saturation=self.saturation, depth=self.depth)
        if self.picture.alpha is None:
            return rgb
        alpha = _to_depth(self.picture.alpha[rows], self.depth)
        return np.dstack([rgb, alpha]) if self.keeps_alpha else _over_white(rgb, alpha)


def _to_depth(pixels: np.ndarray, depth: type) -> np.ndarray:
    if pixels.dtype == depth:
        return pixels
    return to_uint8(pixels) if depth == np.uint8 else pixels.astype(np.uint16) * np.uint16(257)


def _over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    full = int(np.iinfo(rgb.dtype).max)
    opacity = alpha[:, :, None].astype(np.uint64)
    return ((rgb * opacity + full * (full - opacity) + full // 2) // full).astype(rgb.dtype)
