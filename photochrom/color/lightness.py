"""L* of a picture, computed on demand for some rows: that of a whole large scan would take 4 bytes a pixel."""

from typing import Any

import cv2
import numpy as np

from photochrom.color import cielab
from photochrom.imaging import resizing

# Rows are reduced in bands of about this many px.
_BAND_PIXELS = 1 << 20


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
        return cielab.to_lightness(np.ascontiguousarray(self._pixels[area]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32)

    def resized(self, height: int, width: int) -> np.ndarray:
        """Returns the result of `resizing.resize` on the whole, [height, width] float32, computed in bands."""
        if height > self.shape[0] or width > self.shape[1]:
            return resizing.resize(self[:], height, width)
        rows = max(1, _BAND_PIXELS // self.shape[1])
        bands = (self[top : top + rows] for top in range(0, len(self), rows))
        # Area averages of rows, then of columns, are area averages.
        narrow = [cv2.resize(band, (width, len(band)), interpolation=cv2.INTER_AREA) for band in bands]
        return cv2.resize(np.concatenate(narrow), (width, height), interpolation=cv2.INTER_AREA)
