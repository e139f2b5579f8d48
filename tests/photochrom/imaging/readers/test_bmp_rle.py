import io
import struct

import numpy as np
import pytest
import skimage.data
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding

GRAY = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:415:5, 1])  # 48x63: rows end within a byte of RLE4


def bmp(runs: bytes, bits: int) -> bytes:
    colours = 1 << bits
    palette = b"".join(bytes([value, value, value, 0]) for value in np.linspace(0, 255, colours).astype(np.uint8))
    begin = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, 63, 48, 1, bits, {8: 1, 4: 2}[bits], len(runs), 0, 0, colours, 0)
    return struct.pack("<2sIII", b"BM", begin + len(runs), 0, begin) + info + palette + runs


def rle8(indices: np.ndarray) -> bytes:
    """Runs for the left half of each row, literal pixels for the right."""
    rows = b""
    for row in indices[::-1]:
        rows += b"".join(bytes([1, value]) for value in row[:30]) + bytes([0, 33]) + bytes(row[30:]) + b"\0" + b"\0\0"
    return rows + b"\0\1"


def rle4(indices: np.ndarray) -> bytes:
    rows = b""
    for row in indices[::-1]:
        pairs = [(int(a) << 4) | int(b) for a, b in zip(row[:30:2], row[1:30:2], strict=True)]
        rest = [*row[30:], 0]
        literal = bytes((int(a) << 4) | int(b) for a, b in zip(rest[::2], rest[1::2], strict=True))
        rows += (
            b"".join(bytes([2, pair]) for pair in pairs) + bytes([0, 33]) + literal + bytes(len(literal) % 2) + b"\0\0"
        )
    return rows + b"\0\1"


@pytest.mark.parametrize("bits", [4, 8])
def test_decode_reads_runs_and_literals(bits):
    indices = GRAY >> (8 - bits)
    picture = decoding.decode(bmp((rle4 if bits == 4 else rle8)(indices), bits), max_pixels=10**6)
    values = np.linspace(0, 255, 1 << bits).astype(np.uint8)[indices]
    found = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[:, :, 0]
    np.testing.assert_array_equal(found, values)


def test_decode_skips_pixels_as_colour_0():
    """Delta: 3 right and 2 up, then one pixel of colour 15."""
    picture = decoding.decode(bmp(b"\0\2\3\2\1\xff\0\1", 4), max_pixels=10**6)
    lit = np.argwhere(picture.opaque_rgb()[:, :, 0])
    assert lit.tolist() == [[48 - 1 - 2, 3]]


def test_decode_refuses_runs_that_end_early():
    with pytest.raises(errors.DecodeError, match="the runs of a BMP end in row 2 of 48"):
        decoding.decode(bmp(rle8(GRAY)[:150], 8), max_pixels=10**6)


def test_decode_agrees_with_pillow_on_plain_bmp():
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, "BMP")
    found = decoding.decode(bmp(rle8(GRAY), 8), max_pixels=10**6).opaque_rgb()
    np.testing.assert_array_equal(found, decoding.decode(buffer.getvalue(), max_pixels=10**6).opaque_rgb())
