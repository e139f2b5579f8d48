"""Gamut mapping: CIE L*a*b* to sRGB pixels, with less chroma at constant L* and hue where sRGB has no such colour."""

import numpy as np
import numpy.typing as npt

# Values this far beyond 0..1 in linear light still count as inside. Clipping them moves L* by up to 903.3 times as
# much, in the dark: by 0.09 where pixels have 8 bits, of which rounding takes 0.25 anyway; by 0.002 where they have 16.
# The noise of float32 is smaller: 0.0000005.
_TOLERANCE = {np.dtype(np.uint8): np.float32(1e-4), np.dtype(np.uint16): np.float32(2e-6)}


def lab_to_rgb(lab: np.ndarray, depth: npt.DTypeLike = np.uint8) -> np.ndarray:
    """Converts CIE L*a*b* to sRGB; colours outside the gamut lose chroma at constant L* and hue.

    Args:
        lab: [H, W, 3] float32.
        depth: dtype of the result, uint8 or uint16.

    Returns:
        [H, W, 3] of that dtype. L* moves by at most 0.5 (uint8) or 0.01 (uint16), by rounding and clipping.
    """
    from photochrom.color import kernels  # here: numba takes 0.3 s to import

    rgb = np.empty(lab.shape, depth)
    kernels.lab_to_rgb(np.ascontiguousarray(lab, np.float32), tolerance(depth), rgb)
    return rgb


def tolerance(depth: npt.DTypeLike) -> np.float32:
    """Returns how far beyond 0..1 linear light still counts as inside the gamut for pixels of this dtype."""
    return _TOLERANCE[np.dtype(depth)]
