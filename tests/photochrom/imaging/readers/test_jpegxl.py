import struct

import imagecodecs
import numpy as np
import pytest
import skimage.data

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.readers import jpegxl_header

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340, 100:420])
GRAY = np.ascontiguousarray(RGB[:, :, 1])
EXIF = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHII", 2, 274, 3, 1, 6, 270, 2, 4, 0x00636261) + bytes(4)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def container(codestream: bytes, *boxes: bytes) -> bytes:
    head = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return head + b"".join(boxes) + box(b"jxlc", codestream)


def lossless(values: np.ndarray, **options) -> bytes:
    return imagecodecs.jpegxl_encode(values, lossless=True, usecontainer=False, **options)


def decode(data: bytes):
    return decoding.decode(data, max_pixels=10**6)


@pytest.mark.parametrize("values", [GRAY, RGB], ids=["gray", "RGB"])
@pytest.mark.parametrize("wrap", [bytes, container], ids=["bare", "container"])
def test_decode_reads_jpegxl(values, wrap):
    picture = decode(wrap(lossless(values)))
    assert picture.format == "JPEGXL"
    np.testing.assert_array_equal(picture.pixels, values)


def test_decode_reads_lossy_jpegxl():
    picture = decode(imagecodecs.jpegxl_encode(RGB, distance=0.5))
    assert np.abs(picture.pixels.astype(int) - RGB).mean() < 3


@pytest.mark.parametrize(("bits", "note"), [(16, "16 bit colour"), (12, "12 bit scaled to 16")])
def test_decode_keeps_depth_of_linear_jpegxl(bits, note):
    """imagecodecs calls the light of more than 8 bit linear."""
    light = np.where(RGB / 255 <= 0.04045, RGB / 255 / 12.92, ((RGB / 255 + 0.055) / 1.055) ** 2.4)
    picture = decode(lossless(np.rint(light * (2**bits - 1)).astype(np.uint16), bitspersample=bits))
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels / 257 - RGB)[RGB > 40].max() < 0.5
    assert note in picture.notes


def test_decode_keeps_opacity_of_jpegxl():
    opacity = np.linspace(0, 255, 320).astype(np.uint8)[None].repeat(240, axis=0)
    picture = decode(lossless(np.dstack([RGB, opacity])))
    np.testing.assert_array_equal(picture.alpha, opacity)
    np.testing.assert_array_equal(picture.pixels, RGB)


@pytest.mark.parametrize("pack", [False, True], ids=["plain", "brotli"])
def test_decode_carries_metadata_of_jpegxl(pack):
    boxes = [(b"Exif", bytes(4) + EXIF), (b"xml ", XMP)]
    made = [box(b"brob", k + imagecodecs.brotli_encode(v)) if pack else box(k, v) for k, v in boxes]
    picture = decode(container(lossless(RGB), *made))
    assert (picture.metadata.exif, picture.metadata.xmp, picture.metadata.description) == (EXIF, XMP, "abc")
    assert picture.pixels.shape == RGB.shape  # the orientation of EXIF does not count


def test_decode_drops_metadata_bomb_of_jpegxl():
    bomb = box(b"brob", b"xml " + imagecodecs.brotli_encode(bytes(17_000_000), level=1))
    picture = decode(container(lossless(RGB), bomb))
    assert picture.metadata.xmp == b""
    assert "JPEG XL box xml is broken or over 16000000 bytes: not kept" in picture.notes


def test_decode_checks_size_of_jpegxl_first():
    with pytest.raises(errors.TooLarge, match="320x240 px, at most 1000 px"):
        decoding.decode(lossless(RGB), max_pixels=1000)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_decode_refuses_cut_jpegxl(share):
    data = lossless(RGB)
    with pytest.raises(errors.DecodeError):
        decode(data[: int(len(data) * share)])


def test_decode_names_first_frame_of_animated_jpegxl():
    data = imagecodecs.jpegxl_encode(np.stack([RGB, RGB[::-1]]), lossless=True, photometric="rgb")
    picture = decode(data)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert "first frame of an animation" in picture.notes


@pytest.mark.parametrize(("height", "width"), [(8, 8), (256, 256), (240, 320), (7, 300), (301, 513), (40, 8200)])
def test_parse_reads_sizes(height, width):
    header = jpegxl_header.parse(lossless(np.zeros((height, width), np.uint8)))
    assert (header.height, header.width, header.bits) == (height, width, 8)


def test_parse_refuses_header_that_ends_early():
    with pytest.raises(errors.DecodeError, match="header ends early"):
        jpegxl_header.parse(b"\xff\x0a\x01")
