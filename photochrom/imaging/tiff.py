"""Reads the pixels of a TIFF page of any depth, layout and compression on the list, through tifffile.

Pillow is asked for nothing here but YCbCr that is not JPEG, and old-style JPEG: it opens 16-bit RGB as 8 bit, does not
invert 16-bit MinIsWhite, and shows floats of 0..1 as black.
"""

import io
import logging
import math

import numpy as np
import tifffile
from PIL import Image

from photochrom import errors
from photochrom.imaging import jpeg
from photochrom.imaging.stored_pixels import Samples, scale_bits, scale_floats, scale_integers, unassociate
from photochrom.imaging.tiff_directory import Directory, Reader

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it has to say of broken files becomes a DataError

_GRAY, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB, _ICCLAB = (0, 1), 2, 3, 5, 6, 8, 9
_MIN_IS_WHITE = 0
_FAX, _OLD_JPEG, _JPEG, _WEBP, _JPEG2000 = (2, 3, 4), 6, 7, 50001, 34712
# None, CCITT, LZW, old JPEG, JPEG, deflate (twice), PackBits, LZMA, zstd, WebP, JPEG 2000.
_COMPRESSIONS = (1, *_FAX, 5, _OLD_JPEG, _JPEG, 8, 32946, 32773, 34925, 50000, _WEBP, _JPEG2000)
_WITH_OWN_SIZE = {_WEBP: "WEBP", _JPEG2000: "JPEG2000"}
_UNSIGNED, _SIGNED, _FLOAT, _VOID = 1, 2, 3, 4
_MAX_CHANNELS = 8
_SMALL_TILE = 2048 * 2048
_ASSOCIATED, _UNASSOCIATED = 1, 2
_COLOURS = {_RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _CIELAB: 3, _ICCLAB: 3, **dict.fromkeys(_GRAY, 1)}
_NAMES = {_RGB: "RGB", _YCBCR: "RGB", _CMYK: "CMYK", **dict.fromkeys(_GRAY, "gray")}


def read(reader: Reader, page: Directory) -> tuple[Samples, bool]:
    """Reads one page, whose size the caller has checked.

    Returns:
        Its samples, and whether they are upright already.

    Raises:
        DecodeError: broken, or of a depth, colour space, layout or compression that is not read.
    """
    for directory in (page, reader.directory(reader.first_offset)):  # tifffile reads the first one in any case
        if directory.value_bytes > len(reader.data):
            raise errors.DecodeError(f"tags of {directory.value_bytes} bytes in {len(reader.data)} bytes of file")
    with tifffile.TiffFile(io.BytesIO(reader.data)) as file:
        file.filehandle.seek(page.offset)
        stored = tifffile.TiffPage(file, index=max(page.chain_index, 0))
        photometric = _photometric(reader, page, stored)
        _check(reader, page, stored, photometric)
        if stored.compression == _OLD_JPEG or (photometric == _YCBCR and stored.compression != _JPEG):
            return _by_libtiff(reader, page), True
        _check_segments(reader, stored)
        values = stored.asarray(squeeze=False, maxworkers=1)
    values = np.moveaxis(values[:, 0], 0, 2) if values.shape[0] > 1 else values[0, 0]
    values = values.reshape(*values.shape[:2], -1)
    return _samples(reader, page, stored, photometric, values), False


def _photometric(reader: Reader, page: Directory, stored: tifffile.TiffPage) -> int:
    """Returns the PhotometricInterpretation; where it is missing, what can be meant."""
    if 262 in page.tags:
        return reader.number(page, 262)
    if stored.compression in _FAX:
        return _MIN_IS_WHITE
    if stored.compression == _OLD_JPEG:
        return _YCBCR
    if stored.samplesperpixel == 3:
        return _RGB
    raise errors.DecodeError("TIFF without PhotometricInterpretation: it may be a negative", "unsupported_colour")


def _check(reader: Reader, page: Directory, stored: tifffile.TiffPage, photometric: int) -> None:
    """Refuses what is not read, before anything is allocated."""
    if stored.compression not in _COMPRESSIONS:
        raise errors.DecodeError(f"TIFF compression {stored.compression!s} is not read", "unsupported_compression")
    if photometric not in _COLOURS or (photometric == _CMYK and reader.number(page, 332, 1) != 1):
        raise errors.DecodeError(
            f"TIFF of colour space {_space_name(photometric)} is not read, expected gray, RGB, palette, CMYK, YCbCr or "
            "CIELAB",
            "unsupported_colour",
        )
    if (stored.imagewidth, stored.imagelength) != size(reader, page) or stored.imagedepth != 1:
        raise errors.DecodeError(f"TIFF whose size is stated twice: {stored.imagelength}, {size(reader, page)}")
    if not _COLOURS[photometric] <= stored.samplesperpixel <= _MAX_CHANNELS:
        raise errors.DecodeError(
            f"TIFF of {stored.samplesperpixel} channels, expected {_COLOURS[photometric]} to {_MAX_CHANNELS}",
            "unsupported_colour",
        )
    if not isinstance(stored.bitspersample, int):
        raise errors.DecodeError(f"channels of {stored.bitspersample} bits are not read", "unsupported_depth")


def _space_name(photometric: int) -> str:
    try:
        return tifffile.PHOTOMETRIC(photometric).name
    except ValueError:
        return str(photometric)


def size(reader: Reader, page: Directory) -> tuple[int, int]:
    """Returns width and height of a page, px, as stored."""
    return reader.number(page, 256), reader.number(page, 257)


def _check_segments(reader: Reader, stored: tifffile.TiffPage) -> None:
    """Refuses strips and tiles that are not all there, or that would take more memory than the picture."""
    length = len(reader.data)
    offsets, counts = stored.dataoffsets, stored.databytecounts
    expected = math.prod(stored.chunked)
    if stored.is_tiled:
        area, most = stored.tilewidth * stored.tilelength, max(4 * stored.imagewidth * stored.imagelength, _SMALL_TILE)
        if not 0 < area <= most or stored.tiledepth != 1:
            raise errors.DecodeError(f"TIFF tiles of {stored.tilewidth}x{stored.tilelength} px")
    if not len(offsets) == len(counts) == expected:
        raise errors.DecodeError(f"TIFF of {len(offsets)} strips or tiles, expected {expected}")
    if min(offsets) <= 0 or (stored.compression != 1 and min(counts) <= 0):
        raise errors.DecodeError("TIFF with strips or tiles missing")
    if sum(counts) > 2 * length + 4096 * expected:
        raise errors.DecodeError(f"TIFF with {sum(counts)} bytes of pixels in {length} bytes of file")
    if stored.compression == 1:
        return  # tifffile compares what there is with what it needs
    for offset, count in zip(offsets, counts, strict=True):
        if offset + count > length:
            raise errors.DecodeError(f"truncated: a strip or tile ends at {offset + count} of {length} bytes")
        _check_own_size(reader.data[offset : offset + count], stored)


def _check_own_size(segment: bytes, stored: tifffile.TiffPage) -> None:
    """Compares a strip or tile that is a file of its own with the room there is for it."""
    width, length = (
        (stored.tilewidth, stored.tilelength) if stored.is_tiled else (stored.imagewidth, stored.rowsperstrip)
    )
    if stored.compression == _JPEG:
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


def _by_libtiff(reader: Reader, page: Directory) -> Samples:
    """Reads 8-bit YCbCr, which libtiff turns into RGB, upright."""
    with Image.open(io.BytesIO(reader.data), formats=["TIFF"]) as image:
        if page.chain_index < 0:
            raise errors.DecodeError("YCbCr in a directory under another is not read", "unsupported_compression")
        if page.chain_index:
            image.seek(page.chain_index)
        if sorted(image.size) != sorted(size(reader, page)) or image.mode not in ("L", "RGB"):
            raise errors.DecodeError(
                f"YCbCr TIFF that opens as {image.mode}, {image.size[0]}x{image.size[1]} px", "unsupported_colour"
            )
        image.load()
        values = np.asarray(image)
    return Samples(values, "gray" if values.ndim == 2 else "RGB", values.dtype)


def _samples(
    reader: Reader,
    page: Directory,
    stored: tifffile.TiffPage,
    photometric: int,
    values: np.ndarray,
) -> Samples:
    """Tells colour from opacity in [H, W, C] values, and scales both."""
    colours = _COLOURS[photometric]
    colour = values[:, :, :colours]
    notes: tuple[str, ...] = ()
    alpha_at, associated, ignored = _alpha(reader, page, values.shape[2] - colours, photometric)
    if ignored:
        notes = (f"{ignored} extra channel{'s' * (ignored > 1)} ignored",)
    if photometric in (_CIELAB, _ICCLAB):
        lab, dtype = _lab(colour, photometric, stored.bitspersample)
        alpha = None if alpha_at < 0 else _scale(values[:, :, colours + alpha_at], stored)[0]
        return Samples(lab, "Lab", dtype, alpha, notes)
    if photometric == _PALETTE:
        return Samples(_expand(reader, page, colour[:, :, 0], stored), "RGB", np.dtype(np.uint8), None, notes)
    colour, scaling = _scale(colour[:, :, 0] if colours == 1 else colour, stored)
    if photometric == _MIN_IS_WHITE:
        colour = np.iinfo(colour.dtype).max - colour
    alpha = None if alpha_at < 0 else _scale(values[:, :, colours + alpha_at], stored)[0]
    if alpha is not None and associated:
        colour = unassociate(colour, alpha)
    return Samples(colour, _NAMES[photometric], colour.dtype, alpha, scaling + notes)


def _alpha(reader: Reader, page: Directory, extra: int, photometric: int) -> tuple[int, bool, int]:
    """Returns which extra channel is the opacity (-1: none), whether colours are multiplied by it, how many are not."""
    if photometric == _PALETTE:
        return -1, False, extra
    kinds = reader.numbers(page, 338, _MAX_CHANNELS)[:extra]
    if not kinds and extra == 1 and photometric in (*_GRAY, _RGB):
        return 0, False, 0  # as Pillow and browsers take it
    for i, kind in enumerate(kinds):
        if kind in (_ASSOCIATED, _UNASSOCIATED):
            return i, kind == _ASSOCIATED, extra - 1
    return -1, False, extra


def _scale(values: np.ndarray, stored: tifffile.TiffPage) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales samples of any type that is read to uint8 or uint16."""
    bits, kind = stored.bitspersample, int(stored.sampleformat)
    if kind == _FLOAT:
        return scale_floats(values)
    if bits == 32 and kind in (_UNSIGNED, _VOID, _SIGNED):
        return scale_integers(values)
    if kind not in (_UNSIGNED, _VOID):
        raise errors.DecodeError(
            f"TIFF samples of {bits} bit, {'signed' if kind == _SIGNED else f'format {kind}'}, are not supported: what "
            "is black in them is not stated",
            "unsupported_depth",
        )
    return scale_bits(values, bits), (f"{bits} bit scaled to 16",) if bits in range(9, 16) else ()


def _lab(values: np.ndarray, photometric: int, bits: int) -> tuple[np.ndarray, np.dtype]:
    """Returns [H, W, 3] float32 L*a*b*. Source: TIFF 6.0, section 23; Adobe's technical note of 2002 for ICCLAB."""
    if bits not in (8, 16):
        raise errors.DecodeError(f"CIELAB of {bits} bit is not supported, expected 8 or 16", "unsupported_depth")
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    white = 65280 if photometric == _ICCLAB and bits == 16 else 2**bits - 1
    lab = np.empty(values.shape, np.float32)
    lab[:, :, 0] = np.minimum(values[:, :, 0].astype(dtype) * (100 / white), 100)
    chroma = values[:, :, 1:].astype(dtype)
    if photometric == _ICCLAB:
        chroma ^= dtype.type(1 << (bits - 1))  # from offset to two's complement
    lab[:, :, 1:] = chroma.view(np.int8) if bits == 8 else chroma.view(np.int16) / np.float32(256)
    return lab, dtype


def _expand(reader: Reader, page: Directory, indices: np.ndarray, stored: tifffile.TiffPage) -> np.ndarray:
    """Returns [H, W, 3] uint8 of palette indices."""
    bits = stored.bitspersample
    if not 1 <= bits <= 16 or int(stored.sampleformat) not in (_UNSIGNED, _VOID):
        raise errors.DecodeError(f"palette of {bits} bit is not supported, expected 1 to 16", "unsupported_depth")
    palette = np.array(reader.numbers(page, 320, 3 * 2**bits))
    if len(palette) != 3 * 2**bits:
        raise errors.DecodeError(f"palette of {len(palette)} values, expected {3 * 2**bits}")
    if palette.max() > 255:  # a few writers fill 8 bits of the 16
        palette = palette >> 8
    return palette.astype(np.uint8).reshape(3, -1).T[indices.astype(np.uint16)]
