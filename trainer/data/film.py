"""Film simulation: the effect of old emulsions, papers and ageing on a scene's lightness; its colours do not change.

The grays in scans of old photographs are not the L* of the scene: film before 1906 was sensitive to blue and green
alone (orthochromatic), later film also to red, but not as the eye is (panchromatic); prints fade to low contrast;
lenses and grain blur and roughen; prints are damaged (trainer.data.damage).
"""

import numpy as np
import tensorflow as tf

from photochrom.color import cielab
from photochrom.model import signature
from trainer.data import damage
from trainer.data.draws import Draws

Tensors = dict[str, tf.Tensor]

# Ranges of the uniform random parameters of each picture.
_ORTHOCHROMATIC = ((0.0, 0.05), (0.3, 0.5), (0.5, 0.7))  # weights of linear red, green and blue
_PANCHROMATIC = ((0.2, 0.4), (0.3, 0.5), (0.2, 0.4))
_GAMMA = (0.7, 1.4)
_BLACK, _WHITE = (0.0, 20.0), (75.0, 100.0)  # L* of black and white in a faded picture
_GRAIN = (0.0, 4.0)  # standard deviation, L*
_BLUR = (0.0, 1.0)  # share of the blurred picture
# A 3x3 binomial filter.
_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)[:, :, None, None] / 16


def simulate(tensors: Tensors, share: float, seed: tf.Tensor) -> Tensors:
    """Gives some pictures of a batch the lightness of old photographs.

    Args:
        tensors: `lightness` [B, H, W, 1] L* and `ab` [B, h, w, 2], square; others are returned unchanged.
        share: share of the pictures, 0..1.
        seed: [2] int; the same seed gives the same pictures.
    """
    lightness = tensors[signature.LIGHTNESS]
    draw = Draws(seed, tf.shape(lightness)[0])
    old = _emulsion(lightness, tensors[signature.AB], draw)
    old = damage.damage(_roughen(_fade(old, draw), draw), draw)
    chosen = draw.between(0.0, 1.0) < share
    return {**tensors, signature.LIGHTNESS: tf.where(chosen, tf.clip_by_value(old, 0, 100), lightness)}


def _emulsion(lightness: tf.Tensor, ab: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Returns L* as recorded by film of a random sensitivity."""
    size = lightness.shape[1]
    linear = lab_to_linear(tf.concat([lightness, tf.image.resize(ab, [size, size])], axis=-1))
    orthochromatic = draw.between(0.0, 1.0) < 0.5
    pairs = zip(_ORTHOCHROMATIC, _PANCHROMATIC, strict=True)
    weights = [tf.where(orthochromatic, draw.between(*ortho), draw.between(*pan)) for ortho, pan in pairs]
    sensitivity = tf.concat(weights, axis=-1)  # [B, 1, 1, 3]
    exposure = tf.reduce_sum(linear * sensitivity, -1, keepdims=True) / tf.reduce_sum(sensitivity, -1, keepdims=True)
    return luminance_to_lightness(exposure)


def lab_to_linear(lab: tf.Tensor) -> tf.Tensor:
    """Converts [..., 3] L*a*b* to linear sRGB (CIE 15:2004), outside [0, 1] where sRGB cannot show it."""
    f = tf.tensordot(lab, cielab.LAB_TO_F[:, :3].T, 1) + cielab.LAB_TO_F[:, 3]
    xyz = tf.where(f > 6 / 29, f**3, (116 * f - 16) / cielab.KAPPA)
    return tf.tensordot(xyz, cielab.WHITE_XYZ_TO_RGB.T, 1)


def luminance_to_lightness(luminance: tf.Tensor) -> tf.Tensor:
    """Relative luminance Y to L*, as cielab.luminance_to_lightness does; below 0 counts as 0."""
    luminance = tf.maximum(luminance, 0.0)
    cube_root = tf.maximum(luminance, cielab.EPSILON) ** (1 / 3)
    return tf.where(luminance > cielab.EPSILON, 116 * cube_root - 16, cielab.KAPPA * luminance)


def _fade(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Applies a gamma curve and compresses the range from black to white."""
    black, white = draw.between(*_BLACK), draw.between(*_WHITE)
    return black + (white - black) * (tf.clip_by_value(lightness, 0, 100) / 100) ** draw.between(*_GAMMA)


def _roughen(lightness: tf.Tensor, draw: Draws) -> tf.Tensor:
    """Blurs, and adds slightly blurred grain."""
    share = draw.between(*_BLUR)
    blurred = (1 - share) * lightness + share * _smooth(lightness)
    # The filter reduces white noise to 3/8 of its standard deviation.
    return blurred + draw.between(*_GRAIN) * _smooth(draw.noise(lightness)) * (8 / 3)


def _smooth(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(images, _KERNEL, 1, "SAME")
