"""Gamut mapping: CIE L*a*b* to sRGB pixels, with less chroma at constant L* and hue where sRGB has no such colour."""

import cv2
import numpy as np
import numpy.typing as npt

from photochrom.color.cielab import KAPPA, WHITE_XYZ_TO_RGB, lab_to_linear, linear_to_srgb

# Values this far beyond 0..1 in linear light still count as inside. Clipping them moves L* by up to 903.3 times as
# much, in the dark: by 0.09 where pixels have 8 bits, of which rounding takes 0.25 anyway; by 0.002 where they have 16.
# The noise of float32 is smaller: 0.0000005.
_TOLERANCE = {np.dtype(np.uint8): 1e-4, np.dtype(np.uint16): 2e-6}
# Halvings of the search: 12 leave an error under 0.03 at a chroma of 130.
_HALVINGS = 12


def lab_to_rgb(lab: np.ndarray, depth: npt.DTypeLike = np.uint8) -> np.ndarray:
    """Converts CIE L*a*b* to sRGB; colours outside the gamut lose chroma at constant L* and hue.

    Args:
        lab: [H, W, 3] float32.
        depth: dtype of the result, uint8 or uint16.

    Returns:
        [H, W, 3] of that dtype. L* moves by at most 0.5 (uint8) or 0.01 (uint16), by rounding and clipping.
    """
    tolerance = _TOLERANCE[np.dtype(depth)]
    linear = lab_to_linear(lab)
    outside = ~_is_in_range(linear, tolerance)
    if outside.any():
        linear[outside] = lab_to_linear(_less_chroma(lab[outside], tolerance)[:, None])[:, 0]
    full = np.iinfo(depth).max
    return np.rint(linear_to_srgb(linear) * full).astype(depth)


def _is_in_range(linear: np.ndarray, tolerance: float) -> np.ndarray:
    # NumPy's min and max over an axis of 3 take ten times as long.
    return cv2.inRange(linear, (-tolerance,) * 3, (1 + tolerance,) * 3) > 0


def _less_chroma(colours: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns [N, 3] L*a*b* with the largest share of the chroma of [N, 3] `colours` that fits, by bisection.

    L* and with it Y stay; along the ray only X and Z move, and with them the linear R, G and B.
    """
    lightness, a, b = (np.ascontiguousarray(channel) for channel in colours.T)
    f_y = (lightness + 16) / np.float32(116)
    of_y = WHITE_XYZ_TO_RGB[:, 1:2] * _f_to_relative(f_y)  # [3, N]
    a, b = a / np.float32(500), b / np.float32(-200)
    low = np.zeros_like(lightness)
    limit = tolerance - 1e-6  # so that another order of the same sums finds them inside too
    for i in range(_HALVINGS):
        middle = low + np.float32(0.5 ** (i + 1))
        x, z = _f_to_relative(f_y + middle * a), _f_to_relative(f_y + middle * b)
        inside = np.ones(len(low), bool)
        for channel in range(3):
            linear = WHITE_XYZ_TO_RGB[channel, 0] * x + of_y[channel] + WHITE_XYZ_TO_RGB[channel, 2] * z
            inside &= (linear >= -limit) & (linear <= 1 + limit)
        low = np.where(inside, middle, low)
    return colours * np.stack([np.ones_like(low), low, low], axis=1)


def _f_to_relative(f: np.ndarray) -> np.ndarray:
    """Inverts the f of CIE 15:2004: f(X/Xn) to X/Xn, the same for Y and Z."""
    return np.where(f > 6 / 29, f * f * f, (116 * f - 16) / np.float32(KAPPA))
