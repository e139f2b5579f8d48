"""Expands run-length encoded BMP files (BI_RLE8, BI_RLE4) to plain ones of 8 bit, which Pillow reads.

Source: Microsoft, [MS-WMF] 2.1.1.7 and "Bitmap Compression"; Pillow mixes up the pixels of RLE4. Pixels that the file
skips are colour 0.
"""

import struct

import numpy as np

from photochrom import errors

_RLE8, _RLE4 = 1, 2
_END_OF_LINE, _END_OF_BITMAP, _DELTA = 0, 1, 2
_HEADERS = 54  # BITMAPFILEHEADER and the part of BITMAPINFOHEADER that all later versions share


def is_rle(data: bytes) -> bool:
    """Returns whether the content is a BMP with runs."""
    return data[:2] == b"BM" and len(data) >= _HEADERS and _int(data, 30) in (_RLE8, _RLE4) and _int(data, 14) >= 40


def expanded(data: bytes) -> bytes:
    """Returns the file without runs, its size checked by the caller.

    Raises:
        DecodeError: truncated, or with more pixels than its size.
    """
    width, height = struct.unpack_from("<ii", data, 18)
    is_rle4 = _int(data, 30) == _RLE4
    indices = _indices(data[_int(data, 10) :], width, abs(height), is_rle4)
    rows = np.zeros((abs(height), -(-width // 4) * 4), np.uint8)
    rows[:, :width] = indices
    begin = 14 + _int(data, 14)
    colours = min(_int(data, 46) or (16 if is_rle4 else 256), 256, (_int(data, 10) - begin) // 4)
    palette = data[begin : begin + 4 * colours]
    header = bytearray(data[14:begin])
    struct.pack_into("<HII", header, 14, 8, 0, rows.size)
    struct.pack_into("<I", header, 32, colours)
    offset = begin + len(palette)
    return struct.pack("<2sIII", b"BM", offset + rows.size, 0, offset) + bytes(header) + palette + rows.tobytes()


def _int(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _indices(codes: bytes, width: int, height: int, is_rle4: bool) -> np.ndarray:
    """Returns [height, width] uint8 palette indices in the order of the file, the lowest row first."""
    rows = np.zeros((height, width), np.uint8)
    x = y = at = 0
    while at + 2 <= len(codes) and y < height:
        count, value = codes[at], codes[at + 1]
        at += 2
        if count:
            run = np.full(count, value, np.uint8) if not is_rle4 else _pairs(bytes([value]) * (count // 2 + 1), count)
        elif value == _END_OF_LINE:
            x, y = 0, y + 1
            continue
        elif value == _END_OF_BITMAP:
            return rows
        elif value == _DELTA:
            x, y, at = x + codes[at], y + codes[at + 1], at + 2
            continue
        else:
            size = -(-value // 2) if is_rle4 else value
            literal = codes[at : at + size]
            run = _pairs(literal, value) if is_rle4 else np.frombuffer(literal, np.uint8)
            at += size + size % 2
        part = run[: max(width - x, 0)]
        rows[y, x : x + len(part)] = part
        x += len(run)
    if y < height - 1 or (y < height and x < width):
        raise errors.DecodeError(f"truncated: the runs of a BMP end in row {y + 1} of {height}, column {x} of {width}")
    return rows


def _pairs(packed: bytes, count: int) -> np.ndarray:
    """Returns `count` indices of 4 bit, the high one of each byte first."""
    values = np.frombuffer(packed, np.uint8)
    return np.stack([values >> 4, values & 15], axis=1).reshape(-1)[:count]
