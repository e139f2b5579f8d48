"""Brings the network's ab to the size of the picture, a band of rows at a time."""

import cv2
import numpy as np

from photochrom.lightness import Lightness

# The cubic of OpenCV's INTER_CUBIC: Keys' kernel with this parameter.
_CUBIC = -0.75


def upsample_ab(ab: np.ndarray, lightness: np.ndarray | Lightness, rows: slice) -> np.ndarray:
    """Returns some rows of ab at the size of the picture, by bicubic interpolation.

    Args:
        ab: [h, w, 2] float32 CIE a*, b*.
        lightness: [H, W] float32 L* of the picture.
        rows: which rows of the picture.

    Returns:
        [rows, W, 2] float32, the same whatever the cut into bands.
    """
    height, width = lightness.shape
    top, bottom, _ = rows.indices(height)
    if ab.shape[:2] == (height, width):
        return np.ascontiguousarray(ab[top:bottom])
    position = (np.arange(top, bottom) + 0.5) * (ab.shape[0] / height) - 0.5
    first = np.floor(position).astype(int)
    taps = [ab[np.clip(first + i, 0, ab.shape[0] - 1)] for i in (-1, 0, 1, 2)]
    weights = cubic_weights(position - first)
    tall = sum(tap * weight[:, None, None] for tap, weight in zip(taps, weights, strict=True))
    return cv2.resize(tall, (width, bottom - top), interpolation=cv2.INTER_CUBIC)  # the height is right already


def cubic_weights(fraction: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the weights of the 4 samples around a point that lies `fraction`, 0..1, beyond the second, float32.

    Source: R. G. Keys, Cubic convolution interpolation, IEEE ASSP 29(6), 1981, equation 4.
    """
    distances = (fraction + 1, fraction, 1 - fraction, 2 - fraction)

    def weight(d: np.ndarray) -> np.ndarray:
        near = ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1
        far = ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC
        return np.where(d <= 1, near, far).astype(np.float32)

    return tuple(weight(d) for d in distances)
