"""Metadata of a copy: the blocks that are carried over, updated, added or put beside it, and notes on them."""

import dataclasses
import struct

from photochrom.imaging import exif, icc, tags
from photochrom.imaging.picture import Metadata
from serving.copies import exif_fields, exif_in_place, iptc, xmp
from serving.copies.formats import Format
from serving.copies.frame import Frame
from serving.copies.provenance import Provenance

# Source: CIPA DC-008 (EXIF 2.32) 4.7: a marker segment of JPEG holds 65,533 bytes, less the name of its content.
_JPEG_SEGMENT = 65_533
# Format -> block -> the most bytes that fit; blocks without a limit are left out.
_LIMITS = {
    "JPEG": {"exif": _JPEG_SEGMENT - 6, "xmp": _JPEG_SEGMENT - 29, "iptc": _JPEG_SEGMENT - 14 - 12 - 1},
    "WEBP": {"iptc": 0},
}
# Texts that a TIFF has in fields of its own, and that EXIF has in any format.
_TEXTS = {tags.ARTIST: "artist", tags.COPYRIGHT: "copyright", tags.IMAGE_DESCRIPTION: "description"}
# EXIF's value for an unknown resolution (DC-008, XResolution).
_NO_DPI = (72.0, 72.0)


@dataclasses.dataclass
class Blocks:
    """The metadata that is written with the pixels.

    Attributes:
        exif: the updated block; without fields where there is none.
        exif_bytes: the same, as all formats but TIFF store it; b"" for none.
        xmp: the packet.
        iptc: IPTC-IIM records as the format stores them; b"" for none.
        icc: the profile of the copy's pixels.
        dpi, aspect: horizontal and vertical resolution, or its ratio alone; None for none.
        sidecars: suffix -> content of a file beside the copy, for blocks that the format cannot hold.
        notes: blocks that were replaced, left out or put beside the copy.
    """

    exif: exif.Block
    exif_bytes: bytes
    xmp: bytes
    iptc: bytes
    icc: bytes
    dpi: tuple[float, float] | None
    aspect: tuple[int, int] | None = None
    sidecars: dict[str, bytes] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)


def prepare(metadata: Metadata, provenance: Provenance, format: Format, frame: Frame) -> Blocks:
    """Makes the blocks of a copy in a format, of that geometry."""
    blocks = Blocks(exif.Block(), b"", b"", metadata.iptc, icc.srgb_profile(), metadata.dpi, metadata.aspect)
    _add_exif(blocks, metadata, format, frame)
    try:
        blocks.xmp, notes = xmp.merge(metadata.xmp, provenance, frame)
        blocks.notes += notes
    except ValueError as error:
        blocks.xmp = xmp.ours(provenance)
        blocks.sidecars[".xmp"] = metadata.xmp
        blocks.notes.append(f"the original's XMP could not be merged ({error}); it is kept beside the copy, in .xmp")
    if metadata.icc and metadata.icc != blocks.icc:
        blocks.notes.append(
            f"colour profile replaced by sRGB, which the pixels are in now: {icc.describe(metadata.icc)}"
        )
    _put_aside(blocks, format, provenance)
    blocks.iptc = iptc.wrap(blocks.iptc, format.name)
    return blocks


def _add_exif(blocks: Blocks, metadata: Metadata, format: Format, frame: Frame) -> None:
    """Updates the original's EXIF; adds its texts outside EXIF, and the fields that the format requires with them."""
    block = exif.Block()
    if metadata.exif:
        try:
            parsed = exif.parse(metadata.exif)
            block, notes = exif_fields.update_for(parsed, frame, moves=format.name == "TIFF")
            blocks.notes += notes
        except (ValueError, struct.error):
            blocks.sidecars[".exif"] = metadata.exif
            blocks.notes.append("broken EXIF is kept unchanged beside the copy")
    texts = {tag: getattr(metadata, name) for tag, name in _TEXTS.items()}
    added = {tag: exif_fields.text(value) for tag, value in texts.items() if value and tag not in block.main}
    density = metadata.dpi or metadata.aspect
    if format.name == "WEBP" and density and tags.X_RESOLUTION not in block.main:
        added |= exif_fields.resolution(density, block.order, has_unit=bool(metadata.dpi))
    if added and format.name == "JPEG" and not block.main:
        added |= exif_fields.required_in_jpeg(frame.width, frame.copy_height)
        added |= exif_fields.resolution(metadata.dpi or _NO_DPI, block.order)
    blocks.exif = exif_in_place.rewritten(block, {**block.main, **added}) if added else block
    blocks.exif_bytes = blocks.exif.to_bytes()


def _put_aside(blocks: Blocks, format: Format, provenance: Provenance) -> None:
    """Moves blocks that do not fit into the format into files beside the copy."""
    sizes = {"exif": len(blocks.exif_bytes), "xmp": len(blocks.xmp), "iptc": len(blocks.iptc)}
    for name, limit in _LIMITS.get(format.name, {}).items():
        if sizes[name] <= limit:
            continue
        words = f"{name.upper()} of {sizes[name]} bytes has no place in a {format.name}"
        blocks.notes.append(f"{words}; it is kept beside the copy, in .{name}")
        if name == "exif":
            blocks.sidecars[".exif"] = blocks.exif_bytes
            _reduce_exif(blocks, limit)
        elif name == "iptc":
            blocks.sidecars[".iptc"] = blocks.iptc
            blocks.iptc = b""
        else:
            blocks.sidecars[".xmp"] = blocks.xmp  # with our properties
            blocks.xmp = xmp.ours(provenance)


def _reduce_exif(blocks: Blocks, limit: int) -> None:
    blocks.exif = exif_fields.reduced(blocks.exif)
    blocks.exif_bytes = blocks.exif.to_bytes()
    if len(blocks.exif_bytes) > limit:
        blocks.exif, blocks.exif_bytes = exif.Block(), b""
