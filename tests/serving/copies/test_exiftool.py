"""Metadata of the copies as a second tool, ExifTool, reads it."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from photochrom.imaging.picture import Metadata
from tests.support.metadata_blocks import IPTC, XMP, exif_block, rich_metadata

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]


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
