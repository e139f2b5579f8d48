"""The sizes at which serving runs a model: whole pictures, aspect ratio kept, padded by reflection."""

import numpy as np

from photochrom.model import signature

# The largest ratio of the sides of a working shape; a longer panorama is scaled by its long side.
_MAX_ASPECT = 4


def working_shapes(image_size: int) -> list[tuple[int, int]]:
    """Returns the few (height, width) at which serving runs a model trained at image_size, px.

    Each has about image_size^2 pixels and sides that are multiples of 32, from 4:1 over square to 1:4, so
    that batches of pictures with different aspect ratios stay full and cost the same.
    """
    step = signature.SIZE_STEP
    area = image_size**2
    sides = range(step, image_size * 2 + 1, step)
    wide = {(side, -(-area // side // step) * step) for side in sides if side <= image_size}
    wide = {(h, w) for h, w in wide if w <= _MAX_ASPECT * h} or {(image_size, image_size)}
    return sorted(wide | {(w, h) for h, w in wide})


def working_size(height: int, width: int, image_size: int, ab_stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Chooses the working shape of a picture and its size within it, its aspect ratio kept.

    Args:
        height, width: size of the picture, px.
        image_size: the size that the model was trained at, px.
        ab_stride: both sides of the size are multiples of this.

    Returns:
        (shape, size): the padded (height, width) out of `working_shapes`, and the (height, width) of the
        picture within it, px.
    """

    def scale(shape: tuple[int, int]) -> float:
        return min(shape[0] / height, shape[1] / width)

    shape = max(working_shapes(image_size), key=scale)
    size = [max(ab_stride, round(side * scale(shape) / ab_stride) * ab_stride) for side in (height, width)]
    return shape, (min(size[0], shape[0]), min(size[1], shape[1]))


def pad_by_reflection(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pads [h, w] at the bottom and the right to `shape` by reflection, repeated where the picture is too short."""
    bottom, right = shape[0] - pixels.shape[0], shape[1] - pixels.shape[1]
    return np.pad(pixels, ((0, bottom), (0, right)), mode="symmetric")
