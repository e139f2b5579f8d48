"""Collects the metadata of a file: EXIF, XMP, IPTC, profile, resolution and texts, each of bounded size."""

import re
from typing import Any, NamedTuple

from PIL import Image

from photochrom import errors
from photochrom.imaging import jp2, tags, tiff_directory
from photochrom.imaging.exif import from_tiff
from photochrom.imaging.icc import MAX_PROFILE_BYTES
from photochrom.imaging.picture import Metadata

# A longer block is left out; a longer text is cut.
_MAX_BLOCK_BYTES = 16_000_000
_MAX_TEXT = 1_000_000
_INCH, _CENTIMETRE = 2, 3
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])\b")
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"


class Embedded(NamedTuple):
    """The metadata of a file, its orientation (1..8, EXIF tag 274), and notes."""

    metadata: Metadata
    orientation: int
    notes: tuple[str, ...] = ()


def of_image(image: Image.Image, boxes: jp2.Boxes) -> Embedded:
    """Collects from an image that Pillow has opened, and loaded where chunks may follow the pixels.

    Args:
        image: of any format but TIFF.
        boxes: of a JPEG 2000 file, whose blocks Pillow does not read; empty ones for all others.
    """
    exif, notes = _checked(_bytes(image, "exif") or _raw_profile(image, "exif", "APP1") or boxes.exif)
    xmp = _bytes(image, "xmp") or _text(image, "XML:com.adobe.xmp").encode() or _raw_profile(image, "xmp") or boxes.xmp
    xmp = xmp[:-1] if xmp.endswith(b"\0") else xmp
    if any(part[1].startswith(_EXTENDED_XMP) for part in getattr(image, "applist", ())):
        notes += ("extended XMP is not kept",)
    orientation, artist, copyright, description = _of_exif(exif)
    stated = _XMP_ORIENTATION.search(xmp) if not orientation else None
    metadata = Metadata(
        exif=exif,
        xmp=_bounded(xmp),
        iptc=_bounded(_iptc(image)),
        icc=_bounded(_bytes(image, "icc_profile") or boxes.icc, MAX_PROFILE_BYTES),
        dpi=_dpi(image),
        artist=artist or _text(image, "Author"),
        copyright=copyright or _text(image, "Copyright"),
        description=description or _text(image, "Description"),
    )
    return Embedded(metadata, orientation or (int(stated[1]) if stated else 1), notes)


def of_blocks(exif: bytes, xmp: bytes, icc: bytes, notes: tuple[str, ...] = ()) -> Embedded:
    """Collects from blocks of a container whose reader turns the pixels upright: EXIF's orientation does not count.

    Args:
        exif, xmp, icc: the blocks, b"" for none.
        notes: of reading them.
    """
    exif, more = _checked(exif)
    _, artist, copyright, description = _of_exif(exif)
    metadata = Metadata(
        exif=exif,
        xmp=_bounded(xmp),
        icc=_bounded(icc, MAX_PROFILE_BYTES),
        artist=artist,
        copyright=copyright,
        description=description,
    )
    return Embedded(metadata, 1, notes + more)


def of_tiff(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> Embedded:
    """Collects from the tags of a TIFF page."""
    stated = reader.number(page, tags.ORIENTATION)
    resources = reader.raw(page, tags.PHOTOSHOP, len(reader.data))
    metadata = Metadata(
        exif=from_tiff(reader, page),
        xmp=reader.raw(page, tags.XMP, _MAX_BLOCK_BYTES).rstrip(b"\0"),
        iptc=reader.raw(page, tags.IPTC, _MAX_BLOCK_BYTES) or _bounded(_resource(resources, tags.IPTC_RESOURCE)),
        icc=reader.raw(page, tags.ICC_PROFILE, MAX_PROFILE_BYTES),
        dpi=_tiff_dpi(reader, page),
        artist=reader.text(page, tags.ARTIST, _MAX_TEXT),
        copyright=reader.text(page, tags.COPYRIGHT, _MAX_TEXT),
        description=reader.text(page, tags.IMAGE_DESCRIPTION, _MAX_TEXT),
    )
    return Embedded(metadata, stated if 1 <= stated <= 8 else 1)


def _checked(exif: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns the block, or none of it and a note where it is too large or would fill a reader's memory."""
    if len(exif) > _MAX_BLOCK_BYTES:
        return b"", (f"EXIF of {len(exif)} bytes is not kept",)
    try:
        reader = tiff_directory.Reader(_without_mark(exif))
        first = reader.directory(reader.first_offset)
        directories = [first]
        for number in (tags.EXIF_IFD, tags.GPS_IFD):
            if number in first.tags:
                directories.append(reader.directory(reader.number(first, number)))
    except errors.DecodeError:
        return exif, ()  # broken, but harmless
    if sum(directory.value_bytes for directory in directories) > len(exif):
        return b"", ("damaged EXIF is not kept",)
    return exif, ()


def _without_mark(exif: bytes) -> bytes:
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    return exif


def _of_exif(exif: bytes) -> tuple[int, str, str, str]:
    """Returns orientation (0: none), artist, copyright and description of an EXIF block, as far as it can be read."""
    try:
        reader = tiff_directory.Reader(_without_mark(exif))
        first = reader.directory(reader.first_offset)
    except errors.DecodeError:
        return 0, "", "", ""
    stated = reader.number(first, tags.ORIENTATION)
    artist, copyright, description = (
        reader.text(first, n, _MAX_TEXT) for n in (tags.ARTIST, tags.COPYRIGHT, tags.IMAGE_DESCRIPTION)
    )
    return stated if 1 <= stated <= 8 else 0, artist, copyright, description


def _bounded(block: bytes, limit: int = _MAX_BLOCK_BYTES) -> bytes:
    return block if len(block) <= limit else b""


def _bytes(image: Image.Image, name: str) -> bytes:
    value = image.info.get(name, b"")
    return value if isinstance(value, bytes) else b""


def _text(image: Image.Image, name: str) -> str:
    value = image.info.get(name, "")
    return str(value)[: _MAX_BLOCK_BYTES if ":" in name else _MAX_TEXT] if isinstance(value, str) else ""


def _raw_profile(image: Image.Image, *names: str) -> bytes:
    """Returns a block that ImageMagick or exiftool wrote as text into a PNG: name, length, hexadecimal digits."""
    for name in names:
        lines = _info_text(image, f"Raw profile type {name}").split(maxsplit=2)
        if len(lines) == 3 and len(lines[2]) <= 3 * _MAX_BLOCK_BYTES:
            try:
                return bytes.fromhex(lines[2])
            except ValueError:
                continue
    return b""


def _info_text(image: Image.Image, name: str) -> str:
    value: Any = image.info.get(name, "")
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _iptc(image: Image.Image) -> bytes:
    resources = image.info.get("photoshop")
    if isinstance(resources, dict) and isinstance(resources.get(tags.IPTC_RESOURCE), bytes):
        return resources[tags.IPTC_RESOURCE]
    block = _raw_profile(image, "iptc")
    return _resource(block, tags.IPTC_RESOURCE) or block


def _resource(block: bytes, wanted: int) -> bytes:
    """Returns one of Photoshop's image resources: "8BIM", number, Pascal string, length, data, each to even length."""
    position = block.find(b"8BIM")
    while position >= 0 and position + 12 <= len(block) and block[position : position + 4] == b"8BIM":
        number = int.from_bytes(block[position + 4 : position + 6], "big")
        position += 6 + (block[position + 6] // 2 + 1) * 2
        length = int.from_bytes(block[position : position + 4], "big")
        position += 4
        if number == wanted:
            return block[position : position + length]
        position += length + length % 2
    return b""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(v) for v in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return _plausible(horizontal, vertical)  # Pillow says 1 where a JFIF header states none


def _tiff_dpi(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> tuple[float, float] | None:
    unit = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(reader.number(page, tags.RESOLUTION_UNIT, _INCH), 0.0)
    return _plausible(reader.rational(page, tags.X_RESOLUTION) * unit, reader.rational(page, tags.Y_RESOLUTION) * unit)


def _plausible(horizontal: float, vertical: float) -> tuple[float, float] | None:
    return (horizontal, vertical) if 1 < horizontal < 1e5 and 1 < vertical < 1e5 else None
