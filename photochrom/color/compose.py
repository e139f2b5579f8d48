"""Composition: predicted ab, upsampled, joined with the original's lightness, mapped into sRGB, as pixels."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from photochrom.color import gamut, upsampling
from photochrom.color.lightness import Lightness

# Rows are composed in bands of about this many px, so that their L* stays in the second-level cache.
_BAND_PIXELS = 1 << 18


def compose(
    lightness: np.ndarray, ab: np.ndarray, *, saturation: float = 1.0, depth: npt.DTypeLike = np.uint8
) -> np.ndarray:
    """Joins lightness and colour.

    Args:
        lightness: [H, W] float32 L*, which the result keeps.
        ab: [h, w, 2] float32 CIE a*, b* at any smaller size.
        saturation: factor on the chroma.
        depth: dtype of the result, uint8 or uint16.

    Returns:
        [H, W, 3] sRGB; chroma is reduced at constant L* and hue where sRGB has no such colour.
    """
    rgb = np.empty((*lightness.shape, 3), depth)
    colours = upsampling.Upsampler(ab, lightness)
    for rows in bands(*lightness.shape):
        rgb[rows] = compose_rows(lightness, colours, rows, saturation=saturation, depth=depth)
    return rgb


def compose_rows(
    lightness: np.ndarray | Lightness,
    colours: upsampling.Upsampler,
    rows: slice,
    *,
    saturation: float = 1.0,
    depth: npt.DTypeLike = np.uint8,
) -> np.ndarray:
    """Returns some rows of the result of `compose`: the same pixels for any division into bands."""
    part = np.ascontiguousarray(lightness[rows], np.float32)
    if colours.grid is None:
        ab = colours.rows(rows.start, rows.stop) * np.float32(saturation)
        return gamut.lab_to_rgb(cv2.merge([part, ab]), depth)
    from photochrom.color import kernels  # here: numba takes 0.3 s to import

    rgb = np.empty((*part.shape, 3), depth)
    kernels.compose(part, colours.grid, colours.y[rows], colours.x, np.float32(saturation), gamut.tolerance(depth), rgb)
    return rgb


def bands(height: int, width: int) -> Iterator[slice]:
    """Cuts a picture into bands of whole rows, from the top."""
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
