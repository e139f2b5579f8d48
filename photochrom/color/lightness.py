"""L* of a picture, computed on demand for some rows: that of a whole large scan would take 4 bytes a pixel."""

from typing import Any

import numpy as np

from photochrom.color import cielab
from photochrom.imaging import resizing


class Lightness:
    """Behaves like the [H, W] float32 array of L* in 0..100 of some pixels under slicing and conversion."""

    def __init__(self, pixels: np.ndarray):
        """Args: pixels: [H, W] gray or [H, W, 3] sRGB, uint8 or uint16."""
        self._pixels = pixels
        self.shape: tuple[int, int] = pixels.shape[:2]
        self.size = self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, area: slice | tuple[slice, slice]) -> np.ndarray:
        return to_lightness(self._pixels[area])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32)

    def resized(self, height: int, width: int) -> np.ndarray:
        """Returns the result of `resizing.resize` on the whole, [height, width] float32; row by row if smaller."""
        from photochrom.color import kernels  # here: numba takes 0.3 s to import

        if height > self.shape[0] or width > self.shape[1]:
            return resizing.resize(self[:], height, width)
        lightness = np.empty((height, width), np.float32)
        kernels.to_reduced_lightness(np.ascontiguousarray(self._pixels), _table(self._pixels), lightness)
        return lightness


def to_lightness(pixels: np.ndarray) -> np.ndarray:
    """Returns [H, W] float32 L* of gray or sRGB pixels of 8 or 16 bit: [H, W] or [H, W, 3]."""
    from photochrom.color import kernels  # here: numba takes 0.3 s to import

    lightness = np.empty(pixels.shape[:2], np.float32)
    kernels.to_lightness(np.ascontiguousarray(pixels), _table(pixels), lightness)
    return lightness


def _table(pixels: np.ndarray) -> np.ndarray:
    full = int(np.iinfo(pixels.dtype).max)
    return cielab.luminance_table(full) if pixels.ndim == 3 else cielab.lightness_table(full)[None]
