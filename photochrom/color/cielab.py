"""sRGB to CIE L*a*b* under D65, by the formula; `gamut` has the way back.

OpenCV's own Lab conversion is fast but off by up to 0.47; this module composes the exact formula
from OpenCV's primitives (table, matrix, power), which is within 0.01 of it at a similar speed.

Sources: IEC 61966-2-1 (sRGB transfer curve), CIE 15:2004 (L*a*b*, with the exact 216/24389 and
24389/27), sRGB primaries and D65 white after Lindbloom, http://www.brucelindbloom.com.
"""

import functools

import cv2
import numpy as np

# Linear sRGB -> XYZ under D65 (Lindbloom). Its row sums are the white point, to which L*a*b* refers.
_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_RGB_TO_WHITE_XYZ = (_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
WHITE_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
# f(X), f(Y), f(Z), 1 -> L*, a*, b* (CIE 15:2004, equation 8.3 to 8.5), as one affine map and its inverse.
_F_TO_LAB = np.array([[0, 116, 0, -16], [500, -500, 0, 0], [0, 200, -200, 0]], np.float32)
LAB_TO_F = np.array(
    [[1 / 116, 1 / 500, 0, 16 / 116], [1 / 116, 0, 0, 16 / 116], [1 / 116, 0, -1 / 200, 16 / 116]], np.float32
)
EPSILON = 216 / 24389
KAPPA = 24389 / 27
# No vector register holds more float32.
_LANES = 16


def _transform(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiplies each of [H, W, 3] float32 pixels by a matrix, with the same result at any position.

    OpenCV computes the last pixels one by one, and on processors with fused multiply-add it rounds them differently
    from the rest; they are computed again, with more pixels behind them.
    """
    pixels = np.ascontiguousarray(pixels)
    result = cv2.transform(pixels, matrix)
    last = pixels.reshape(-1, 1, 3)[-_LANES:]
    again = cv2.transform(np.resize(last, (2 * _LANES, 1, 3)), matrix)
    result.reshape(-1, len(matrix))[-len(last) :] = again.reshape(-1, len(matrix))[: len(last)]
    return result


def srgb_to_linear(rgb: np.ndarray) -> np.ndarray:
    """Undoes the sRGB transfer curve: floats in [0, 1] to linear light in [0, 1], same shape."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)


_LINEAR_OF_UINT8 = srgb_to_linear(np.arange(256) / 255).astype(np.float32)


def luminance_to_lightness(luminance: np.ndarray) -> np.ndarray:
    """Relative luminance Y in [0, 1] to L* in [0, 100], same shape."""
    return np.where(luminance > EPSILON, 116 * np.cbrt(luminance) - 16, KAPPA * luminance)


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Converts sRGB pixels to CIE L*a*b* under D65.

    Args:
        rgb: [H, W, 3] uint8, or floats in [0, 1].

    Returns:
        [H, W, 3] float32: L* in [0, 100], a* in [-87, 99], b* in [-108, 95].

    Raises:
        ValueError: if the last of three axes does not have 3 channels.

    Source: IEC 61966-2-1 for the transfer curve, CIE 15:2004 for L*a*b*.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb has shape {rgb.shape}, expected [H, W, 3]")
    is_uint8 = rgb.dtype == np.uint8
    linear = cv2.LUT(rgb, _LINEAR_OF_UINT8) if is_uint8 else srgb_to_linear(rgb).astype(np.float32)
    xyz = _transform(linear, _RGB_TO_WHITE_XYZ)
    f = cv2.pow(xyz, 1 / 3)
    dark = xyz <= EPSILON
    if dark.any():
        f[dark] = (KAPPA * xyz[dark] + 16) / 116
    return _transform(f, _F_TO_LAB)


def gray_to_lightness(gray: np.ndarray) -> np.ndarray:
    """Converts sRGB-encoded gray to L*.

    Args:
        gray: [H, W] uint8 or uint16.

    Returns:
        [H, W] float32, L* in [0, 100].
    """
    return lightness_table(int(np.iinfo(gray.dtype).max))[gray]


@functools.cache
def lightness_table(full: int) -> np.ndarray:
    """Returns [full + 1] float32: L* of each level of gray."""
    return luminance_to_lightness(srgb_to_linear(np.arange(full + 1) / full)).astype(np.float32)


@functools.cache
def luminance_table(full: int) -> np.ndarray:
    """Returns [3, full + 1] float32: the relative luminance Y of each level of red, green and blue alone."""
    return np.outer(_RGB_TO_WHITE_XYZ[1], srgb_to_linear(np.arange(full + 1) / full)).astype(np.float32)
