"""Files that are not read are refused with a reason: none gives wrong pixels silently."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile

from photochrom import errors
from photochrom.imaging import decoding

GRAY = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5, 1])
RGB16 = skimage.data.coffee()[100:340:5, 100:420:5].astype(np.uint16) * 257


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(values, metadata=None, **{"photometric": "minisblack" if values.ndim == 2 else "rgb", **options})
    return buffer.getvalue()


def with_tag(data: bytes, number: int, value: int) -> bytes:
    """The TIFF with another inline value for a tag of its first directory."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[number]
        place, size = tag.offset + 8, {3: 2, 4: 4}[tag.dtype]
    return data[:place] + value.to_bytes(size, "little") + data[place + size :]


def jpeg_with_precision(bits: int) -> bytes:
    return imagecodecs.jpeg8_encode((GRAY.astype(np.uint16) << 4), level=90, bitspersample=bits)


def png_of_size(side: int) -> bytes:
    """A PNG of 16 bit whose header says another size, with its checksum."""
    data = imagecodecs.png_encode(RGB16)
    header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


REFUSED = [
    ("int16", lambda: tiff(GRAY.astype("i2") - 50), "unsupported_depth", "16 bit, signed, are not supported"),
    ("int8", lambda: tiff((GRAY - 128).view("i1")), "unsupported_depth", "8 bit, signed"),
    ("negative int32", lambda: tiff(GRAY.astype("i4") - 50), "unsupported_depth", "int32 samples from -50 to"),
    ("uint64", lambda: tiff(GRAY.astype("u8")), "unsupported_depth", "64 bit samples are not supported"),
    ("complex", lambda: tiff(GRAY.astype("c8")), "unsupported_depth", "format 6"),
    ("floats over 65535", lambda: tiff(GRAY.astype("f4") * 1e6), "unsupported_range", "expected 0..1, 0..255"),
    ("floats below 0", lambda: tiff(GRAY.astype("f4") / 255 - 0.5), "unsupported_range", "samples from -0.5"),
    ("not a number", lambda: tiff(np.where(GRAY > 99, np.nan, 0).astype("f4")), "unsupported_range", "not finite"),
    ("camera raw", lambda: tiff(GRAY, photometric="cfa"), "unsupported_format", "camera raw is not read; develop it"),
    ("no photometric", lambda: tiff(GRAY).replace(struct.pack("<HHI", 262, 3, 1), struct.pack("<HHI", 263, 3, 1)),
     "unsupported_colour", "may be a negative"),
    ("CMYK of other inks", lambda: tiff(np.dstack([GRAY] * 4), photometric="separated", extratags=[(332, 3, 1, 2, True)]
     ), "unsupported_colour", "SEPARATED is not read"),
    ("nine channels", lambda: tiff(np.dstack([GRAY] * 9), photometric="minisblack", planarconfig="contig"),
     "unsupported_colour", "9 channels, expected 1 to 8"),
    ("JPEG XL in a TIFF", lambda: tiff(GRAY, compression="jpegxl"), "unsupported_compression", "50002 is not read"),
    ("32 bit JPEG 2000", lambda: imagecodecs.jpeg2k_encode(RGB16.astype("u4"), level=0, reversible=True,
     bitspersample=20), "unsupported_depth", "20 bit samples are not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "reason", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_decode_refuses_with_its_reason(make, reason, words):
    with pytest.raises(errors.DecodeError, match=words) as caught:
        decoding.decode(make(), max_pixels=10**6)
    assert caught.value.reason == reason


BOMBS = [
    ("TIFF of 4 billion rows", lambda: with_tag(tiff(GRAY), 257, 2**32 - 1), errors.TooLarge, "at most 1000000 px"),
    ("TIFF with more rows than bytes", lambda: with_tag(tiff(GRAY), 257, 9000), errors.DecodeError,
     "1 strips or tiles, expected 188"),
    ("TIFF of 65535 channels", lambda: with_tag(tiff(GRAY), 277, 65535), errors.DecodeError, "65535 channels"),
    ("TIFF with a tile of 4 GP", lambda: with_tag(with_tag(tiff(GRAY, tile=(64, 64)), 322, 65520), 323, 65520),
     errors.DecodeError, "tiles of 65520x65520 px"),
    ("TIFF whose strip is a larger JPEG", lambda: with_tag(tiff(GRAY, compression="jpeg"), 257, 20),
     errors.DecodeError, "64x48 px where 64x20 px are expected"),
    ("JPEG of 12 bit of 4 GP", lambda: jpeg_with_precision(12).replace(struct.pack(">BHH", 12, 48, 64), struct.pack(
     ">BHH", 12, 65500, 65500)), errors.TooLarge, "65500x65500 px"),
    ("PNG of 16 bit of 4 GP", lambda: png_of_size(65500), errors.TooLarge, "65500x65500 px"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), [row[1:] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_decode_bounds_memory_by_the_picture(make, error, words):
    with pytest.raises(error, match=words):
        decoding.decode(make(), max_pixels=10**6)


def test_decode_refuses_tags_that_share_a_value():
    """4,000 tags that all point at the same megabyte would fill 4 GB."""
    entries = b"".join(struct.pack("<HHII", 40000 + i, 4, 250_000, 8) for i in range(4000))
    size = struct.pack("<HHIIHHII", 256, 4, 1, 8, 257, 4, 1, 8)
    data = b"II*\0" + struct.pack("<I", 8 + 10**6) + bytes(10**6) + struct.pack("<H", 4002) + size + entries + bytes(4)
    with pytest.raises(errors.DecodeError, match="tags of 4000000008 bytes in 1048"):
        decoding.decode(data, max_pixels=10**6)


TRUNCATED = {
    "TIFF LZW": lambda: tiff(GRAY, compression="lzw"),
    "TIFF JPEG": lambda: tiff(GRAY, compression="jpeg"),
    "TIFF tiled": lambda: tiff(GRAY, tile=(32, 32)),
    "TIFF 16 bit": lambda: tiff(RGB16),
    "PNG 16 bit": lambda: imagecodecs.png_encode(RGB16),
    "JPEG 12 bit": lambda: jpeg_with_precision(12),
    "JPEG 2000 16 bit": lambda: imagecodecs.jpeg2k_encode(RGB16, level=0, reversible=True, codecformat="jp2"),
    "PPM 16 bit": lambda: b"P6\n64 48\n65535\n" + RGB16.astype(">u2").tobytes(),
}


@pytest.mark.parametrize("kind", TRUNCATED)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_decode_refuses_half_a_file(kind, share):
    data = TRUNCATED[kind]()
    with pytest.raises(errors.DataError):
        decoding.decode(data[: int(len(data) * share)], max_pixels=10**6)


@pytest.mark.parametrize("kind", TRUNCATED)
def test_damaged_deep_file_gives_picture_or_reason(kind):
    data, random, reasons = TRUNCATED[kind](), np.random.default_rng(1), 0
    for _ in range(25):
        broken = bytearray(data)
        for place in random.integers(0, min(len(data), 400), 6):
            broken[place] = random.integers(256)
        try:
            decoding.decode(bytes(broken), max_pixels=10**5)
        except errors.DataError:
            reasons += 1
    assert reasons > 0


@pytest.mark.parametrize("is_stated", [True, False])
def test_decode_ignores_channels_of_unstated_use(is_stated):
    """Infrared of a film scanner, for one: as opacity it would bleach the picture."""
    data = tiff(np.dstack([GRAY, GRAY, GRAY, 255 - GRAY]), extrasamples=[0])
    if not is_stated:
        data = data.replace(struct.pack("<HHI", 338, 3, 1), struct.pack("<HHI", 65001, 3, 1))
    picture = decoding.decode(data, max_pixels=10**6)
    assert picture.alpha is None and picture.notes == ("1 extra channel ignored",)
    np.testing.assert_array_equal(picture.pixels[:, :, 0], GRAY)


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a"])
def test_decode_names_damage_of_a_known_format(start):
    with pytest.raises(errors.DecodeError, match="it begins like a"):
        decoding.decode(start + bytes(40), max_pixels=10**6)


def test_decode_quotes_no_bytes_of_other_files():
    with pytest.raises(errors.DataError) as caught:
        decoding.decode(b"P6 hunter2secret\n255\n" + bytes(99), max_pixels=10**6)
    assert "hunter2" not in str(caught.value)
