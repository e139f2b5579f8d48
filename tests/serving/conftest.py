"""Pictures and metadata of the kinds that archives have, for the tests of what is written."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image, ImageCms

from photochrom.imaging.picture import Metadata, Picture
from serving import colorize
from serving.config import ColorizeConfig
from serving.copies import writer
from serving.copies.provenance import Provenance
from serving.resume import decide


@pytest.fixture(autouse=True)
def _files_of_tests_are_settled(monkeypatch):
    """What a test has just written counts as done with; else rows would differ by how fast the machine is."""
    monkeypatch.setattr(decide, "_SETTLED_SECONDS", 0.0)


PROVENANCE = Provenance("a <b> & c", "sha256:12", "34" * 32, "scan ü.tif", "2026-01-31")
XMP = """<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='uuid:1' xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:own='http://archive.example/ns/'
 xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/'
 xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:xmpMM='http://ns.adobe.com/xap/1.0/mm/'
 dc:format='image/x' tiff:Orientation='6' photoshop:City='Köln' own:box='7' xmpMM:DocumentID='xmp.did:first'>
<xmp:CreatorTool>Scanner 1</xmp:CreatorTool>
<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Bread &amp; butter</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>""".encode()
# Application record version, caption and a keyword.
IPTC = b"\x1c\x02\x00\x00\x02\x00\x04\x1c\x02\x78\x00\x09A caption\x1c\x02\x19\x00\x05Paris"


def exif_block(byte_order: str = "<") -> bytes:
    """An EXIF block with fields of a camera, a position and an orientation."""
    exif = Image.Exif()
    exif.endian = byte_order
    exif[274], exif[271], exif[306] = 6, "Maker", "1999:01:01 10:00:00"
    exif[282], exif[283], exif[296], exif[531] = 300.0, 300.0, 2, 1
    exif[315] = "A. Photographer"
    below = exif.get_ifd(0x8769)
    below[36864], below[40960], below[37121] = b"0230", b"0100", b"\1\2\3\0"
    below[0xA001], below[0xA002], below[0xA003] = 65535, 20, 30
    below[36867] = "1999:01:01 10:00:00"
    position = exif.get_ifd(0x8825)
    position[0], position[1], position[2] = b"\2\3\0\0", "N", (52.0, 31.0, 12.5)
    return exif.tobytes()


def rich_metadata() -> Metadata:
    return Metadata(
        exif=exif_block(),
        xmp=XMP,
        iptc=IPTC,
        icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes(),
        dpi=(300.0, 300.0),
        artist="A. Photographer",
        copyright="© Müller",
        description="Straße",
    )


@dataclasses.dataclass
class Copy:
    """A copy that was written: the file, and what the row says."""

    path: pathlib.Path
    written: writer.Written

    @property
    def notes(self) -> str:
        return "; ".join(self.written.notes)


@pytest.fixture
def write(tmp_path):
    """Writes the copy of a picture in gray."""

    def call(
        source: str = "TIFF",
        pixels: np.ndarray | None = None,
        alpha: np.ndarray | None = None,
        metadata: Metadata = Metadata(),  # noqa: B008
        name: str = "a/scan",
        ab: np.ndarray | None = None,
        **flags,
    ) -> Copy:
        pixels = np.zeros((20, 30), np.uint8) if pixels is None else pixels
        picture = Picture(pixels, alpha, source, *pixels.shape[:2], metadata=metadata)
        config = ColorizeConfig(input=("in",), output=str(tmp_path), **flags)
        ab = np.full((2, 3, 2), (10, 20), np.float32) if ab is None else ab
        written = writer.write(name, picture, ab, PROVENANCE, config)
        return Copy(tmp_path / written.path, written)

    return call


ITEMS = "manifest/items-00000-of-00001.jsonl"


@pytest.fixture(scope="session")
def coloured(tint, gray_folder, tmp_path_factory) -> pathlib.Path:
    """The output of a real run on the gray scans, in a folder whose name is a pattern that it does not match."""
    output = tmp_path_factory.mktemp("coloured") / "out [1]*"
    colorize.run([f"--model={tint}", f"--input={gray_folder}", f"--output={output}", "--max_failures=50%"])
    return output


@pytest.fixture
def output(coloured, tmp_path) -> pathlib.Path:
    """A copy of it, to be spoilt."""
    return pathlib.Path(shutil.copytree(coloured, tmp_path / coloured.name))


def read_rows(output: pathlib.Path) -> dict[str, dict]:
    return {row["key"]: row for row in map(json.loads, (output / ITEMS).read_text().splitlines())}


def write_rows(output: pathlib.Path, rows: list[dict]) -> None:
    (output / ITEMS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def edit_row(output: pathlib.Path, key: str, /, **values) -> None:
    rows = read_rows(output)
    write_rows(output, [{**row, **values} if row["key"] == key else row for row in rows.values()])
