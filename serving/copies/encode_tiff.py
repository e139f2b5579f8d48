"""Writes a copy as TIFF strip by strip, so that a large scan is never in memory as a whole.

Source: TIFF 6.0; Technical Note 2 (Adobe Deflate); TIFF's horizontal predictor, section 14.
"""

import struct
from collections.abc import Iterator
from typing import IO, Any

import imagecodecs
import numpy as np
import tifffile

from photochrom.imaging import exif, tags
from serving.copies.metadata import Blocks
from serving.copies.raster import Raster

_STRIP_BYTES = 1 << 20
# libdeflate's; on coloured scans 2% to 10% smaller than zlib's level 6, in a third of its time.
_LEVEL = 6
# Offsets of a classic TIFF have 32 bits; the rest is for metadata and for incompressible strips.
_MAX_CLASSIC = 2**32 - 2**26
# Pointers to directories, by tifffile's name.
_POINTERS = {tags.EXIF_IFD: "ExifTag", tags.GPS_IFD: "GPSTag"}
_RATIONALS = {tags.RATIONAL: "I", tags.SRATIONAL: "i"}
# Fields of the original that are not copied: tifffile or `_append_directories` writes those of the copy.
_REPLACED = tags.STORAGE | {tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT, *_POINTERS}


def encode(file: IO[bytes], raster: Raster, blocks: Blocks) -> None:
    """Writes a TIFF, beyond 4 GB a BigTIFF: deflate, horizontal predictor, EXIF and GPS in directories of their own."""
    height, width, channels = raster.shape
    row_bytes = width * channels * np.dtype(raster.depth).itemsize
    rows = max(1, min(height, _STRIP_BYTES // row_bytes))
    big = height * row_bytes > _MAX_CLASSIC
    order = blocks.exif.order
    with tifffile.TiffWriter(file, bigtiff=big, byteorder=order) as writer:  # type: ignore[arg-type]
        writer.write(
            _strips(raster, rows, order),
            shape=raster.shape,
            dtype=raster.depth,
            photometric="rgb",
            extrasamples=("unassalpha",) if channels == 4 else None,
            compression="adobe_deflate",
            predictor=True,
            rowsperstrip=rows,
            resolution=blocks.dpi or blocks.aspect,
            resolutionunit="INCH" if blocks.dpi else "NONE" if blocks.aspect else None,
            iccprofile=blocks.icc,
            software=False,
            metadata=None,
            extratags=_fields(blocks, big),
        )
    _append_directories(file, blocks, big)


def _strips(raster: Raster, rows: int, order: str) -> Iterator[bytes]:
    """Yields the compressed strips, cut from bands that hold several."""
    left: np.ndarray = np.empty((0, *raster.shape[1:]), raster.depth)
    for band in raster.bands():
        left = np.concatenate([left, band])
        full = len(left) // rows * rows
        for top in range(0, full, rows):
            yield _compress(left[top : top + rows], order)
        left = left[full:]
    if len(left):
        yield _compress(left, order)


def _compress(strip: np.ndarray, order: Any) -> bytes:
    differences = imagecodecs.delta_encode(np.ascontiguousarray(strip), axis=1)
    stored = differences.astype(differences.dtype.newbyteorder(order), copy=False)
    return bytes(imagecodecs.deflate_encode(stored.tobytes(), level=_LEVEL))


def _fields(blocks: Blocks, big: bool) -> list[Any]:
    """Returns the fields of the first directory that do not describe the storage of pixels."""
    main = {tag: entry for tag, entry in blocks.exif.main.items() if tag not in _REPLACED}
    fields: list[Any] = [_field(tag, entry, blocks.exif.order) for tag, entry in main.items()]
    fields.append((tags.XMP, tags.BYTE, None, blocks.xmp, True))
    if blocks.iptc:
        fields.append((tags.IPTC, tags.LONG, None, blocks.iptc, True))
    for tag, name in _POINTERS.items():
        if _has_directory(blocks, tag):
            fields.append((name, tags.LONG8 if big else tags.LONG, 1, 0, True))  # its offset is known at the end
    return fields


def _field(tag: int, entry: exif.Entry, order: str) -> tuple[Any, ...]:
    """Returns a field as tifffile takes it, which miscounts rational numbers given as bytes."""
    code = _RATIONALS.get(entry.type)
    if code is None or not isinstance(entry.value, bytes):
        return tag, entry.type, None, entry.value, True
    count = len(entry.value) // 8
    return tag, entry.type, count, struct.unpack(f"{order}{2 * count}{code}", entry.value), True


def _has_directory(blocks: Blocks, tag: int) -> bool:
    return tag in blocks.exif.main and isinstance(blocks.exif.main[tag].value, dict)


def _append_directories(file: IO[bytes], blocks: Blocks, big: bool) -> None:
    """Writes the directories of EXIF and GPS behind the pixels, and their offsets into the fields."""
    order = blocks.exif.order
    pointers = [tag for tag in _POINTERS if _has_directory(blocks, tag)]
    if not pointers:
        return
    places = _places(file, order, big)
    for tag in pointers:
        end = file.seek(0, 2)
        file.write(b"\0" * (-end % 8))
        end += -end % 8
        directory = blocks.exif.main[tag].value
        assert isinstance(directory, dict)
        directory = {tag: entry for tag, entry in directory.items() if tag not in tags.ONLY_IN_JPEG}
        file.write(exif.lay_out(directory, end, order, big=big))
        file.seek(places[tag])
        file.write(struct.pack(f"{order}{'Q' if big else 'I'}", end))


def _places(file: IO[bytes], order: str, big: bool) -> dict[int, int]:
    """Returns the offset in the file of the value of each field of the first directory.

    tifffile would follow the pointers, which are not set yet.
    """
    header, offset, number, size, value = (16, "8xQ", "Q", 20, 12) if big else (8, "4xI", "H", 12, 8)
    file.seek(0)
    (start,) = struct.unpack(order + offset, file.read(header))
    file.seek(start)
    width = struct.calcsize(order + number)
    (count,) = struct.unpack(order + number, file.read(width))
    fields = file.read(count * size)
    tags = (struct.unpack_from(f"{order}H", fields, i * size)[0] for i in range(count))
    return {tag: start + width + i * size + value for i, tag in enumerate(tags)}
