"""Small pictures of every format, and kinds of damage: for the fuzzer and its short form in the tests."""

import io
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import skimage.data
from PIL import Image, TiffImagePlugin, features

from tests.support import metadata_blocks

# Extent of the headers, which get most of the damage, as damage to pixels is mostly harmless.
_HEADER_BYTES = 512
_BOUNDARIES = (
    0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Returns name -> file, some kilobytes each, made from a photograph of scikit-image."""
    rgb = Image.fromarray(skimage.data.astronaut()).resize((64, 48))
    gray, alpha = rgb.convert("L"), rgb.convert("RGBA")
    alpha.putalpha(gray)
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274], exif[270] = 6, "Harbour, 1903"
    rich = {"exif": metadata_blocks.exif_block(), "xmp": metadata_blocks.XMP}
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    fields[274], fields[286], fields[33550], fields[65000] = 6, 1.5, (0.5, 0.5, 0.0), "private"
    fields[700], fields[33723] = metadata_blocks.XMP, metadata_blocks.IPTC
    files: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "baseline.jpg": (rgb, "JPEG", {"exif": exif, "dpi": (300, 300)}),
        "rich.jpg": (rgb, "JPEG", rich),
        "rich.webp": (rgb, "WEBP", rich),
        "rich.tif": (rgb, "TIFF", {"tiffinfo": fields}),
        "progressive.jpg": (rgb, "JPEG", {"progressive": True, "subsampling": 0}),
        "gray.jpg": (gray, "JPEG", {}),
        "cmyk.jpg": (rgb.convert("CMYK"), "JPEG", {}),
        "rgb.png": (rgb, "PNG", {"exif": exif}),
        "gray16.png": (deep, "PNG", {}),
        "palette.png": (rgb.quantize(64), "PNG", {"transparency": 0}),
        "alpha.png": (alpha, "PNG", {}),
        "plain.tif": (rgb, "TIFF", {"exif": exif, "dpi": (300, 300)}),
        "lzw.tif": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "deflate16.tif": (deep, "TIFF", {"compression": "tiff_deflate"}),
        "jpeg.tif": (rgb, "TIFF", {"compression": "jpeg"}),
        "fax4.tif": (gray.convert("1"), "TIFF", {"compression": "group4"}),
        "fax3.tif": (gray.convert("1"), "TIFF", {"compression": "group3"}),
        "packbits.tif": (gray, "TIFF", {"compression": "packbits"}),
        "cmyk.tif": (rgb.convert("CMYK"), "TIFF", {"compression": "tiff_lzw"}),
        "pages.tif": (gray, "TIFF", {"save_all": True, "append_images": [rgb, gray.convert("1")]}),
        "lossy.webp": (rgb, "WEBP", {}),
        "lossless.webp": (alpha, "WEBP", {"lossless": True}),
        "frames.gif": (rgb.quantize(32), "GIF", {"save_all": True, "append_images": [gray.quantize(16)]}),
        "rgb.bmp": (rgb, "BMP", {}),
        "palette.bmp": (rgb.quantize(16), "BMP", {}),
        "rgb.ppm": (rgb, "PPM", {}),
        "bilevel.pbm": (gray.convert("1"), "PPM", {}),
        "rgb.jp2": (rgb, "JPEG2000", {}),
        "deep.jp2": (deep, "JPEG2000", {}),
    }
    if features.check("avif"):
        files["rgb.avif"] = (rgb, "AVIF", {"speed": 10})
    others = {
        "rgb.heic": _heic(rgb),
        "rgb.jxl": imagecodecs.jpegxl_encode(np.asarray(rgb)),
        "scan.pdf": _encode(gray, "PDF", {}),
        "ycbcr.tif": _encode(rgb.convert("YCbCr"), "TIFF", {}),
        "runs.bmp": _runs(np.asarray(gray)),
    }
    return {name: _encode(*file) for name, file in files.items()} | others


def _heic(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=60)
    return buffer.getvalue()


def _runs(gray: np.ndarray) -> bytes:
    """Returns a BMP with runs of 8 bit."""
    height, width = gray.shape
    codes = b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in gray[::-1]) + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(codes), 0, 0, 256, 0)
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    return struct.pack("<2sIII", b"BM", 54 + 1024 + len(codes), 0, 54 + 1024) + info + palette + codes


def _encode(image: Image.Image, format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def mutate(rng: random.Random, files: Sequence[bytes]) -> bytes:
    """Returns one of the files with one to four kinds of damage."""
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_DAMAGES)(rng, data, files)
    return bytes(data)


def _place(rng: random.Random, data: bytearray) -> int:
    end = len(data) if rng.random() < 0.4 else min(len(data), _HEADER_BYTES)
    return rng.randrange(max(end, 1))


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Changes some single bits or bytes."""
    for _ in range(rng.choice((1, 3, 16))):
        place = _place(rng, data)
        data[place : place + 1] = bytes([rng.randrange(256)])


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Removes the end, or a piece."""
    place = rng.randrange(len(data) + 1)
    del data[place : len(data) if rng.random() < 0.5 else place + rng.choice((1, 4, 64))]


def _splice(rng: random.Random, data: bytearray, files: Sequence[bytes]) -> None:
    """Overwrites or inserts bytes with a piece of another file, or of the same one."""
    other = rng.choice(files) if rng.random() < 0.5 else bytes(data)
    length, begin = rng.choice((4, 32, 256, 4096)), rng.randrange(len(other) + 1)
    place = _place(rng, data)
    data[place : place + (length if rng.random() < 0.5 else 0)] = other[begin : begin + length]


def _set_field(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Sets a number of 1, 2 or 4 bytes, in either byte order, to a boundary value."""
    place, value = _place(rng, data), rng.choice(_BOUNDARIES)
    code = rng.choice((">B", ">H", "<H", ">I", "<I"))
    packed = struct.pack(code, value & (256 ** struct.calcsize(code) - 1))
    data[place : place + len(packed)] = packed


def _set_tag(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Changes type, count or value of an entry of a TIFF directory, in the file or in its EXIF."""
    begin = max(data.find(b"II*\0"), data.find(b"MM\0*"))
    if begin < 0 or len(data) < begin + 10:
        return _set_field(rng, data, _)
    order = "<" if data[begin : begin + 2] == b"II" else ">"
    directory = begin + struct.unpack_from(f"{order}I", data, begin + 4)[0]
    entry = directory + 2 + 12 * rng.randrange(20)
    if entry + 12 > len(data):
        return _set_field(rng, data, _)
    offset, code = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I")))
    struct.pack_into(order + code, data, entry + offset, rng.choice(_BOUNDARIES) & (256 ** struct.calcsize(code) - 1))
    return None


_Damage = Callable[[random.Random, bytearray, Sequence[bytes]], None]
_DAMAGES: tuple[_Damage, ...] = (_flip, _cut, _splice, _set_field, _set_tag)
