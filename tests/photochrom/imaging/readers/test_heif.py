import io

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import skimage.data
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:2, 100:420:2])
GRAY = np.ascontiguousarray(RGB[:, :, 1])


def heic(values: np.ndarray, mode: str = "", **options) -> bytes:
    """A HEIC of 8 bit, or of 10 for uint16 pixels."""
    buffer = io.BytesIO()
    if not mode:
        pillow_heif.from_pillow(Image.fromarray(values)).save(buffer, quality=95, chroma=444, **options)
    else:
        pillow_heif.from_bytes(mode, values.shape[1::-1], values.tobytes()).save(buffer, quality=95, chroma=444)
    return buffer.getvalue()


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274], exif[270] = orientation, "Harbour, 1903"
    return exif.tobytes()


def decode(data: bytes):
    return decoding.decode(data, max_pixels=10**6)


@pytest.mark.parametrize("values", [GRAY, RGB], ids=["gray", "RGB"])
def test_decode_reads_heic(values):
    picture = decode(heic(values))
    assert (picture.format, picture.pixels.dtype, picture.alpha) == ("HEIF", np.uint8, None)
    assert picture.pixels.shape == values.shape
    assert np.abs(picture.pixels.astype(int) - values).mean() < 4


def test_decode_keeps_10_bit_of_heic():
    deep = RGB.astype(np.uint16) * 257
    picture = decode(heic(deep, "RGB;16"))
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels.astype(int) - deep).mean() / 257 < 4
    assert len(np.unique(picture.pixels)) > 300  # more than 8 bit have
    assert "10 bit scaled to 16" in picture.notes


def test_decode_keeps_opacity_of_heic():
    opacity = np.linspace(0, 255, 160).astype(np.uint8)[None].repeat(120, axis=0)
    picture = decode(heic(np.dstack([RGB, opacity])))
    assert np.abs(picture.alpha.astype(int) - opacity).mean() < 4


def test_decode_applies_orientation_of_container_alone():
    """pillow-heif writes EXIF's orientation as a rotation of the container, which counts."""
    picture = decode(heic(RGB, exif=exif_of(6)))
    assert (picture.source_width, picture.source_height) == (120, 160)
    assert np.abs(picture.pixels.astype(int) - np.rot90(RGB, -1)).mean() < 5


def test_decode_carries_metadata_of_heic():
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    picture = decode(heic(RGB, exif=exif_of(1), xmp=xmp))
    assert (picture.metadata.xmp, picture.metadata.description) == (xmp, "Harbour, 1903")
    assert b"Harbour, 1903" in picture.metadata.exif


def test_decode_applies_profile_of_heic():

    image = Image.fromarray(RGB)
    image.info["icc_profile"] = imagecodecs.cms_profile("adobergb")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, chroma=444)
    picture = decode(buffer.getvalue())
    assert picture.metadata.icc == image.info["icc_profile"]
    assert np.abs(picture.pixels.astype(int) - decode(heic(RGB)).pixels).mean() > 2


def test_decode_checks_size_of_heic_first():
    with pytest.raises(errors.TooLarge, match="160x120 px, at most 1000 px"):
        decoding.decode(heic(RGB), max_pixels=1000)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_decode_refuses_cut_heic(share):
    data = heic(RGB)
    with pytest.raises(errors.DataError):
        decode(data[: int(len(data) * share)])
