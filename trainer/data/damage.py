"""Damage of old prints and of their reproductions, on lightness: uneven fading, stains, scratches, halftone, JPEG."""

import math

import numpy as np
import tensorflow as tf

from trainer.data.draws import Draws

# Share of the pictures that each damage has, and the ranges of its uniform random parameters.
_FADED, _FADING, _PAPER = 0.3, (0.1, 0.6), 85.0  # share of the paper's L* at the faded side
_STAINED, _STAINS = 0.2, 3
_STAIN_RADIUS, _STAIN_EDGE = (0.1, 0.5), (0.01, 0.1)  # of half the picture's side
_STAIN_DEPTH = (-8.0, 25.0)  # L*
_SCRATCHED, _SCRATCHES = 0.3, 6
_SCRATCH_WIDTH, _SCRATCH_LENGTH = (0.3, 1.2), (0.1, 1.5)  # px; of half the picture's side
_SCRATCH_DEPTH = (-45.0, 45.0)  # L*
_PRINTED, _PERIOD, _DOT_DEPTH = 0.1, (2.5, 6.0), (4.0, 20.0)  # px; L*
_COMPRESSED, _QUALITY = 0.4, (10.0, 60.0)
# Quantization of luminance, ITU-T T.81, table K.1; the scaling by quality is libjpeg's.
_QUANTIZATION = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
_BLOCK = len(_QUANTIZATION)
# The orthonormal discrete cosine transform, [frequency, position].
_DCT = np.cos(np.pi * (np.arange(8) + 0.5) * np.arange(8)[:, None] / 8).astype(np.float32) / 2
_DCT[0] /= math.sqrt(2)


def damage(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Damages some pictures, each in none, one or several ways, in the order in which it happens to a print.

    Args:
        lightness: [B, H, W, 1] L*; H and W are multiples of 8.
        draw: the random parameters.
    """
    for share, apply in (
        (_FADED, fade),
        (_STAINED, stain),
        (_SCRATCHED, scratch),
        (_PRINTED, print_in_halftone),
        (_COMPRESSED, lambda pictures, draw: compress(pictures, draw.between(*_QUALITY))),
    ):
        lightness = tf.where(draw.between(0.0, 1.0) < share, apply(lightness, draw), lightness)
    return lightness


def fade(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Fades towards the paper, more on one side."""
    along, _ = _turned(lightness, draw.between(0.0, 2 * math.pi))
    share = draw.between(*_FADING) * tf.clip_by_value((along + 1) / 2, 0, 1) ** 2
    return lightness + share * (_PAPER - lightness)


def stain(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Darkens, or seldom lightens, a few round areas with soft edges."""
    x, y = _positions(lightness)
    x, y = x - draw.between(-1.0, 1.0, _STAINS), y - draw.between(-1.0, 1.0, _STAINS)
    inside = (draw.between(*_STAIN_RADIUS, _STAINS) - tf.sqrt(x * x + y * y)) / draw.between(*_STAIN_EDGE, _STAINS)
    return lightness - _total(draw.between(*_STAIN_DEPTH, _STAINS) * tf.sigmoid(inside))


def scratch(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Draws thin straight lines, dark and light."""
    along, across = _turned(lightness, draw.between(0.0, math.pi, _SCRATCHES))
    across = (across - draw.between(-1.0, 1.0, _SCRATCHES)) * tf.cast(tf.shape(lightness)[1], tf.float32) / 2  # px
    is_within = tf.abs(along - draw.between(-1.0, 1.0, _SCRATCHES)) < draw.between(*_SCRATCH_LENGTH, _SCRATCHES)
    line = tf.exp(-tf.square(across / draw.between(*_SCRATCH_WIDTH, _SCRATCHES))) * tf.cast(is_within, tf.float32)
    return lightness + _total(draw.between(*_SCRATCH_DEPTH, _SCRATCHES) * line)


def print_in_halftone(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Adds a screen of dots, strongest in the middle tones."""
    along, across = _turned(lightness, draw.between(0.0, math.pi))
    cycles = tf.cast(tf.shape(lightness)[1], tf.float32) / 2 / draw.between(*_PERIOD)
    screen = tf.cos(2 * math.pi * cycles * along) * tf.cos(2 * math.pi * cycles * across)
    tone = tf.clip_by_value(lightness / 100, 0, 1)
    return lightness + draw.between(*_DOT_DEPTH) * 4 * tone * (1 - tone) * screen


def compress(lightness: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Returns the pictures as saved by JPEG, with L* in place of luma.

    Args:
        lightness: [B, H, W, 1] L*; H and W are multiples of 8.
        quality: [B, 1, 1, 1], 1..100 as libjpeg's.
    """
    percent = tf.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = tf.clip_by_value(_QUANTIZATION * percent[..., None] / 100, 1, 255)[:, :, 0]  # [B, 1, 8, 8]
    _, height, width, _ = lightness.shape
    blocks = tf.reshape(lightness * 2.55 - 128, [-1, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK])
    found = tf.einsum("ui,byixj,vj->byxuv", _DCT, blocks, _DCT)
    rounded = tf.round(found / steps[:, None]) * steps[:, None]
    blocks = tf.einsum("ui,byxuv,vj->byixj", _DCT, rounded, _DCT)
    return (tf.reshape(blocks, [-1, height, width, 1]) + 128) / 2.55


def _positions(lightness: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns x [1, 1, W, 1] and y [1, H, 1, 1] of the pixels, -1..1."""
    _, height, width, _ = lightness.shape
    return tf.linspace(-1.0, 1.0, width)[None, None, :, None], tf.linspace(-1.0, 1.0, height)[None, :, None, None]


def _turned(lightness: tf.Tensor, angle: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the pixels' positions along a direction and across it, [B, H, W, K] each."""
    x, y = _positions(lightness)
    return x * tf.cos(angle) + y * tf.sin(angle), y * tf.cos(angle) - x * tf.sin(angle)


def _total(layers: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(layers, axis=-1, keepdims=True)
