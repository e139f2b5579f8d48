"""Puts predicted colour and the original's lightness together: ab upsampled, fitted to sRGB, as 8-bit pixels."""

import cv2
import numpy as np

from photochrom import color, upsampling

# Rows are composed in blocks of about this many px, so that float copies of a large scan do not pile up.
_BLOCK_PIXELS = 1 << 20


def compose(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Joins lightness and colour.

    Args:
        lightness: [H, W] float32 L*, which the result keeps.
        ab: [h, w, 2] float32 CIE a*, b* at any smaller size.

    Returns:
        [H, W, 3] uint8 sRGB; chroma is reduced at constant L* and hue where sRGB has no such colour.
    """
    height, width = lightness.shape
    colours = upsampling.Upsampler(ab, lightness)
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, _BLOCK_PIXELS // width)
    for top in range(0, height, rows):
        block = slice(top, top + rows)
        rgb[block] = color.lab_to_rgb(cv2.merge([lightness[block], colours.rows(block.start, block.stop)]))
    return rgb
