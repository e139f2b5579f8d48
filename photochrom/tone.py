"""Tells colour photographs from gray and from toned ones (sepia, cyanotype), and measures colourfulness."""

import dataclasses

import cv2
import numpy as np

from photochrom import color

# The measure is taken on a thumbnail of this size, px: JPEG noise in ab averages out.
_THUMBNAIL = 96
_LIGHTNESS_BINS = 16
# CIE units, root mean square over the picture. Under the first a picture is gray. Of 215 historic scans,
# toned ones among them, 95% have a spread under the second, as have 3% of 469 colour photographs of ImageNet
# (13% with clothes on plain floors among them). Under the third a colour photograph is too dull to learn from.
_GRAY_CHROMA = 2.0
_MONOCHROME_SPREAD = 3.0
_TEACHING_SPREAD = 1.2


@dataclasses.dataclass(frozen=True)
class Tone:
    """What colour there is in a picture, in CIE units.

    Attributes:
        chroma: root mean square of C*ab.
        spread: root mean square distance in ab from the mean colour of all pixels equally light. A toned
            picture has one colour for each lightness, however strong, so its spread is near 0.
    """

    chroma: float
    spread: float

    @property
    def is_gray(self) -> bool:
        """No colour at all."""
        return self.chroma < _GRAY_CHROMA

    @property
    def is_monochrome(self) -> bool:
        """Gray or toned: a black-and-white photograph, whatever its colour."""
        return self.is_gray or self.spread < _MONOCHROME_SPREAD

    @property
    def teaches_color(self) -> bool:
        """Colour enough to train on."""
        return not self.is_gray and self.spread >= _TEACHING_SPREAD


def measure(rgb: np.ndarray) -> Tone:
    """Measures [H, W, 3] uint8 sRGB."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _THUMBNAIL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    lab = color.rgb_to_lab(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)).reshape(-1, 3)
    ab = lab[:, 1:]
    chroma = float(np.sqrt(np.square(ab).sum(axis=1).mean()))
    return Tone(round(chroma, 3), round(_spread(lab[:, 0], ab), 3))


def _spread(lightness: np.ndarray, ab: np.ndarray) -> float:
    bins = np.minimum((lightness * (_LIGHTNESS_BINS / 100)).astype(int), _LIGHTNESS_BINS - 1)
    counts = np.maximum(np.bincount(bins, minlength=_LIGHTNESS_BINS), 1)
    means = np.stack([np.bincount(bins, ab[:, i], _LIGHTNESS_BINS) / counts for i in range(2)], axis=1)
    return float(np.sqrt(np.square(ab - means[bins]).sum(axis=1).mean()))


def colorfulness(rgb: np.ndarray) -> float:
    """Returns the colourfulness M3 of [H, W, 3] uint8 sRGB: 0 gray, 15 slightly, 45 averagely, 109 extremely colourful.

    Source: D. Hasler, S. Susstrunk, "Measuring Colourfulness in Natural Images", SPIE 5007, 2003.
    """
    red, green, blue = (rgb[:, :, i].astype(np.float32) for i in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    deviation = np.hypot(red_green.std(), yellow_blue.std())
    return float(deviation + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
