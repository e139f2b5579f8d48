"""Encodes a copy: pixels and blocks of metadata in, a JPEG, PNG or WebP out; encode_tiff.py has TIFF.

The same pixels and blocks give the same bytes: nothing is dated or counted on the way.
"""

import dataclasses
import struct
import zlib
from typing import IO

import imagecodecs
from PIL import Image

from serving.copies import encode_tiff, exif_update, iptc
from serving.copies.formats import SUBSAMPLINGS, Format
from serving.copies.metadata import Blocks
from serving.copies.raster import Raster

# A JFIF header states whole px per inch in 16 bits.
_MAX_JFIF_DENSITY = 65_535
_METERS_PER_INCH = 0.0254
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_END = len(_PNG_SIGNATURE) + 8 + 13 + 4
# On coloured scans level 6 takes twice as long and gains 1%.
_PNG_LEVEL = 3


@dataclasses.dataclass(frozen=True)
class Options:
    """How the lossy formats are coded.

    Attributes:
        quality: 1..100, libjpeg's and libwebp's scale; a WebP of quality 100 is lossless.
        subsampling: of the chroma in a JPEG, one of formats.SUBSAMPLINGS; a lossy WebP always has 4:2:0.
    """

    quality: int = 95
    subsampling: str = SUBSAMPLINGS[0]


def encode(file: IO[bytes], format: Format, raster: Raster, blocks: Blocks, options: Options) -> None:
    """Writes a copy to `file`, which is open for reading and writing, and seekable."""
    if format.name == "TIFF":
        encode_tiff.encode(file, raster, blocks)
    elif format.name == "PNG":
        _encode_png(file, raster, blocks)
    elif format.name == "JPEG":
        _encode_jpeg(file, raster, blocks, options)
    else:
        _encode_webp(file, raster, blocks, options)


def _encode_jpeg(file: IO[bytes], raster: Raster, blocks: Blocks, options: Options) -> None:
    dpi = tuple(round(v) for v in blocks.dpi or ())
    block = exif_update.to_bytes(blocks.exif)
    Image.fromarray(raster.array()).save(
        file,
        "JPEG",
        quality=options.quality,
        subsampling=options.subsampling,
        exif=b"Exif\0\0" + block if block else b"",
        xmp=blocks.xmp,
        icc_profile=blocks.icc,
        extra=iptc.jpeg_segment(blocks.iptc) if blocks.iptc else b"",
        **({"dpi": dpi} if dpi and min(dpi) > 0 and max(dpi) <= _MAX_JFIF_DENSITY else {}),
    )


def _encode_webp(file: IO[bytes], raster: Raster, blocks: Blocks, options: Options) -> None:
    Image.fromarray(raster.array()).save(
        file,
        "WEBP",
        quality=options.quality,
        lossless=options.quality == 100,
        method=4,
        exact=True,  # also where it is transparent
        exif=exif_update.to_bytes(blocks.exif),
        xmp=blocks.xmp,
        icc_profile=blocks.icc,
    )


def _encode_png(file: IO[bytes], raster: Raster, blocks: Blocks) -> None:
    """Source for the chunks: PNG, third edition (W3C 2025), section 11."""
    data = memoryview(imagecodecs.png_encode(raster.array(), level=_PNG_LEVEL))
    file.write(data[:_PNG_HEADER_END])
    file.write(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(blocks.icc)))
    if blocks.dpi:
        across, down = (round(v / _METERS_PER_INCH) for v in blocks.dpi)
        file.write(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if block := exif_update.to_bytes(blocks.exif):
        file.write(_chunk(b"eXIf", block))
    file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + blocks.xmp))
    if blocks.iptc:
        file.write(_chunk(b"zTXt", iptc.png_profile(blocks.iptc)))
    file.write(data[_PNG_HEADER_END:])


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
