import io
import struct

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile

from photochrom import errors
from photochrom.imaging import decoding

GRAY = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5, 1])


def with_counts(*counts: int, compression: str | None = None, rows: int = 48) -> bytes:
    """A TIFF in strips whose StripByteCounts are others; none at all if there are none."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, compression=compression, rowsperstrip=rows, metadata=None, photometric="minisblack")
    data = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        if not counts:
            struct.pack_into("<H", data, tag.offset, 65000)  # a private tag
            return bytes(data)
        struct.pack_into(f"<{len(counts)}{'I' if tag.dtype == 4 else 'H'}", data, tag.valueoffset, *counts)
    return bytes(data)


MENDED = {
    "missing, uncompressed": with_counts,
    "missing, uncompressed strips": lambda: with_counts(rows=10),
    "too large, uncompressed": lambda: with_counts(30_000),
    "too large, uncompressed strips": lambda: with_counts(900, 900, 900, 900, 60_000, rows=10),
    "missing, LZW": lambda: with_counts(compression="lzw"),
    "zero, LZW": lambda: with_counts(0, compression="lzw"),
    "zero, deflate": lambda: with_counts(0, compression="deflate"),
    "zero, PackBits": lambda: with_counts(0, compression="packbits"),
    "beyond the end, LZW": lambda: with_counts(50_000, compression="lzw"),
}


@pytest.mark.parametrize("kind", MENDED)
def test_decode_corrects_byte_counts(kind):
    picture = decoding.decode(MENDED[kind](), max_pixels=10**6)
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert "wrong byte counts of strips corrected" in picture.notes


def test_decode_refuses_strips_of_unknown_ends():
    with pytest.raises(errors.DecodeError, match="StripByteCounts is missing: where 5 strips end is unknown"):
        decoding.decode(with_counts(compression="lzw", rows=10), max_pixels=10**6)


def test_decode_refuses_cut_strip_without_count():
    """The strip is the end of the file."""
    data = with_counts(compression="lzw")
    with pytest.raises(errors.DecodeError):
        decoding.decode(data[:-200], max_pixels=10**6)


def with_directory_last(count: int) -> bytes:
    """A TIFF of one PackBits strip of that byte count, whose directory follows it."""
    strip = imagecodecs.packbits_encode(GRAY.tobytes())
    height, width = GRAY.shape
    entries = {256: width, 257: height, 258: 8, 259: 32773, 262: 1, 273: 8, 277: 1, 278: height, 279: count}
    directory = b"".join(struct.pack("<2H2I", number, 4, 1, value) for number, value in entries.items())
    start = struct.pack("<2sHI", b"II", 42, 8 + len(strip))
    return start + strip + struct.pack("<H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("count", [0, 10**9])
def test_decode_finds_the_end_of_packbits(count):
    np.testing.assert_array_equal(decoding.decode(with_directory_last(count), max_pixels=10**6).pixels, GRAY)


def test_decode_names_volumes():
    buffer, volume = io.BytesIO(), np.zeros((4, 48, 64), np.uint8)
    tifffile.imwrite(buffer, volume, volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    with pytest.raises(errors.DecodeError, match="a volume, 4 pictures deep"):
        decoding.decode(buffer.getvalue(), max_pixels=10**6)
