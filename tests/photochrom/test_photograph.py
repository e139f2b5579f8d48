import io

import numpy as np
import pytest
from PIL import Image

from photochrom import errors, photograph
from photochrom.color import cielab
from photochrom.imaging import resizing
from photochrom.imaging.sandbox.decoder import DEFAULT_MAX_PIXELS, Decoder

DECODER = Decoder(DEFAULT_MAX_PIXELS)
GRAY = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
SEPIA = (GRAY[..., None] * [1.0, 0.85, 0.6]).astype(np.uint8)


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_to_lab_converts_the_middle_square(photographs):
    pixels = photographs["coffee"]  # 600x400 px
    picture, rgb, lab = photograph.to_lab(encode(pixels), 64, DECODER)
    np.testing.assert_array_equal(rgb, resizing.center_square(pixels, 64))
    np.testing.assert_array_equal(lab, cielab.rgb_to_lab(rgb))
    assert (picture.source_height, picture.source_width, picture.format) == (400, 600, "PNG")


@pytest.mark.parametrize(
    ("pixels", "decoder", "reason"),
    [
        (GRAY, DECODER, "grayscale"),
        (SEPIA, DECODER, "toned"),
        (np.zeros((20, 300, 3), np.uint8), DECODER, "too_small"),
        (np.zeros((100, 300, 3), np.uint8), Decoder(29_999), "too_large"),
    ],
)
def test_to_lab_refuses_unusable_pictures(pixels, decoder, reason):
    with pytest.raises(errors.DataError) as caught:
        photograph.to_lab(encode(pixels), 64, decoder)
    assert caught.value.reason == reason


def test_to_lab_takes_colourless_and_small_pictures_on_request():
    assert photograph.to_lab(encode(SEPIA), 64, DECODER, colourless=True).lab.shape == (64, 64, 3)
    small = np.zeros((20, 300, 3), np.uint8)
    small[::2, :, 0] = 200
    small[:, ::3, 2] = 200
    assert photograph.to_lab(encode(small), 64, DECODER, enlarge=True).lab.shape == (64, 64, 3)


def test_to_lab_states_the_measured_colour():
    with pytest.raises(errors.Colourless, match=r"no colour to learn from: chroma [\d.]+, spread [\d.]+ CIE units"):
        photograph.to_lab(encode(SEPIA), 64, DECODER)
