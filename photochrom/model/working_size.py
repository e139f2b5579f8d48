"""The network's input around a picture: its size, aspect ratio kept, and a margin by reflection that is cut off again.

Convolutions pad with zeros at the borders of their input, and the colours there become gray: on smooth pictures the
outer 2% had 0.78 to 0.95 of the chroma of their neighbours, by side. With the margin these colours are cut off.
docs/model.md has the measurements.
"""

import numpy as np

from photochrom.model import signature

# Px of L* beyond each side of the picture: a multiple of all strides of ab; two are one step of the signature's sizes.
MARGIN = 16
# The largest ratio of the sides of a working shape; a longer panorama is scaled by its long side.
_MAX_ASPECT = 4


def working_shapes(image_size: int) -> list[tuple[int, int]]:
    """Returns the few (height, width) that pictures may fill for a model trained at image_size, px, without margin.

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
    """Chooses the shape of the network's input for a picture and the picture's size within it, aspect ratio kept.

    Args:
        height, width: size of the picture, px.
        image_size: the size that the model was trained at, px.
        ab_stride: both sides of the size are multiples of this.

    Returns:
        (shape, size): the (height, width) of the input, one of `working_shapes` with its margin; and the (height,
        width) of the picture within it, px.
    """

    def scale(shape: tuple[int, int]) -> float:
        return min(shape[0] / height, shape[1] / width)

    shape = max(working_shapes(image_size), key=scale)
    size = [max(ab_stride, round(side * scale(shape) / ab_stride) * ab_stride) for side in (height, width)]
    return padded_shape(*shape), (min(size[0], shape[0]), min(size[1], shape[1]))


def padded_shape(height: int, width: int) -> tuple[int, int]:
    """Returns the least (height, width) of an input that holds a picture of this size and its margin, px."""
    step = signature.SIZE_STEP
    return -(-(height + 2 * MARGIN) // step) * step, -(-(width + 2 * MARGIN) // step) * step


def pad_by_reflection(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pads [h, w, ...] to `shape` by reflection, repeated where the picture is too short.

    The top and the left get MARGIN px, the bottom and the right all others.
    """
    down, across = ((MARGIN, full - side - MARGIN) for full, side in zip(shape, pixels.shape, strict=False))
    return np.pad(pixels, (down, across, *[(0, 0)] * (pixels.ndim - 2)), mode="symmetric")


def cut(pixels: np.ndarray, size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """Cuts the padding off: the picture's part of an input of the network, or of its output.

    Args:
        pixels: [H / stride, W / stride, ...].
        size: (height, width) of the picture in the input, px.
        stride: px of the input for one of `pixels`.
    """
    start, (height, width) = MARGIN // stride, (side // stride for side in size)
    return pixels[start : start + height, start : start + width]
