"""NumPy's versions of `photochrom.color.kernels`, in double precision: for comparison."""

import numpy as np

from photochrom.color import cielab

# Of `kernels`: halvings of the search for the largest chroma, and how much narrower its gamut is.
HALVINGS = 12
MARGIN = 1e-6


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Applies the sRGB transfer curve (IEC 61966-2-1): linear light in [0, 1] to [0, 1]."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def lab_to_linear(lab: np.ndarray) -> np.ndarray:
    """Converts [..., 3] CIE L*a*b* to linear sRGB, outside [0, 1] where sRGB cannot show it (CIE 15:2004)."""
    lightness, a, b = np.moveaxis(lab.astype(np.float64), -1, 0)
    f_y = (lightness + 16) / 116
    f = np.stack([f_y + a / 500, f_y, f_y - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (116 * f - 16) / cielab.KAPPA)
    return xyz @ cielab.WHITE_XYZ_TO_RGB.T.astype(np.float64)


def lab_to_rgb(lab: np.ndarray, depth: type, tolerance: float) -> np.ndarray:
    """Converts [H, W, 3] L*a*b* to sRGB; the chroma that fits is found by bisection at constant L* and hue."""
    low = np.zeros(lab.shape[:2])
    for i in range(HALVINGS):
        middle = low + 0.5 ** (i + 1)
        low = np.where(_is_inside(_scaled(lab, middle), tolerance - MARGIN), middle, low)
    share = np.where(_is_inside(lab, tolerance), 1, low)
    full = np.iinfo(depth).max
    return np.rint(linear_to_srgb(lab_to_linear(_scaled(lab, share)).clip(0, 1)) * full).astype(depth)


def read_grid(lightness: np.ndarray, grid: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns [H, W, 2] float64 ab, read linearly off [h, w, K, 2] at the places y [H], x [W] and at [H, W] L*."""
    levels = grid.shape[2]
    level = lightness.clip(0, 100).astype(np.float64) * (levels - 1) / 100
    ab = np.zeros((*lightness.shape, 2))
    for rows, row_weight in _neighbours(y[:, None], grid.shape[0]):
        for columns, column_weight in _neighbours(x[None], grid.shape[1]):
            for below, level_weight in _neighbours(level, levels):
                ab += (row_weight * column_weight * level_weight)[..., None] * grid[rows, columns, below]
    return ab


def _neighbours(place: np.ndarray, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    first = np.floor(place).astype(int)
    share = place - first
    return [(first, 1 - share), (np.minimum(first + 1, count - 1), share)]


def _scaled(lab: np.ndarray, share: np.ndarray) -> np.ndarray:
    return lab * np.stack([np.ones_like(share), share, share], axis=-1)


def _is_inside(lab: np.ndarray, tolerance: float) -> np.ndarray:
    linear = lab_to_linear(lab)
    return ((linear >= -tolerance) & (linear <= 1 + tolerance)).all(axis=-1)
