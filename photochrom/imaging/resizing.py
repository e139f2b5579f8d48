"""Resizing of pixels, and the square crop that training sees."""

import cv2
import numpy as np

from photochrom import errors


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes [H, W] or [H, W, C] pixels: by area averaging when smaller, bicubic when larger. Same dtype."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height <= pixels.shape[0] and width <= pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def fit(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resizes [H, W] or [H, W, C] pixels so that the longer side has `size` px; the aspect ratio is kept."""
    scale = size / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return resize(pixels, height, width)


def center_square(pixels: np.ndarray, size: int, enlarge: bool = False) -> np.ndarray:
    """Returns the middle square of the picture, resized.

    Args:
        pixels: [H, W, C] uint8.
        size: side of the result, px.
        enlarge: whether a picture of any size is accepted.

    Returns:
        [size, size, C] uint8.

    Raises:
        TooSmall: the shorter side has under half of `size` px; enlarging more would teach the model blur.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    if 2 * side < size and not enlarge:
        raise errors.TooSmall(
            f"image is too small: {width}x{height} px, the shorter side has to be at least {size // 2} px"
        )
    top, left = (height - side) // 2, (width - side) // 2
    return resize(pixels[top : top + side, left : left + side], size, size)
