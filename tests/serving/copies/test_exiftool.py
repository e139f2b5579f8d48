"""Metadata of the copies as a second tool, ExifTool, reads it."""

import io
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
import tifffile
from PIL import Image

from photochrom.imaging import decoding
from photochrom.imaging.picture import Metadata, Picture
from tests.support.metadata_blocks import IPTC, XMP, exif_block, rich_metadata

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]
NAMES_X, NAMES_Y = (re.compile(f":({one}Resolution|PixelsPerUnit{one})$") for one in "XY")


def exiftool(path: pathlib.Path) -> dict[str, str]:
    command = ["exiftool", "-json", "-G1", "-u", "-a", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]


def complaints(*paths: pathlib.Path) -> list[set[str]]:
    """Returns the complaints of -validate about each file."""
    command = ["exiftool", "-validate", "-warning", "-error", "-a", "-s3", *map(str, paths)]
    report = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    parts = report.rpartition("\n    ")[0].split("======== ")[1:]  # less the count of files
    return [set(part.splitlines()[2:]) for part in parts]  # less name and verdict


@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_provenance(write, format):
    found = exiftool(write(format).path)
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert found["XMP-iptcExt:DigitalSourceType"] == kind
    assert found["XMP-iptcExt:AISystemUsed"] == "Photochrom, model a <b> & c"
    assert found["XMP-iptcExt:AISystemVersionUsed"] == "sha256:12"
    assert found["XMP-xmpMM:DerivedFromDocumentID"] == f"sha256:{'34' * 32}"
    assert found["XMP-xmpMM:DerivedFromFilePath"] == "scan ü.tif"
    assert found["XMP-xmp:ModifyDate"] == found["XMP-xmp:MetadataDate"] == "2026:01:31"
    assert found["ICC-header:ColorSpaceData"] == "RGB "


@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_all_kinds_of_metadata(write, format):
    found = exiftool(write(format, metadata=rich_metadata()).path)
    assert found["IFD0:Make"] == "Maker"
    assert found["IFD0:Orientation"] == "Horizontal (normal)"
    assert (found["IFD0:XResolution"], found["IFD0:YResolution"]) == (300, 300)
    assert (found["IFD0:Artist"], found["IFD0:Copyright"]) == ("A. Photographer", "© Müller")
    assert found["IFD0:ImageDescription"] == "Straße"
    assert found["ExifIFD:DateTimeOriginal"] == "1999:01:01 10:00:00"
    assert found["GPS:GPSLatitude"].startswith("52 deg 31' 12.50")
    assert (found["XMP-dc:Title"], found["XMP-photoshop:City"], found["XMP-own:Box"]) == ("Bread & butter", "Köln", 7)
    if format != "WEBP":
        assert (found["IPTC:Caption-Abstract"], found["IPTC:Keywords"]) == ("A caption", "Paris")


@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_texts_without_exif(write, format):
    metadata = Metadata(artist="A. Ö.", copyright="©", description="d", dpi=(600.0, 600.0))
    found = exiftool(write(format, metadata=metadata).path)
    assert (found["IFD0:Artist"], found["IFD0:Copyright"], found["IFD0:ImageDescription"]) == ("A. Ö.", "©", "d")


def decoded(format: str, **options) -> Picture:
    """A picture that is stored in orientation 6, 204 px an inch across and 98 down."""
    exif = Image.Exif()
    exif[274], exif[282], exif[283], exif[296] = 6, 204.0, 98.0, 2
    file = io.BytesIO()
    Image.new("L", (30, 20), 90).save(file, format, exif=exif, dpi=(204, 98), **options)
    return decoding.decode(file.getvalue(), max_pixels=1000)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_turned_resolution_everywhere(write, source, format):
    picture = decoded(source)
    found = exiftool(write(source, picture.pixels, metadata=picture.metadata, format=format.lower()).path)
    across = {name: round(v * (0.0254 if "pHYs" in name else 1)) for name, v in found.items() if NAMES_X.search(name)}
    down = {name: round(v * (0.0254 if "pHYs" in name else 1)) for name, v in found.items() if NAMES_Y.search(name)}
    assert set(across.values()) == {98} and set(down.values()) == {204}
    assert {"JPEG": "JFIF:XResolution", "PNG": "PNG-pHYs:PixelsPerUnitX"}.get(format, "IFD0:XResolution") in across


@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_reads_the_aspect_ratio(write, format):
    found = exiftool(write(format, metadata=Metadata(aspect=(12, 11))).path)
    stated = {
        "JPEG": ("JFIF:XResolution", "JFIF:YResolution", "JFIF:ResolutionUnit", "None"),
        "PNG": ("PNG-pHYs:PixelsPerUnitX", "PNG-pHYs:PixelsPerUnitY", "PNG-pHYs:PixelUnits", "Unknown"),
    }.get(format, ("IFD0:XResolution", "IFD0:YResolution", "IFD0:ResolutionUnit", "None"))
    assert [found[name] for name in stated[:3]] == [12, 11, stated[3]]


def tagged_tiff(orientation: int) -> Picture:
    """A georeferenced page of a box."""
    tags = [
        (269, 2, None, b"Signature 12/3\0", True), (286, 5, 1, (3, 2), True), (297, 3, 2, (1, 4), True),
        (274, 3, 1, orientation, True), (33550, 12, 3, (0.5, 0.5, 0.0), True), (65000, 2, None, b"private\0", True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 691000.0, 5335000.0, 0.0), True), (42113, 2, None, b"0\0", True),
        (34735, 3, 8, (1, 1, 1, 1, 1024, 0, 1, 1), True),
    ]  # fmt: skip
    file = io.BytesIO()
    tifffile.imwrite(file, np.full((20, 30), 90, np.uint8), metadata=None, software=False, extratags=tags)
    return decoding.decode(file.getvalue(), max_pixels=1000)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_exiftool_reads_georeference_and_document(write, format):
    picture = tagged_tiff(1)
    copy = write("TIFF", picture.pixels, metadata=picture.metadata, format=format.lower())
    found = exiftool(copy.path)
    assert (found["IFD0:DocumentName"], found["IFD0:XPosition"]) == ("Signature 12/3", 1.5)
    assert (found["IFD0:PageNumber"], found["IFD0:PixelScale"]) == ("1 4", "0.5 0.5 0")
    assert found["IFD0:ModelTiePoint"] == "0 0 0 691000 5335000 0" and "GDALNoData" in " ".join(found)
    assert "private" in found.values() and copy.notes == ""


def test_write_notes_georeference_of_a_turned_picture(write):
    picture = tagged_tiff(6)
    copy = write("TIFF", picture.pixels, metadata=picture.metadata)
    for name in ("XPosition", "ModelPixelScale", "ModelTiepoint", "GeoKeyDirectory", "GDALNodata"):
        assert name in copy.notes
    found = exiftool(copy.path)
    assert "IFD0:PixelScale" not in found and "private" in found.values() and found["IFD0:PageNumber"] == "1 4"


@pytest.mark.parametrize("format", FORMATS)
def test_exiftool_validates_the_copies(write, format, tmp_path):
    original = tmp_path / f"original.{format.lower()}"
    extra = {"exif": exif_block(), "xmp": XMP} if format in ("JPEG", "WEBP") else {"exif": exif_block()}
    Image.new("L", (30, 20), 90).save(original, format, **extra)
    metadata = Metadata(exif=exif_block(), xmp=XMP, iptc=IPTC, dpi=(300.0, 300.0))
    copies = [
        write(format, alpha=alpha, metadata=found, name=f"{i}").path
        for i, (alpha, found) in enumerate(
            (alpha, found)
            for alpha in (None, np.full((20, 30), 128, np.uint8))
            for found in (metadata, Metadata(), Metadata(artist="A. P.", dpi=(600.0, 600.0)))
        )
    ]
    allowed, *found = complaints(original, *copies)
    assert len(found) == len(copies)
    if format == "TIFF":  # ExifTool counts the compressions of EXIF's TIFFs, not deflate, which TIFF has had since 2002
        allowed.add("Invalid value for IFD0 tag 0x0103 Compression")
    assert not set().union(*found) - allowed


def test_write_puts_unmergeable_xmp_beside_the_copy(write):
    copy = write("PNG", metadata=Metadata(xmp=b"<broken"))
    assert "the original's XMP could not be merged" in copy.notes and "in .xmp" in copy.notes
    assert copy.path.with_name(copy.path.name + ".xmp").read_bytes() == b"<broken"
    assert "XMP-iptcExt:AISystemUsed" in exiftool(copy.path)


def test_write_puts_large_xmp_beside_a_jpeg(write):
    large = XMP.replace(b"Bread", b"B" * 70_000)
    copy = write("JPEG", metadata=Metadata(xmp=large))
    assert "has no place in a JPEG; it is kept beside the copy, in .xmp" in copy.notes
    inside, beside = exiftool(copy.path), exiftool(copy.path.with_name(copy.path.name + ".xmp"))
    assert inside["XMP-iptcExt:AISystemUsed"] == beside["XMP-iptcExt:AISystemUsed"]
    assert len(beside["XMP-dc:Title"]) > 70_000 and "XMP-dc:Title" not in inside
