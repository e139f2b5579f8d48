import io
import zlib

import numpy as np
import pytest
from PIL import Image

from serving.copies import iptc

RECORDS = b"\x1c\x02\x78\x00\x05Paris"
RESOURCE = b"8BIM\x04\x04\0\0\0\0\0\x0a" + RECORDS


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_wrap_of_nothing_is_nothing(format):
    assert iptc.wrap(b"", format) == b""


def test_wrap_makes_a_jpeg_segment():
    segment = iptc.wrap(RECORDS, "JPEG")
    assert segment == b"\xff\xed\x00\x26Photoshop 3.0\0" + RESOURCE
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "JPEG", extra=segment)
    assert Image.open(file).info["photoshop"][0x0404] == RECORDS


def test_wrap_pads_the_resource_to_even_length():
    odd = RECORDS + b"!"
    assert iptc.wrap(odd, "JPEG").endswith(b"\0\0\0\x0b" + odd + b"\0")


def test_wrap_makes_text_for_png():
    keyword, _, packed = iptc.wrap(RECORDS * 4, "PNG").partition(b"\0\0")
    name, size, *lines = zlib.decompress(packed).decode().split()
    assert (keyword, name, int(size)) == (b"Raw profile type iptc", "iptc", 12 + 40)
    assert bytes.fromhex("".join(lines)).endswith(RECORDS * 4)
    assert [len(line) for line in lines] == [72, 32]


def test_wrap_fills_a_tiff_field_of_longs():
    assert iptc.wrap(RECORDS, "TIFF") == RECORDS + bytes(2)
