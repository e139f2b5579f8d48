"""Photograph to L*a*b*: the bytes of a file in, its middle square out, or a DataError with the reason for refusal.

`prepare` writes it into records, `evaluate` compares a model with it.
"""

from typing import NamedTuple

import numpy as np

from photochrom import errors
from photochrom.color import cielab, tone
from photochrom.imaging import resizing
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox.decoder import Decoder


class Photograph(NamedTuple):
    """A colour photograph.

    Attributes:
        picture: as decoded, a JPEG perhaps at a reduced scale.
        rgb: [S, S, 3] uint8 sRGB of its middle square.
        lab: [S, S, 3] float32 CIE L*a*b* of the same.
    """

    picture: Picture
    rgb: np.ndarray
    lab: np.ndarray


def to_lab(data: bytes, size: int, decoder: Decoder, colourless: bool = False, enlarge: bool = False) -> Photograph:
    """Decodes a colour photograph and scales its middle square to `size` px.

    Args:
        data: content of the file.
        size: px.
        decoder: decodes it.
        colourless: whether gray and toned photographs are accepted as well.
        enlarge: whether small ones are.

    Raises:
        DataError: it cannot be decoded, or is too large or too small; Colourless: it is gray, toned or too dull.
    """
    picture = decoder.decode(data, draft_size=size)
    rgb = resizing.center_square(picture.opaque_rgb(), size, enlarge)
    lab = cielab.rgb_to_lab(rgb)
    if not colourless:
        _check_color(lab)
    return Photograph(picture, rgb, lab)


def _check_color(lab: np.ndarray) -> None:
    measured = tone.measure(lab)
    if not measured.teaches_color:
        raise errors.Colourless(
            f"no colour to learn from: chroma {measured.chroma}, spread {measured.spread} CIE units",
            "grayscale" if measured.is_gray else "toned",
        )
