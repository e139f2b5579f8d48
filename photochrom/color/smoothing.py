"""Evens out predicted ab within surfaces, at the model's size: a joint bilateral filter, guided by L*.

A network's colours vary within one surface without a cause in the scene. Neighbours of the same lightness get about
their common colour; across edges of L* nothing is mixed. docs/model.md has the measurements and the alternatives.

Source: Petschnigg et al. 2004, Digital photography with flash and no-flash image pairs (joint bilateral filter).
"""

import numpy as np

from photochrom.imaging import resizing

# Standard deviations of the weights: px of ab, and L*. Neighbours up to two of the first away count.
_PLACE = 2.0
_LIGHTNESS = 5.0
_RADIUS = 4


def smooth(ab: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Returns ab, averaged over neighbours of similar lightness.

    Args:
        ab: [h, w, 2] float32 CIE a*, b*.
        lightness: [H, W] float32 L* of the same picture, at any size.

    Returns:
        [h, w, 2] float32, within the range of `ab`.
    """
    guide = resizing.resize(np.ascontiguousarray(lightness), *ab.shape[:2])
    values = np.dstack([ab, np.ones_like(guide)])
    around_values = np.pad(values, ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0)))
    around_guide = np.pad(guide, _RADIUS)
    total = np.zeros_like(values)
    for down in range(2 * _RADIUS + 1):
        for across in range(2 * _RADIUS + 1):
            window = slice(down, down + len(guide)), slice(across, across + guide.shape[1])
            distance = ((down - _RADIUS) ** 2 + (across - _RADIUS) ** 2) / _PLACE**2
            difference = (around_guide[window] - guide) / np.float32(_LIGHTNESS)
            weight = np.exp(np.float32(-0.5) * (np.float32(distance) + difference * difference))
            total += weight[..., None] * around_values[window]
    return total[..., :2] / total[..., 2:]
