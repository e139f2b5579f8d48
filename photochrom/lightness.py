"""The L* of a picture, computed for the rows that are asked for: a large scan's would take 4 bytes for each pixel."""

from typing import Any

import numpy as np

from photochrom import color


class Lightness:
    """Looks like the [H, W] float32 array of L* in 0..100 of some pixels, and is sliced by rows as one is."""

    def __init__(self, pixels: np.ndarray):
        """Args: pixels: [H, W] gray or [H, W, 3] sRGB, uint8 or uint16."""
        self._pixels = pixels
        self.shape: tuple[int, int] = pixels.shape[:2]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return color.to_lightness(np.ascontiguousarray(self._pixels[rows]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32)
