import io

import numpy as np
from PIL import Image

from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.model import working_size
from photochrom.sources.source import Source
from serving import scans

SOURCE = Source("k", "k")
DECODER = Decoder(10**8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def read(pixels: np.ndarray, **settings) -> scans.Scan:
    return scans.read(SOURCE, png(pixels), image_size=64, ab_stride=2, decoder=DECODER, **settings)


def test_network_sees_the_whole_picture_undistorted():
    pixels = np.zeros((300, 450), np.uint8)
    pixels[100:200, 150:300] = 255  # a rectangle of the picture's own aspect ratio
    scan = read(pixels)
    height, width = scan.size
    assert width / height == np.float64(1.5) or abs(width / height - 1.5) < 0.06
    assert scan.lightness.shape[0] % 32 == scan.lightness.shape[1] % 32 == 0
    bright = scan.seen > 50
    assert abs(bright.any(axis=1).sum() / height - 1 / 3) < 0.06
    assert abs(bright.any(axis=0).sum() / width - 1 / 3) < 0.06


def test_padding_is_a_reflection():
    scan = read(np.tile(np.arange(200, dtype=np.uint8), (120, 1)))
    padded, (height, width), left = scan.lightness, scan.size, working_size.MARGIN
    np.testing.assert_array_equal(padded[:, :left], padded[:, left : 2 * left][:, ::-1])
    np.testing.assert_array_equal(padded[:left], padded[left : 2 * left][::-1])
    np.testing.assert_array_equal(padded[:, left + width], padded[:, left + width - 1])
    np.testing.assert_array_equal(padded[left + height], padded[left + height - 1])


def test_network_sees_the_same_at_any_depth():
    gray = np.random.default_rng(0).integers(0, 256, (100, 100)).astype(np.uint8)
    deep = read(gray.astype(np.uint16) * 257)
    np.testing.assert_allclose(deep.lightness, read(gray).lightness, atol=0.3)


def test_large_scans_are_not_kept_decoded():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 90)).astype(np.uint8)
    scan = read(pixels, kept_pixels=1000)
    assert scan.picture is None
    np.testing.assert_array_equal(scan.full_picture(DECODER).pixels, pixels)


def test_network_sees_white_behind_transparent_pixels():
    opacity = Image.fromarray(np.repeat(np.uint8([[0] * 60 + [255] * 60]), 80, axis=0))
    buffer = io.BytesIO()
    Image.merge("LA", [Image.new("L", (120, 80), 0), opacity]).save(buffer, "PNG")
    scan = scans.read(SOURCE, buffer.getvalue(), image_size=64, ab_stride=2, decoder=DECODER)
    row = scan.seen[scan.size[0] // 2]
    assert row[: len(row) // 2 - 2].min() > 99.99 and row[len(row) // 2 + 2 :].max() == 0
