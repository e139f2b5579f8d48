"""Reads YCbCr TIFF pages that are not JPEG: data units of any subsampling, to RGB.

Source: TIFF 6.0, sections 20 (ReferenceBlackWhite) and 21 (YCbCr). Chroma is repeated, not interpolated, as
libtiff does (tif_getimage.c), whose integers (tif_color.c) are at most 2 of 255 apart.
"""

import imagecodecs
import numpy as np
import tifffile
from tifffile import COMPRESSION

from photochrom import errors
from photochrom.imaging import tags
from photochrom.imaging.tiff_directory import Directory, Reader

# Compressions of plain bytes; others hold pictures that convert their colours themselves.
_OF_BYTES = frozenset(
    (COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS,
     COMPRESSION.LZMA, COMPRESSION.ZSTD)
)  # fmt: skip
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the default of tag 529
_FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)  # libtiff's default of tag 532
_SUBSAMPLINGS = (1, 2, 4)
_BAND_ROWS = 256


def read(reader: Reader, page: Directory, stored: tifffile.TiffPage) -> np.ndarray:
    """Returns [H, W, 3] uint8 RGB of a page whose size and segments the caller has checked.

    Raises:
        DecodeError: truncated, or of a depth, layout or compression that is not read.
    """
    across, down = _subsampling(reader, page)
    is_planar = stored.planarconfig == 2
    is_subsampled = (across, down) != (1, 1)
    if stored.bitspersample != 8 or stored.samplesperpixel != 3:
        raise errors.DecodeError(
            f"YCbCr of {stored.samplesperpixel} channels of {stored.bitspersample} bit, expected 3 of 8",
            "unsupported_depth",
        )
    if stored.compression not in _OF_BYTES or (is_subsampled and (is_planar or stored.predictor != 1)):
        raise errors.DecodeError(
            f"YCbCr, subsampled {across}x{down}, in compression {stored.compression!s} is not read, "
            f"{'in planes' if is_planar else f'with predictor {stored.predictor}'}",
            "unsupported_compression",
        )
    if is_subsampled:
        ycc = _unpacked(reader, stored, across, down)
    else:
        ycc = stored.asarray(squeeze=False, maxworkers=1)
        ycc = np.moveaxis(ycc[:, 0, :, :, 0], 0, 2) if is_planar else ycc[0, 0]
    return _to_rgb(ycc, _luma(reader, page), _range(reader, page))


def segment_bytes(reader: Reader, page: Directory, width: int, rows: int) -> int:
    """Returns the bytes of a strip or tile of chunky YCbCr, before compression."""
    across, down = _subsampling(reader, page)
    return -(-width // across) * -(-rows // down) * (across * down + 2)


def _subsampling(reader: Reader, page: Directory) -> tuple[int, int]:
    stated = reader.numbers(page, tags.YCBCR_SUB_SAMPLING, 2) or (2, 2)
    if len(stated) != 2 or not set(stated) <= set(_SUBSAMPLINGS):
        raise errors.DecodeError(f"YCbCr subsampled {stated}, expected two of {_SUBSAMPLINGS}")
    return stated[0], stated[1]


def _unpacked(reader: Reader, stored: tifffile.TiffPage, across: int, down: int) -> np.ndarray:
    """Returns [H, W, 3] uint8 YCbCr of strips or tiles in data units: `across` x `down` luma, then Cb, Cr."""
    height, width = stored.imagelength, stored.imagewidth
    step = (stored.tilelength, stored.tilewidth) if stored.is_tiled else (stored.rowsperstrip, width)
    columns = -(-width // step[1])
    ycc = np.empty((height, width, 3), np.uint8)
    for i, (offset, count) in enumerate(zip(stored.dataoffsets, stored.databytecounts, strict=True)):
        top, left = i // columns * step[0], i % columns * step[1]
        rows = step[0] if stored.is_tiled else min(step[0], height - top)
        segment = _decompressed(reader.data[offset : offset + count], stored)
        part = _interleaved(segment, rows, step[1], across, down)[: height - top, : width - left]
        ycc[top : top + len(part), left : left + part.shape[1]] = part
    return ycc


def _decompressed(segment: bytes, stored: tifffile.TiffPage) -> bytes:
    if stored.fillorder == 2:
        segment = bytes(imagecodecs.bitorder_decode(segment))
    if stored.compression == COMPRESSION.NONE:
        return segment
    return bytes(tifffile.TIFF.DECOMPRESSORS[stored.compression](segment))


def _interleaved(segment: bytes, rows: int, width: int, across: int, down: int) -> np.ndarray:
    """Returns [rows, width, 3] of data units, which cover whole multiples of the subsampling."""
    high, wide, luma = -(-rows // down), -(-width // across), across * down
    expected = high * wide * (luma + 2)
    if len(segment) < expected:
        raise errors.DecodeError(f"truncated: a strip or tile of {len(segment)} bytes, expected {expected}")
    units = np.frombuffer(segment, np.uint8, expected).reshape(high, wide, luma + 2)
    ycc = np.empty((high * down, wide * across, 3), np.uint8)
    ycc[:, :, 0] = units[:, :, :luma].reshape(high, wide, down, across).swapaxes(1, 2).reshape(ycc.shape[:2])
    for channel in (1, 2):
        ycc[:, :, channel] = units[:, :, luma + channel - 1].repeat(down, axis=0).repeat(across, axis=1)
    return ycc[:rows, :width]


def _luma(reader: Reader, page: Directory) -> tuple[float, ...]:
    luma = reader.rationals(page, tags.YCBCR_COEFFICIENTS, 3)
    return luma if len(luma) == 3 and all(0 < share < 1 for share in luma) else _LUMA


def _range(reader: Reader, page: Directory) -> tuple[float, ...]:
    stated = reader.rationals(page, tags.REFERENCE_BLACK_WHITE, 6)
    is_valid = len(stated) == 6 and all(white > black for black, white in zip(stated[::2], stated[1::2], strict=True))
    return stated if is_valid else _FULL_RANGE


def _to_rgb(ycc: np.ndarray, luma: tuple[float, ...], limits: tuple[float, ...]) -> np.ndarray:
    """Converts by TIFF 6.0, section 21, "Class Y": R = Y + (2 - 2 LumaRed) Cr, and so on."""
    codes = np.arange(256, dtype=np.float32)
    y, cb, cr = (
        (codes - black) * (full / (white - black))
        for black, white, full in zip(limits[::2], limits[1::2], (255, 127, 127), strict=True)
    )
    red, green, blue = luma
    red_cr, blue_cb = (2 - 2 * red) * cr, (2 - 2 * blue) * cb
    green_cb, green_cr = -blue / green * blue_cb, -red / green * red_cr
    rgb = np.empty(ycc.shape, np.uint8)
    for top in range(0, len(ycc), _BAND_ROWS):
        band = ycc[top : top + _BAND_ROWS]
        light, b, r = y[band[:, :, 0]], band[:, :, 1], band[:, :, 2]
        out = rgb[top : top + _BAND_ROWS]
        for channel, value in enumerate((light + red_cr[r], light + green_cb[b] + green_cr[r], light + blue_cb[b])):
            out[:, :, channel] = np.clip(np.rint(value), 0, 255)
    return rgb
