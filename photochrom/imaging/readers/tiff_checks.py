"""Refuses TIFF pages that are not read, that are broken, or that would take far more memory than their picture."""

import io
import math

import tifffile
from PIL import Image
from tifffile import COMPRESSION, PHOTOMETRIC

from photochrom import errors
from photochrom.imaging import tags
from photochrom.imaging.readers import jpeg, tiff_ycbcr
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
_FAX = (COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6)
# Compressions whose content knows its end, and gives too few bytes where it is cut.
_WITH_END = frozenset(
    (COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS, COMPRESSION.LZMA,
     COMPRESSION.ZSTD, COMPRESSION.JPEG)
)  # fmt: skip
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
    if stored.imagedepth != 1:
        raise errors.DecodeError(f"TIFF of a volume, {stored.imagedepth} pictures deep", "unsupported_depth")
    if stored.rowsperstrip < 1 and not stored.is_tiled:
        raise errors.DecodeError("TIFF with strips of 0 rows (RowsPerStrip)")
    if (stored.imagewidth, stored.imagelength) != size(reader, page):
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


def mend_counts(reader: Reader, page: Directory, stored: tifffile.TiffPage, photometric: int) -> tuple[str, ...]:
    """Corrects byte counts of strips and tiles (tags 279 and 325) where the layout or the content states them.

    Without compression they follow from the size; a single strip whose content knows its end may reach to the end of
    the file.

    Returns:
        A note where any was changed.

    Raises:
        DecodeError: counts are missing, and nothing else states them.
    """
    stated = _stated_counts(reader, page)
    if stored.compression == COMPRESSION.NONE:
        needed = _uncompressed_bytes(reader, page, stored, photometric)
        is_one = len(stored.dataoffsets) == 1
        counts = needed if is_one or not stated else tuple(map(_least_known, stated, needed))
    elif len(stored.dataoffsets) == 1 and stored.compression in _WITH_END:
        rest = max(len(reader.data) - stored.dataoffsets[0], 0)
        count = (stated or (0,))[0]
        if stored.compression == COMPRESSION.PACKBITS and not 0 < count <= rest:  # of which nothing may follow
            (size,) = _uncompressed_bytes(reader, page, stored, photometric)
            count = _packbits_bytes(reader.data, stored.dataoffsets[0], size)
        counts = (min(count or rest, rest),)
    elif not stated and stored.compression not in _FAX:
        raise errors.DecodeError(f"StripByteCounts is missing: where {len(stored.dataoffsets)} strips end is unknown")
    else:
        return ()
    stored.databytecounts = counts
    return () if counts == stated else ("wrong byte counts of strips corrected",)


def _packbits_bytes(data: bytes, start: int, size: int) -> int:
    """Returns the bytes of PackBits that unpack to `size` bytes. Source: TIFF 6.0, section 9."""
    at = start
    while size > 0 and at < len(data):
        code = data[at]
        at += code + 2 if code < 128 else 1 if code == 128 else 2
        size -= code + 1 if code < 128 else 0 if code == 128 else 257 - code
    return at - start


def _least_known(stated: int, needed: int) -> int:
    return min(stated or needed, needed)


def _stated_counts(reader: Reader, page: Directory) -> tuple[int, ...]:
    number = tags.TILE_BYTE_COUNTS if tags.TILE_BYTE_COUNTS in page.tags else tags.STRIP_BYTE_COUNTS
    return reader.numbers(page, number, len(reader.data))


def _uncompressed_bytes(
    reader: Reader, page: Directory, stored: tifffile.TiffPage, photometric: int
) -> tuple[int, ...]:
    """Returns the bytes of each strip or tile of a page without compression."""
    is_ycbcr = photometric == PHOTOMETRIC.YCBCR and stored.planarconfig == 1
    samples = stored.samplesperpixel if stored.planarconfig == 1 else 1
    width = stored.tilewidth if stored.is_tiled else stored.imagewidth

    def size(rows: int) -> int:
        if is_ycbcr:
            return tiff_ycbcr.segment_bytes(reader, page, width, rows)
        return rows * -(-width * samples * int(stored.bitspersample) // 8)

    if stored.is_tiled:
        return (size(stored.tilelength),) * len(stored.dataoffsets)
    most = max(stored.rowsperstrip, 1)
    strips = max(-(-stored.imagelength // most), 1)
    last = stored.imagelength - (strips - 1) * most
    return tuple(size(last if i % strips == strips - 1 else most) for i in range(len(stored.dataoffsets)))


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
        raise errors.DecodeError(
            f"TIFF with offsets of {len(offsets)} and byte counts of {len(counts)} strips or tiles, expected {expected}"
        )
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
