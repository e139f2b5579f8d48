"""Loops over pixels, compiled by numba: L* of a scan, its reduction, the bilateral grid's ab, L*a*b* to sRGB.

A picture is processed in blocks of a row that stay in the first-level cache. Each pass over a block is a loop that LLVM
vectorizes: it needs separate planes (4 times as fast as interleaved channels) and no tables, so powers are polynomials.
Only IEEE 754's sum, product, quotient and square root are used, without fused or reordered operations: the bytes are
the same on every processor and for any division into rows. All numba code is in this file: numba keeps the compiled
code until the file changes, and does not see changes of other modules.

Importing it takes 0.3 s, so other modules import it where they call it. NumPy's versions, which tests compare with, are
in tests/support/reference_colour.py.
"""

import functools
import pickle
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from photochrom.color.cielab import KAPPA, WHITE_XYZ_TO_RGB

# px of a row that are processed at a time: the planes of a block take 32 KB.
_BLOCK = 1024
_PLANES = 8
# Halvings of the search for the largest chroma: 12 leave an error under 0.03 at a chroma of 130.
_HALVINGS = 12
_F = np.float32  # numba computes in double precision where one operand is a Python number
_ZERO, _HALF, _ONE = _F(0), _F(0.5), _F(1)
(_RX, _RY, _RZ), (_GX, _GY, _GZ), (_BX, _BY, _BZ) = WHITE_XYZ_TO_RGB
# Polynomials in t = x^(1/4), highest power first; the tests state how they are fitted and how near they come.
# 1.055 x^(1/2.4) - 0.055 for x from 0.0031308 to 1 (IEC 61966-2-1), within 4e-7.
_E7, _E6, _E5, _E4, _E3, _E2, _E1, _E0 = (
    _F(c) for c in [-0.067992263, 0.35894638, -0.83378655, 1.146515, -1.1208493, 1.450242, 0.12550609, -0.05858168]
)
# 116 x^(1/3) - 16 for x from 216/24389 to 1 (CIE 15:2004), within 5e-5.
_L7, _L6, _L5, _L4, _L3, _L2, _L1, _L0 = (
    _F(c) for c in [-8.0032854, 44.199627, -107.40658, 153.25334, -149.17719, 132.87311, 51.294804, -17.033859]
)
_inner = numba.njit(nogil=True, error_model="numpy")


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compiles a function at its first call with some dtypes, about 1 s, and keeps the result.

    It is kept beside this file or, where that folder is read-only, in the user's cache folder, by processor and
    version; NUMBA_CACHE_DIR names another. With none of them, a full disk or damaged files there, each process
    compiles for itself.
    """
    plain = _inner(function)
    try:
        kept = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither folder can be written
        return plain

    @functools.wraps(function)
    def call(*arguments: Any) -> None:
        try:
            kept(*arguments)
        except (OSError, EOFError, pickle.PickleError):
            plain(*arguments)

    return call


@_kernel
def to_lightness(pixels: np.ndarray, table: np.ndarray, result: np.ndarray) -> None:
    """Computes L*.

    Args:
        pixels: [H, W] gray or [H, W, 3] sRGB, uint8 or uint16.
        table: of gray, [1, levels] float32 L* of each level; of sRGB, [3, levels] float32 parts of Y of each level.
        result: [H, W] float32, is written.
    """
    for row in range(len(pixels)):
        _lightness(pixels[row], table, result[row])


@_kernel
def to_reduced_lightness(pixels: np.ndarray, table: np.ndarray, result: np.ndarray) -> None:
    """Averages L* over areas: `result`, [h, w] float32, is written; h and w are at most H and W. Args: as above."""
    height, width = pixels.shape[:2]
    step = height / len(result)
    line, total = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(len(result)):
        top, bottom = i * step, min((i + 1) * step, float(height))
        total[:] = _ZERO
        for row in range(int(top), int(np.ceil(bottom))):
            _lightness(pixels[row], table, line)
            share = _F(min(row + 1.0, bottom) - max(float(row), top))
            for column in range(width):
                total[column] += share * line[column]
        _average(total, step, result[i])


@_kernel
def level_shares(lightness: np.ndarray, shares: np.ndarray) -> None:
    """Computes the share of each area of L* that has each level, linearly between two levels.

    Args:
        lightness: [h m, w n] float32 L*.
        shares: [h, w, K] float32, K levels from 0 to 100, is written.
    """
    height, width, levels = shares.shape
    rows, columns = len(lightness) // height, lightness.shape[1] // width
    scale, part = _F((levels - 1) / 100), _ONE / _F(rows * columns)
    shares[:] = _ZERO
    for row in range(height * rows):
        line = shares[row // rows]
        for column in range(width):
            area = line[column]
            for value in lightness[row, column * columns : (column + 1) * columns]:
                below, share = _level(value, scale, levels)
                area[below] += (_ONE - share) * part
                area[below + 1] += share * part


@_kernel
def read_grid(lightness: np.ndarray, grid: np.ndarray, y: np.ndarray, x: np.ndarray, ab: np.ndarray) -> None:
    """Reads ab off a bilateral grid, linearly in place and level.

    Args:
        lightness: [H, W] float32 L*.
        grid: [h, w, K, 2] float32 a*, b* of K levels of L* from 0 to 100.
        y, x: [H] and [W] float32, the places of rows and columns on the grid, 0 to h - 1 and w - 1.
        ab: [H, W, 2] float32, is written.
    """
    line = np.empty(grid[0].size, np.float32)
    planes = np.empty((_PLANES, _BLOCK), np.float32)
    for row in range(len(lightness)):
        _mix_rows(grid, y[row], line)
        for left in range(0, len(x), _BLOCK):
            right = min(left + _BLOCK, len(x))
            _read(lightness[row, left:right], line, grid.shape, x[left:right], _ONE, planes)
            for i in range(right - left):
                ab[row, left + i, 0], ab[row, left + i, 1] = planes[0, i], planes[1, i]


@_kernel
def compose(
    lightness: np.ndarray,
    grid: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    saturation: np.float32,
    tolerance: np.float32,
    rgb: np.ndarray,
) -> None:
    """Joins L* and the ab of `read_grid`, times `saturation`, to sRGB as `lab_to_rgb` does: `rgb` is written."""
    line = np.empty(grid[0].size, np.float32)
    planes = np.empty((_PLANES, _BLOCK), np.float32)
    for row in range(len(lightness)):
        _mix_rows(grid, y[row], line)
        for left in range(0, len(x), _BLOCK):
            right = min(left + _BLOCK, len(x))
            part = lightness[row, left:right]
            _read(part, line, grid.shape, x[left:right], saturation, planes)
            _to_rgb(part, planes, tolerance, rgb[row, left:right])


@_kernel
def lab_to_rgb(lab: np.ndarray, tolerance: np.float32, rgb: np.ndarray) -> None:
    """Converts L*a*b* to sRGB, with less chroma at constant L* and hue where sRGB has no such colour.

    Args:
        lab: [H, W, 3] float32.
        tolerance: linear light this far beyond 0..1 counts as inside the gamut, and is clipped.
        rgb: [H, W, 3] uint8 or uint16, is written.
    """
    part, planes = np.empty(_BLOCK, np.float32), np.empty((_PLANES, _BLOCK), np.float32)
    for row in range(lab.shape[0]):
        for left in range(0, lab.shape[1], _BLOCK):
            count = min(_BLOCK, lab.shape[1] - left)
            for i in range(count):
                part[i], planes[0, i], planes[1, i] = lab[row, left + i]
            _to_rgb(part[:count], planes, tolerance, rgb[row, left : left + count])


@_inner
def _lightness(pixels: np.ndarray, table: np.ndarray, result: np.ndarray) -> None:
    """Computes L* of one row."""
    if pixels.ndim == 1:
        for i in range(len(pixels)):
            result[i] = table[0, pixels[i]]
    else:
        for i in range(len(pixels)):
            result[i] = table[0, pixels[i, 0]] + table[1, pixels[i, 1]] + table[2, pixels[i, 2]]
        for i in range(len(pixels)):
            result[i] = _luminance_to_lightness(result[i])


@_inner
def _luminance_to_lightness(y: np.float32) -> np.float32:
    t = np.sqrt(np.sqrt(y))
    lightness = ((((((_L7 * t + _L6) * t + _L5) * t + _L4) * t + _L3) * t + _L2) * t + _L1) * t + _L0
    return lightness if y > _F(216 / 24389) else _F(KAPPA) * y


@_inner
def _average(total: np.ndarray, row_step: float, result: np.ndarray) -> None:
    """Averages areas of columns of a sum of `row_step` rows."""
    width, step = len(total), len(total) / len(result)
    for i in range(len(result)):
        left, right = i * step, min((i + 1) * step, float(width))
        area = 0.0
        for column in range(int(left), int(np.ceil(right))):
            area += (min(column + 1.0, right) - max(float(column), left)) * total[column]
        result[i] = area / (step * row_step)


@_inner
def _mix_rows(grid: np.ndarray, y: np.float32, line: np.ndarray) -> None:
    """Interpolates between two rows of the grid: [w K 2]."""
    above = np.int32(y)
    below, share = above + 1 if above + 1 < len(grid) else above, y - _F(above)
    upper, lower = grid[above].reshape(-1), grid[below].reshape(-1)
    for i in range(len(line)):
        line[i] = upper[i] + share * (lower[i] - upper[i])


@_inner
def _read(lightness, line, shape, x, saturation, planes):  # type: ignore[no-untyped-def]
    """Reads a* and b* of a block off a row of the grid, into the first two planes."""
    _, width, levels, _ = shape
    a, b, across, up = planes[0], planes[1], planes[2], planes[3]
    place = planes[4].view(np.int32)
    stride, last = np.int32(2 * levels), np.int32(max(width - 2, 0))
    scale = _F((levels - 1) / 100)
    for i in range(len(x)):
        below, up[i] = _level(lightness[i], scale, levels)
        column = min(np.int32(x[i]), last)
        across[i] = x[i] - _F(column)
        place[i] = column * stride + np.int32(2) * below
    beside = np.uintp(stride if width > 1 else 0)
    for i in range(len(x)):
        here = np.uintp(place[i])
        right = here + beside
        u, v = across[i], up[i]
        a0, a1 = line[here], line[here + np.uintp(2)]
        b0, b1 = line[here + np.uintp(1)], line[here + np.uintp(3)]
        a0 += u * (line[right] - a0)
        a1 += u * (line[right + np.uintp(2)] - a1)
        b0 += u * (line[right + np.uintp(1)] - b0)
        b1 += u * (line[right + np.uintp(3)] - b1)
        a[i], b[i] = (a0 + v * (a1 - a0)) * saturation, (b0 + v * (b1 - b0)) * saturation


@_inner
def _level(lightness, scale, levels):  # type: ignore[no-untyped-def]
    """Returns the level at or below L*, 0..K-2, and the share of the next one."""
    level = lightness * scale
    level = level if level > _ZERO else _ZERO  # also where it is no number
    level = min(level, _F(levels - 1))
    below = min(np.int32(level), np.int32(levels - 2))
    return below, level - _F(below)


@_inner
def _to_rgb(lightness, planes, tolerance, rgb):  # type: ignore[no-untyped-def]
    """Converts a block, whose a* and b* are in the first two planes."""
    count = len(lightness)
    a, b = planes[0, :count], planes[1, :count]
    red, green, blue = planes[2, :count], planes[3, :count], planes[4, :count]
    outside = planes[5].view(np.int32)[:count]
    _to_linear(lightness, a, b, tolerance, red, green, blue, outside)
    number = _places(outside)
    if number:
        f, low = planes[6, :number], planes[7, :number]
        _reduce_chroma(outside[:number], lightness, a, b, tolerance, f, low)
        for i in range(number):
            here = np.uintp(outside[i])
            red[here], green[here], blue[here] = _linear(f[i], low[i] * a[i], low[i] * b[i])
    full = _F(255 if rgb.itemsize == 1 else 65535)
    _encode(red, full)
    _encode(green, full)
    _encode(blue, full)
    for i in range(count):
        rgb[i, 0], rgb[i, 1], rgb[i, 2] = np.int32(red[i]), np.int32(green[i]), np.int32(blue[i])


@_inner
def _to_linear(lightness, a, b, tolerance, red, green, blue, outside):  # type: ignore[no-untyped-def]
    """Converts L*a*b* to linear sRGB; `outside` is 1 out of gamut, else 0. a, b become f(X) - f(Y), f(Z) - f(Y)."""
    for i in range(len(lightness)):
        a[i] *= _F(1 / 500)
        b[i] *= _F(-1 / 200)
        r, g, bl = _linear(_lightness_to_f(lightness[i]), a[i], b[i])
        red[i], green[i], blue[i] = r, g, bl
        outside[i] = _ZERO if _is_in_range(r, g, bl, tolerance) else _ONE


@_inner
def _places(outside: np.ndarray) -> int:
    """Replaces flags by the places of those that are set, in front; returns their number."""
    number = 0
    for i in range(len(outside)):
        is_set = outside[i]
        outside[number] = i
        number += is_set
    return number


@_inner
def _reduce_chroma(outside, lightness, a, b, tolerance, f, low):  # type: ignore[no-untyped-def]
    """Finds by bisection the largest share of the chroma that fits, `low`, for the pixels `outside`.

    f(Y), f(X) - f(Y) and f(Z) - f(Y) of these pixels are moved to the front of f, a and b.
    """
    for i in range(len(outside)):
        here = np.uintp(outside[i])
        f[i], a[i], b[i], low[i] = _lightness_to_f(lightness[here]), a[here], b[here], _ZERO
    step, limit = _ONE, tolerance - _F(1e-6)  # so that other roundings find them inside too
    for _ in range(_HALVINGS):
        step *= _HALF
        for i in range(len(outside)):
            middle = low[i] + step
            r, g, bl = _linear(f[i], middle * a[i], middle * b[i])
            low[i] = middle if _is_in_range(r, g, bl, limit) else low[i]


@_inner
def _lightness_to_f(lightness):  # type: ignore[no-untyped-def]
    return (lightness + _F(16)) * _F(1 / 116)


@_inner
def _linear(f, a, b):  # type: ignore[no-untyped-def]
    """Returns linear R, G, B of f(Y), f(X) - f(Y) and f(Z) - f(Y)."""
    x, y, z = _f_to_relative(f + a), _f_to_relative(f), _f_to_relative(f + b)
    return _RX * x + _RY * y + _RZ * z, _GX * x + _GY * y + _GZ * z, _BX * x + _BY * y + _BZ * z


@_inner
def _f_to_relative(f):  # type: ignore[no-untyped-def]
    """Inverts the f of CIE 15:2004: f(X/Xn) to X/Xn, the same for Y and Z."""
    return f * f * f if f > _F(6 / 29) else (_F(116) * f - _F(16)) * _F(1 / KAPPA)


@_inner
def _is_in_range(red, green, blue, tolerance):  # type: ignore[no-untyped-def]
    return min(red, green, blue) >= -tolerance and max(red, green, blue) <= _ONE + tolerance


@_inner
def _encode(plane, full):  # type: ignore[no-untyped-def]
    """Replaces linear light by sRGB, 0..`full`, to be cut to whole numbers."""
    for i in range(len(plane)):
        plane[i] = _encoded(plane[i]) * full + _HALF


@_inner
def _encoded(linear):  # type: ignore[no-untyped-def]
    """Applies the sRGB transfer curve to linear light, clipped to 0..1."""
    linear = linear if linear > _ZERO else _ZERO  # also where it is no number
    linear = min(linear, _ONE)
    t = np.sqrt(np.sqrt(linear))
    encoded = ((((((_E7 * t + _E6) * t + _E5) * t + _E4) * t + _E3) * t + _E2) * t + _E1) * t + _E0
    return encoded if linear > _F(0.0031308) else _F(12.92) * linear
