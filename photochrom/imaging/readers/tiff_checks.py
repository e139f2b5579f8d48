"""Refuses TIFF pages that are not read, that are broken, or that would take far more memory than their picture."""

import io
import math

import tifffile
from PIL import Image
from tifffile import COMPRESSION, PHOTOMETRIC

from photochrom import errors
from photochrom.imaging import tags
from photochrom.imaging.readers import jpeg
from photochrom.imaging.tiff_directory import Directory, Reader

# Colour channels by colour space.
COLOURS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.SEPARATED: 4,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.CIELAB: 3,
    PHOTOMETRIC.ICCLAB: 3,
}
MAX_CHANNELS = 8
_COMPRESSIONS = frozenset(
    (COMPRESSION.NONE, COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6, COMPRESSION.LZW,
     COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS,
     COMPRESSION.LZMA, COMPRESSION.ZSTD, COMPRESSION.WEBP, COMPRESSION.JPEG2000)
)  # fmt: skip
# Compressions whose strips and tiles are files with a size in their header, by Pillow's name of the format.
_WITH_OWN_SIZE: dict[int, str] = {COMPRESSION.WEBP: "WEBP", COMPRESSION.JPEG2000: "JPEG2000"}
_CMYK_INKS = 1
# Tiles up to this many px may be larger than the picture.
_SMALL_TILE = 2048 * 2048


def size(reader: Reader, page: Directory) -> tuple[int, int]:
    """Returns width and height of a page, px, as stored."""
    return reader.number(page, tags.IMAGE_WIDTH), reader.number(page, tags.IMAGE_LENGTH)


def check_values(reader: Reader, page: Directory) -> None:
    """Refuses tags with more bytes than the file, in the page's directory or the first, which tifffile reads.

    Raises:
        DecodeError: such tags.
    """
    for directory in (page, reader.directory(reader.first_offset)):
        if directory.value_bytes > len(reader.data):
            raise errors.DecodeError(f"tags of {directory.value_bytes} bytes in {len(reader.data)} bytes of file")


def check_kind(reader: Reader, page: Directory, stored: tifffile.TiffPage, photometric: int) -> None:
    """Refuses compressions, colour spaces, channels and depths that are not read, before any pixel is allocated.

    Raises:
        DecodeError: with the reason.
    """
    if stored.compression not in _COMPRESSIONS:
        raise errors.DecodeError(f"TIFF compression {stored.compression!s} is not read", "unsupported_compression")
    is_other_ink = photometric == PHOTOMETRIC.SEPARATED and reader.number(page, tags.INK_SET, _CMYK_INKS) != _CMYK_INKS
    if photometric not in COLOURS or is_other_ink:
        raise errors.DecodeError(
            f"TIFF of colour space {_space_name(photometric)} is not read, expected gray, RGB, palette, CMYK, YCbCr or "
            "CIELAB",
            "unsupported_colour",
        )
    if (stored.imagewidth, stored.imagelength) != size(reader, page) or stored.imagedepth != 1:
        raise errors.DecodeError(f"TIFF whose size is stated twice: {stored.imagelength}, {size(reader, page)}")
    if not COLOURS[photometric] <= stored.samplesperpixel <= MAX_CHANNELS:
        raise errors.DecodeError(
            f"TIFF of {stored.samplesperpixel} channels, expected {COLOURS[photometric]} to {MAX_CHANNELS}",
            "unsupported_colour",
        )
    if not isinstance(stored.bitspersample, int):
        raise errors.DecodeError(f"channels of {stored.bitspersample} bits are not read", "unsupported_depth")


def _space_name(photometric: int) -> str:
    try:
        return PHOTOMETRIC(photometric).name
    except ValueError:
        return str(photometric)


def check_segments(reader: Reader, stored: tifffile.TiffPage) -> None:
    """Refuses strips and tiles that are incomplete, or that would take more memory than the picture.

    Raises:
        DecodeError: with the reason.
    """
    length = len(reader.data)
    offsets, counts = stored.dataoffsets, stored.databytecounts
    expected = math.prod(stored.chunked)
    if stored.is_tiled:
        _check_tile(stored)
    if not len(offsets) == len(counts) == expected:
        raise errors.DecodeError(f"TIFF of {len(offsets)} strips or tiles, expected {expected}")
    if min(offsets) <= 0 or (stored.compression != COMPRESSION.NONE and min(counts) <= 0):
        raise errors.DecodeError("TIFF with strips or tiles missing")
    if sum(counts) > 2 * length + 4096 * expected:
        raise errors.DecodeError(f"TIFF with {sum(counts)} bytes of pixels in {length} bytes of file")
    if stored.compression == COMPRESSION.NONE:
        return  # tifffile compares the bytes that it has with those that it needs
    for offset, count in zip(offsets, counts, strict=True):
        if offset + count > length:
            raise errors.DecodeError(f"truncated: a strip or tile ends at {offset + count} of {length} bytes")
        _check_own_size(reader.data[offset : offset + count], stored)


def _check_tile(stored: tifffile.TiffPage) -> None:
    area, most = stored.tilewidth * stored.tilelength, max(4 * stored.imagewidth * stored.imagelength, _SMALL_TILE)
    if not 0 < area <= most or stored.tiledepth != 1:
        raise errors.DecodeError(f"TIFF tiles of {stored.tilewidth}x{stored.tilelength} px")


def _check_own_size(segment: bytes, stored: tifffile.TiffPage) -> None:
    """Compares the size in the header of a strip or tile, if it has one, with the size that the TIFF states."""
    width, length = (
        (stored.tilewidth, stored.tilelength) if stored.is_tiled else (stored.imagewidth, stored.rowsperstrip)
    )
    if stored.compression == COMPRESSION.JPEG:
        frame = jpeg.frame(segment)
        if not jpeg.is_complete(segment, frame):
            raise errors.DecodeError("truncated: JPEG data in a TIFF without its end")
        inner = frame.width, frame.height
    elif stored.compression in _WITH_OWN_SIZE:
        with Image.open(io.BytesIO(segment), formats=[_WITH_OWN_SIZE[stored.compression]]) as image:
            inner = image.size
    else:
        return
    if inner[0] > max(width, 16) or inner[1] > max(length, 16):
        raise errors.DecodeError(f"a strip or tile of {inner[0]}x{inner[1]} px where {width}x{length} px are expected")
