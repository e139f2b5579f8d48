"""Brings the network's ab to the size of the picture, a band of rows at a time."""

import cv2
import numpy as np

from photochrom.lightness import Lightness

# The cubic of OpenCV's INTER_CUBIC: Keys' kernel with this parameter.
_CUBIC = -0.75


class Upsampler:
    """Full-size ab of one picture, by bands of rows; its memory grows with the band, not with the picture."""

    def __init__(self, ab: np.ndarray, lightness: np.ndarray | Lightness):
        """Args: ab: [h, w, 2] float32 CIE a*, b*. lightness: [H, W] float32 L* of the full picture."""
        self._ab = ab
        self._shape: tuple[int, ...] = lightness.shape

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Returns [stop - start, W, 2] float32 ab of these rows of the picture, the same whatever the bands are."""
        ab, (height, width) = self._ab, self._shape
        if ab.shape[:2] == (height, width):
            return np.ascontiguousarray(ab[start:stop])
        position = (np.arange(start, stop) + 0.5) * (ab.shape[0] / height) - 0.5
        first = np.floor(position).astype(int)
        taps = [ab[np.clip(first + i, 0, ab.shape[0] - 1)] for i in (-1, 0, 1, 2)]
        weights = cubic_weights(position - first)
        tall = sum(tap * weight[:, None, None] for tap, weight in zip(taps, weights, strict=True))
        return cv2.resize(tall, (width, stop - start), interpolation=cv2.INTER_CUBIC)  # the height is right already


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
