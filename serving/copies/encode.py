"""Encodes a copy: pixels and blocks of metadata in, a JPEG, PNG or WebP out; encode_tiff.py has TIFF.

The same pixels and blocks give the same bytes: no date or counter is written.
"""

import struct
import zlib
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image

from photochrom import errors
from serving.copies import encode_tiff
from serving.copies.formats import Format
from serving.copies.metadata import Blocks
from serving.copies.options import CopyOptions
from serving.copies.raster import Raster

# A JFIF header states whole px per inch in 16 bits.
_MAX_JFIF_DENSITY = 65_535
# Place of the density's unit in a file. Source: JFIF 1.02.
_JFIF_UNIT = 13
_METERS_PER_INCH = 0.0254
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_END = len(_PNG_SIGNATURE) + 8 + 13 + 4
# On coloured scans level 6 takes twice as long and gains 1%.
_PNG_LEVEL = 3


def encode(file: IO[bytes], format: Format, raster: Raster, blocks: Blocks, options: CopyOptions) -> None:
    """Writes a copy to `file`, which is open for reading and writing, and seekable.

    Raises:
        DataError: the pixels or the metadata cannot be encoded.
    """
    try:
        if format.name == "JPEG":
            _write_jpeg(file, raster.array(), blocks, options)
        elif format.name == "PNG":
            _write_png(file, raster.array(), blocks)
        elif format.name == "WEBP":
            _write_webp(file, raster.array(), blocks, options)
        else:
            encode_tiff.encode(file, raster, blocks)
    except (ValueError, TypeError, OverflowError, RuntimeError, struct.error) as error:
        message = f"cannot be encoded as {format.name}: {errors.said(error)}"
        raise errors.DataError(message, "unencodable", "write") from error


def _write_jpeg(file: IO[bytes], pixels: np.ndarray, blocks: Blocks, options: CopyOptions) -> None:
    density = tuple(round(v) for v in blocks.dpi or blocks.aspect or ())
    is_stated = bool(density) and min(density) > 0 and max(density) <= _MAX_JFIF_DENSITY
    Image.fromarray(pixels).save(
        file,
        "JPEG",
        quality=options.quality,
        subsampling=options.subsampling,
        exif=b"Exif\0\0" + blocks.exif_bytes if blocks.exif_bytes else b"",
        xmp=blocks.xmp,
        icc_profile=blocks.icc,
        extra=blocks.iptc,
        **({"dpi": density} if is_stated else {}),
    )
    if is_stated and not blocks.dpi:
        file.seek(_JFIF_UNIT)
        file.write(b"\0")  # none: the density is a ratio
        file.seek(0, 2)


def _write_webp(file: IO[bytes], pixels: np.ndarray, blocks: Blocks, options: CopyOptions) -> None:
    Image.fromarray(pixels).save(
        file,
        "WEBP",
        quality=options.quality,
        lossless=options.quality == 100,
        method=4,
        exact=True,  # also where it is transparent
        exif=blocks.exif_bytes,
        xmp=blocks.xmp,
        icc_profile=blocks.icc,
    )


def _write_png(file: IO[bytes], pixels: np.ndarray, blocks: Blocks) -> None:
    """Source for the chunks: PNG, third edition (W3C 2025), section 11."""
    data = memoryview(imagecodecs.png_encode(pixels, level=_PNG_LEVEL))
    file.write(data[:_PNG_HEADER_END])
    file.write(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(blocks.icc)))
    if blocks.dpi:
        across, down = (round(v / _METERS_PER_INCH) for v in blocks.dpi)
        file.write(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    elif blocks.aspect:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *blocks.aspect, 0)))
    if blocks.exif_bytes:
        file.write(_chunk(b"eXIf", blocks.exif_bytes))
    file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + blocks.xmp))
    if blocks.iptc:
        file.write(_chunk(b"zTXt", blocks.iptc))
    file.write(data[_PNG_HEADER_END:])


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
