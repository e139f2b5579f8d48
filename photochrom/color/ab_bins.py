"""The grid of ab bins: the colours of sRGB in squares 10 units wide (Zhang 2016, section 2.1).

Bins are numbered along b* first. Only those with a colour of the sRGB gamut in them are kept.
Source: R. Zhang, P. Isola, A. Efros, "Colorful Image Colorization", ECCV 2016.
"""

import functools

import numpy as np

from photochrom.color import cielab

WIDTH = 10
# sRGB reaches a* -86.2..98.3 and b* -107.9..94.5 (D65): centres at multiples of 10 that cover it.
A_CENTRES = np.arange(-90, 101, WIDTH)
B_CENTRES = np.arange(-110, 101, WIDTH)


@functools.cache
def in_gamut() -> np.ndarray:
    """Returns [20, 22] bool: whether the bin of that (a*, b*) holds an sRGB colour.

    Found by rounding a 64x64x64 lattice of sRGB to the bins.
    """
    levels = np.linspace(0, 255, 64).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(512, 512, 3)
    ab = np.rint(cielab.rgb_to_lab(lattice)[:, :, 1:] / WIDTH).astype(int).reshape(-1, 2)
    grid = np.zeros((len(A_CENTRES), len(B_CENTRES)), bool)
    grid[ab[:, 0] - A_CENTRES[0] // WIDTH, ab[:, 1] - B_CENTRES[0] // WIDTH] = True
    return grid


@functools.cache
def centres() -> np.ndarray:
    """Returns [Q, 2] float32: a* and b* of the middle of each bin in gamut."""
    a, b = np.nonzero(in_gamut())
    return np.stack([A_CENTRES[a], B_CENTRES[b]], axis=1).astype(np.float32)


@functools.cache
def nearest() -> np.ndarray:
    """Returns [20, 22] int32: for each square of the grid the number of the nearest bin in gamut, 0..Q-1."""
    a, b = np.meshgrid(A_CENTRES, B_CENTRES, indexing="ij")
    squares = np.stack([a, b], axis=-1)[:, :, None, :]
    return np.square(squares - centres()).sum(axis=-1).argmin(axis=-1).astype(np.int32)


def nearest_to(ab: np.ndarray) -> np.ndarray:
    """Returns [...] int32: the number of the nearest bin in gamut, 0..Q-1, to each of [..., 2] float a*, b*."""
    first = np.array([A_CENTRES[0], B_CENTRES[0]]) // WIDTH
    squares = np.rint(ab / WIDTH).astype(np.intp) - first
    last_a, last_b = nearest().shape[0] - 1, nearest().shape[1] - 1
    return nearest()[squares[..., 0].clip(0, last_a), squares[..., 1].clip(0, last_b)]
