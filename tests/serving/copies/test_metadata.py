"""Where each block of metadata goes, by format and size."""

import pytest

from photochrom.imaging import exif, tags
from photochrom.imaging.picture import Metadata
from serving.copies import exif_fields, formats, metadata
from serving.copies.frame import Frame
from serving.copies.metadata import Blocks
from tests.serving.copies.conftest import PROVENANCE
from tests.support.metadata_blocks import IPTC, XMP, exif_block, rich_metadata

FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]
LARGE_XMP = XMP.replace(b"Bread", b"B" * 70_000)
LARGE_IPTC = IPTC + b"\x1c\x02\x78\x7f\xff" + b"x" * 0x7FFF + b"\x1c\x02\x78\x7f\xff" + b"x" * 0x7FFF


def prepared(format: str, **blocks) -> Blocks:
    return metadata.prepare(Metadata(**blocks), PROVENANCE, formats.FORMATS[format], Frame(30, 20))


def large_exif() -> bytes:
    block = exif.parse(exif_block())
    return exif.Block(block.order, {**block.main, tags.IMAGE_DESCRIPTION: exif_fields.text("d" * 70_000)}).to_bytes()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("blocks", "beside"),
    [
        ({}, {}),
        ({"exif": exif_block(), "xmp": XMP}, {}),
        ({"iptc": IPTC}, {"WEBP": ".iptc"}),
        ({"iptc": LARGE_IPTC}, {"JPEG": ".iptc", "WEBP": ".iptc"}),
        ({"exif": large_exif()}, {"JPEG": ".exif"}),
        ({"xmp": LARGE_XMP}, {"JPEG": ".xmp"}),
        ({"exif": b"broken"}, dict.fromkeys(FORMATS, ".exif")),
        ({"xmp": b"<broken"}, dict.fromkeys(FORMATS, ".xmp")),
    ],
    ids=["none", "small", "iptc", "large-iptc", "large-exif", "large-xmp", "broken-exif", "broken-xmp"],
)
def test_prepare_puts_aside_blocks_that_do_not_fit(format, blocks, beside):
    found = prepared(format, **blocks)
    expected = [beside[format]] if format in beside else []
    assert list(found.sidecars) == expected
    assert len(found.notes) == len(expected)
    assert all("beside the copy" in note for note in found.notes)
    assert PROVENANCE.digital_source_iri.encode() in found.xmp


def test_prepare_keeps_short_fields_of_large_exif():
    found = prepared("JPEG", exif=large_exif())
    assert tags.MAKE in found.exif.main and tags.IMAGE_DESCRIPTION not in found.exif.main
    assert found.exif_bytes == found.exif.to_bytes()
    assert len(exif.parse(found.sidecars[".exif"]).main[tags.IMAGE_DESCRIPTION].value) == 70_001


def test_prepare_puts_our_properties_into_large_xmp_too():
    found = prepared("JPEG", xmp=LARGE_XMP)
    assert b"CreatorTool" in found.xmp and b"CreatorTool" in found.sidecars[".xmp"]
    assert b"B" * 70_000 in found.sidecars[".xmp"] and len(found.xmp) < 3000


@pytest.mark.parametrize(
    ("format", "texts", "dpi", "expected"),
    [
        ("PNG", {}, (300.0, 300.0), set()),
        ("PNG", {"artist": "a"}, (300.0, 300.0), {tags.ARTIST}),
        ("TIFF", {"copyright": "c", "description": "d"}, None, {tags.COPYRIGHT, tags.IMAGE_DESCRIPTION}),
        ("WEBP", {}, (300.0, 300.0), {tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT}),
        ("WEBP", {}, None, set()),
        ("JPEG", {}, (300.0, 300.0), set()),
        (
            "JPEG",
            {"artist": "a"},
            None,
            {tags.ARTIST, tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT, tags.YCBCR_POSITIONING,
             tags.EXIF_IFD},
        ),
    ],
)  # fmt: skip
def test_prepare_adds_fields_that_the_format_needs(format, texts, dpi, expected):
    assert set(prepared(format, dpi=dpi, **texts).exif.main) == expected


def test_prepare_keeps_texts_of_the_original_exif():
    found = prepared("PNG", exif=exif_block(), artist="another")
    assert found.exif.main[tags.ARTIST].value == b"A. Photographer\0"


def test_prepare_notes_a_replaced_profile():
    (note,) = metadata.prepare(rich_metadata(), PROVENANCE, formats.FORMATS["PNG"], Frame(30, 20)).notes
    assert note.startswith("colour profile replaced by sRGB")
