"""The blocks of metadata that go into a copy: what is carried over, what is set right, what finds no place and why."""

import dataclasses
import struct

from photochrom.imaging.picture import Metadata
from serving.copies import exif_update, icc, xmp
from serving.copies.formats import Format
from serving.copies.provenance import Provenance

# Source: CIPA DC-008 (EXIF 2.32) 4.7: a marker segment of JPEG holds 65,533 bytes, less what names it.
_JPEG_SEGMENT = 65_533
_JPEG_LIMITS = {"exif": _JPEG_SEGMENT - 6, "xmp": _JPEG_SEGMENT - 29, "iptc": _JPEG_SEGMENT - 14 - 12 - 1}
# A TIFF's own fields, which stay texts wherever they go.
_TEXT_TAGS = {exif_update.ARTIST: "artist", exif_update.COPYRIGHT: "copyright", exif_update.DESCRIPTION: "description"}


# What EXIF says where nobody knows the resolution (DC-008, XResolution).
_NO_DPI = (72.0, 72.0)


@dataclasses.dataclass
class Blocks:
    """What is written beside the pixels.

    Attributes:
        exif: the block set right; without fields where there is none.
        xmp: the packet.
        iptc: IPTC-IIM records.
        icc: the profile of the copy's pixels.
        dpi: horizontal and vertical resolution, or None.
        sidecars: end of the name -> content, for what has no place in the format.
        notes: what was replaced, left out or put beside the copy.
    """

    exif: exif_update.Block
    xmp: bytes
    iptc: bytes
    icc: bytes
    dpi: tuple[float, float] | None
    sidecars: dict[str, bytes] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)


def prepare(metadata: Metadata, provenance: Provenance, format: Format, width: int, height: int) -> Blocks:
    """Makes the blocks of a copy in a format, of that size in px."""
    blocks = Blocks(exif_update.empty(), b"", metadata.iptc, icc.srgb(), metadata.dpi)
    _add_exif(blocks, metadata, format, width, height)
    _add_xmp(blocks, metadata, provenance)
    if metadata.icc and metadata.icc != blocks.icc:
        blocks.notes.append(
            f"colour profile replaced by sRGB, which the pixels are in now: {icc.describe(metadata.icc)}"
        )
    _put_aside(blocks, format, provenance)
    return blocks


def _add_exif(blocks: Blocks, metadata: Metadata, format: Format, width: int, height: int) -> None:
    if metadata.exif:
        try:
            blocks.exif = exif_update.set_right(exif_update.parse(metadata.exif), width, height)
        except (ValueError, struct.error):
            blocks.sidecars[".exif"] = metadata.exif
            blocks.notes.append("broken EXIF lies beside the copy as it came")
    block = blocks.exif
    texts = {tag: getattr(metadata, name) for tag, name in _TEXT_TAGS.items()}
    added = {tag: exif_update.text(value) for tag, value in texts.items() if value and tag not in block.main}
    if format.name == "WEBP" and metadata.dpi and exif_update.X_RESOLUTION not in block.main:
        added |= exif_update.resolution(metadata.dpi, block.order)
    if added and format.name == "JPEG" and not block.main:
        added |= exif_update.of_a_jpeg(width, height) | exif_update.resolution(metadata.dpi or _NO_DPI, block.order)
    if added:
        blocks.exif = dataclasses.replace(block, raw=b"", main={**block.main, **added})


def _add_xmp(blocks: Blocks, metadata: Metadata, provenance: Provenance) -> None:
    try:
        blocks.xmp = xmp.merge(metadata.xmp, provenance)
    except ValueError as error:
        blocks.xmp = xmp.merge(b"", provenance)
        blocks.sidecars[".xmp"] = metadata.xmp
        blocks.notes.append(f"the original's XMP could not be merged ({error}); it lies beside the copy, end .xmp")


def _put_aside(blocks: Blocks, format: Format, provenance: Provenance) -> None:
    """Moves what does not fit into the format into files beside the copy."""
    limits = _JPEG_LIMITS if format.name == "JPEG" else {"iptc": 0} if format.name == "WEBP" else {}
    sizes = {"exif": len(exif_update.to_bytes(blocks.exif)), "xmp": len(blocks.xmp), "iptc": len(blocks.iptc)}
    for name, limit in limits.items():
        if sizes[name] <= limit:
            continue
        words = f"{name.upper()} of {sizes[name]} bytes has no place in a {format.name}"
        blocks.notes.append(f"{words}; it lies beside the copy, end .{name}")
        if name == "exif":
            blocks.sidecars[".exif"] = exif_update.to_bytes(blocks.exif)
            shorter = exif_update.reduced(blocks.exif)
            blocks.exif = shorter if len(exif_update.to_bytes(shorter)) <= limit else exif_update.empty()
        elif name == "iptc":
            blocks.sidecars[".iptc"] = blocks.iptc
            blocks.iptc = b""
        else:
            blocks.sidecars[".xmp"] = blocks.xmp  # all of it, with ours
            blocks.xmp = xmp.merge(b"", provenance)
