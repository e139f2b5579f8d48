"""Collects the metadata of a file: EXIF, XMP, IPTC, profile, resolution and texts, each of bounded size."""

import fractions
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from PIL import Image

from photochrom import errors
from photochrom.imaging import jp2, tags, tiff_directory
from photochrom.imaging.exif import from_tiff
from photochrom.imaging.icc import MAX_PROFILE_BYTES
from photochrom.imaging.picture import Metadata

# A longer block is left out, a longer text is cut; with a note.
_MAX_BLOCK_BYTES = 16_000_000
_MAX_TEXT = 1_000_000
_NONE, _INCH, _CENTIMETRE = 1, 2, 3
# JFIF 1.02: units of the density.
_JFIF_UNITS = {1: 1.0, 2: 2.54}
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>\s*)([1-8])\b")
_RESOURCES_LEFT_OUT = "Photoshop's image resources other than IPTC (paths, print settings, thumbnails) are not kept"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"


class Embedded(NamedTuple):
    """The metadata of a file, its orientation (1..8, EXIF tag 274), and notes."""

    metadata: Metadata
    orientation: int
    notes: tuple[str, ...] = ()


class _OfExif(NamedTuple):
    """Fields of an EXIF block that decoding needs; orientation 0 where it states none."""

    orientation: int = 0
    artist: str = ""
    copyright: str = ""
    description: str = ""
    dpi: tuple[float, float] | None = None


class _Bounds:
    """Bounds the size of blocks and texts.

    Attributes:
        notes: on those that were too large.
    """

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()

    def block(self, name: str, block: bytes, limit: int = _MAX_BLOCK_BYTES) -> bytes:
        """Returns the block; b"" if it is too large."""
        if len(block) <= limit:
            return block
        self.notes += (f"{name} of {len(block)} bytes is not kept, at most {limit}",)
        return b""

    def text(self, name: str, text: str) -> str:
        """Returns the text, cut if it is too long."""
        if len(text) > _MAX_TEXT:
            self.notes += (f"{name} is cut to {_MAX_TEXT} characters",)
        return text[:_MAX_TEXT]


def of_image(image: Image.Image, boxes: jp2.Boxes) -> Embedded:
    """Collects from an image that Pillow has opened, and loaded where chunks may follow the pixels.

    Args:
        image: of any format but TIFF.
        boxes: of a JPEG 2000 file, whose blocks Pillow does not read; empty ones for all others.
    """
    bounds = _Bounds()
    exif, notes = _checked(_bytes(image, "exif") or _raw_profile(image, "exif", "APP1") or boxes.exif)
    xmp = _bytes(image, "xmp") or _text(image, "XML:com.adobe.xmp").encode() or _raw_profile(image, "xmp") or boxes.xmp
    if any(part[1].startswith(_EXTENDED_XMP) for part in getattr(image, "applist", ())):
        notes += ("extended XMP is not kept",)
    stated, aspect, resources = _of_exif(exif), _stated_aspect(image), _resources(image)
    metadata = Metadata(
        exif=exif,
        xmp=bounds.block("XMP", xmp),
        iptc=bounds.block("IPTC", resources.get(tags.IPTC_RESOURCE, b"")),
        icc=bounds.block("colour profile", _bytes(image, "icc_profile") or boxes.icc, MAX_PROFILE_BYTES),
        dpi=_dpi(image) or (None if aspect else stated.dpi),
        aspect=aspect,
        artist=bounds.text("Artist", stated.artist or _text(image, "Author")),
        copyright=bounds.text("Copyright", stated.copyright or _text(image, "Copyright")),
        description=bounds.text("ImageDescription", stated.description or _text(image, "Description")),
    )
    notes += _noted_resources(resources) + bounds.notes
    return Embedded(metadata, stated.orientation or _xmp_orientation(metadata.xmp), notes)


def of_blocks(exif: bytes, xmp: bytes, icc: bytes, notes: tuple[str, ...] = ()) -> Embedded:
    """Collects from blocks of a container whose reader turns the pixels upright: EXIF's orientation does not count.

    Args:
        exif, xmp, icc: the blocks, b"" for none.
        notes: of reading them.
    """
    bounds = _Bounds()
    exif, more = _checked(exif)
    stated = _of_exif(exif)
    metadata = Metadata(
        exif=exif,
        xmp=bounds.block("XMP", xmp),
        icc=bounds.block("colour profile", icc, MAX_PROFILE_BYTES),
        dpi=stated.dpi,
        artist=bounds.text("Artist", stated.artist),
        copyright=bounds.text("Copyright", stated.copyright),
        description=bounds.text("ImageDescription", stated.description),
    )
    return Embedded(metadata, 1, notes + more + bounds.notes)


def of_tiff(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> Embedded:
    """Collects from the tags of a TIFF page."""
    bounds = _Bounds()
    stated = reader.number(page, tags.ORIENTATION)
    exif, notes = from_tiff(reader, page)
    resources = dict(_walk_resources(_whole(reader, page, tags.PHOTOSHOP)))
    metadata = Metadata(
        exif=exif,
        xmp=bounds.block("XMP", _whole(reader, page, tags.XMP)),
        iptc=bounds.block("IPTC", _whole(reader, page, tags.IPTC) or resources.get(tags.IPTC_RESOURCE, b"")),
        icc=bounds.block("colour profile", _whole(reader, page, tags.ICC_PROFILE), MAX_PROFILE_BYTES),
        dpi=_tiff_dpi(reader, page),
        aspect=_tiff_aspect(reader, page),
        artist=bounds.text("Artist", reader.text(page, tags.ARTIST, _MAX_TEXT + 1)),
        copyright=bounds.text("Copyright", reader.text(page, tags.COPYRIGHT, _MAX_TEXT + 1)),
        description=bounds.text("ImageDescription", reader.text(page, tags.IMAGE_DESCRIPTION, _MAX_TEXT + 1)),
    )
    notes += _noted_resources(resources) + bounds.notes
    return Embedded(metadata, stated if 1 <= stated <= 8 else 1, notes)


def _whole(reader: tiff_directory.Reader, page: tiff_directory.Directory, number: int) -> bytes:
    return reader.raw(page, number, len(reader.data))


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


def _of_exif(exif: bytes) -> _OfExif:
    """Returns the fields of an EXIF block, as far as it can be read."""
    try:
        reader = tiff_directory.Reader(_without_mark(exif))
        first = reader.directory(reader.first_offset)
    except errors.DecodeError:
        return _OfExif()
    stated = reader.number(first, tags.ORIENTATION)
    artist, copyright, description = (
        reader.text(first, n, _MAX_TEXT + 1) for n in (tags.ARTIST, tags.COPYRIGHT, tags.IMAGE_DESCRIPTION)
    )
    orientation = stated if 1 <= stated <= 8 else 0
    return _OfExif(orientation, artist, copyright, description, _tiff_dpi(reader, first))


def _xmp_orientation(xmp: bytes) -> int:
    stated = _XMP_ORIENTATION.search(xmp.replace(b"\0", b""))  # UTF-16 too
    return int(stated[1]) if stated else 1


def _bytes(image: Image.Image, name: str) -> bytes:
    value = image.info.get(name, b"")
    return value if isinstance(value, bytes) else b""


def _text(image: Image.Image, name: str) -> str:
    value = image.info.get(name, "")
    return str(value) if isinstance(value, str) else ""


def _raw_profile(image: Image.Image, *names: str) -> bytes:
    """Returns a block that ImageMagick or exiftool wrote as text into a PNG: name, length, hexadecimal digits."""
    for name in names:
        lines = _info_text(image, f"Raw profile type {name}").split(maxsplit=2)
        if len(lines) == 3:
            try:
                return bytes.fromhex(lines[2])
            except ValueError:
                continue
    return b""


def _info_text(image: Image.Image, name: str) -> str:
    value: Any = image.info.get(name, "")
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _resources(image: Image.Image) -> dict[int, bytes]:
    """Returns Photoshop's image resources, of a JPEG by Pillow, of a PNG as a text."""
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        return {number: value for number, value in resources.items() if isinstance(value, bytes)}
    block = _raw_profile(image, "iptc")
    return dict(_walk_resources(block)) or ({tags.IPTC_RESOURCE: block} if block else {})


def _walk_resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields Photoshop's image resources: "8BIM", number, Pascal string, length, data, each to even length."""
    position = block.find(b"8BIM")
    while position >= 0 and position + 12 <= len(block) and block[position : position + 4] == b"8BIM":
        number = int.from_bytes(block[position + 4 : position + 6], "big")
        position += 6 + (block[position + 6] // 2 + 1) * 2
        length = int.from_bytes(block[position : position + 4], "big")
        position += 4
        yield number, block[position : position + length]
        position += length + length % 2


def _noted_resources(resources: Collection[int]) -> tuple[str, ...]:
    return (_RESOURCES_LEFT_OUT,) if set(resources) - {tags.IPTC_RESOURCE} else ()


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Returns the resolution that the format itself states; Pillow fills in that of EXIF, or 72."""
    try:
        if "jfif_density" in image.info or image.format in ("JPEG", "MPO"):
            unit = _JFIF_UNITS.get(image.info.get("jfif_unit", 0), 0.0)
            horizontal, vertical = (unit * v for v in image.info.get("jfif_density", (0, 0)))
        else:
            horizontal, vertical = (float(v) for v in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return _plausible(horizontal, vertical)


def _tiff_dpi(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> tuple[float, float] | None:
    unit = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(reader.number(page, tags.RESOLUTION_UNIT, _INCH), 0.0)
    return _plausible(reader.rational(page, tags.X_RESOLUTION) * unit, reader.rational(page, tags.Y_RESOLUTION) * unit)


def _plausible(horizontal: float, vertical: float) -> tuple[float, float] | None:
    return (horizontal, vertical) if 1 < horizontal < 1e5 and 1 < vertical < 1e5 else None


def _stated_aspect(image: Image.Image) -> tuple[int, int] | None:
    """Returns the ratio of a JFIF header or a pHYs chunk without a unit."""
    if image.info.get("jfif_unit") == 0:
        return _aspect(*image.info.get("jfif_density", (0, 0)))
    return _aspect(*image.info["aspect"]) if image.format == "PNG" and "aspect" in image.info else None


def _tiff_aspect(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> tuple[int, int] | None:
    if reader.number(page, tags.RESOLUTION_UNIT, _INCH) != _NONE:
        return None
    return _aspect(reader.rational(page, tags.X_RESOLUTION), reader.rational(page, tags.Y_RESOLUTION))


def _aspect(across: float, down: float) -> tuple[int, int] | None:
    """Returns the ratio of two resolutions in small whole numbers; None for equal and for implausible ones."""
    if not 0 < across < 1e9 or not 0 < down < 1e9 or not 0.01 < across / down < 100:
        return None
    ratio = fractions.Fraction(across / down).limit_denominator(1000)
    return None if ratio == 1 else (ratio.numerator, ratio.denominator)
