import hashlib
import io
import random
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from photochrom import errors
from photochrom.color import cielab, compose
from photochrom.color.lightness import to_lightness
from photochrom.imaging import exif, tags
from photochrom.imaging.picture import Metadata, Picture
from serving.copies import encode, encode_tiff, metadata, writer
from serving.copies.frame import Frame
from serving.copies.options import CopyOptions
from tests.serving.copies.conftest import PROVENANCE
from tests.support.metadata_blocks import IPTC, exif_block, rich_metadata

FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]
AB = np.full((2, 3, 2), (10, 20), np.float32)


def gray(depth: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(depth).max + 1, (50, 70)).astype(depth)


def read(path) -> np.ndarray:
    """Reads all 16 bits, by libraries that did not write them."""
    data = path.read_bytes()
    return tifffile.imread(io.BytesIO(data)) if data[:2] in (b"II", b"MM") else imagecodecs.png_decode(data)


@pytest.mark.parametrize("source", [*FORMATS, "GIF", "BMP", "PPM", "JPEG2000"])
def test_write_keeps_format_or_notes_png(write, source):
    copy = write(source)
    expected = source if source in FORMATS else "PNG"
    assert (Image.open(copy.path).format, copy.written.format) == (expected, expected)
    assert ("the copy is a PNG" in copy.notes) == (source not in FORMATS)


@pytest.mark.parametrize("wanted", ["jpeg", "png", "tiff", "webp"])
def test_write_uses_the_chosen_format(write, wanted):
    copy = write("BMP", format=wanted)
    assert Image.open(copy.path).format == wanted.upper() == copy.written.format
    assert copy.path.suffix == {"jpeg": ".jpg", "tiff": ".tif"}.get(wanted, f".{wanted}")


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_write_keeps_depth_opacity_and_composed_pixels(write, format, depth, channels, has_alpha):
    pixels = gray(depth) if channels == 1 else np.dstack([gray(depth, seed) for seed in range(3)])
    alpha = gray(depth, 9) if has_alpha else None
    copy = write(format, pixels, alpha)
    rgb = compose.compose(to_lightness(pixels), AB, depth=depth)
    found = read(copy.path)
    assert found.dtype == depth
    np.testing.assert_array_equal(found, np.dstack([rgb, alpha]) if has_alpha else rgb)
    assert copy.written.notes == ()


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_write_notes_reduction_to_8_bits(write, format):
    copy = write(format, gray(np.uint16))
    assert f"a {format} holds 8 bit a channel, the original has 16" in copy.notes


def test_write_composes_alpha_over_white_with_note(write):
    copy = write("PNG", np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8), format="jpeg")
    assert np.asarray(Image.open(copy.path)).min() == 255
    assert "the picture is composed over white" in copy.notes


def test_write_lossy_is_near_composed_pixels(write, photographs):
    pixels = photographs["coffee"][:200, :300, 1]
    rgb = compose.compose(to_lightness(pixels), AB)
    for format, limit in (("JPEG", 1.5), ("WEBP", 3)):
        found = np.asarray(Image.open(write(format, pixels).path))
        assert np.abs(found.astype(int) - rgb).mean() < limit


def test_write_applies_quality_and_subsampling(write, photographs):
    pixels = photographs["coffee"][:200, :300, 1]
    fine, coarse = (write("JPEG", pixels, name=str(q), quality=q) for q in (95, 50))
    assert fine.path.stat().st_size > 2 * coarse.path.stat().st_size
    assert all(layer[1:3] == (1, 1) for layer in Image.open(fine.path).layer)  # 4:4:4
    halved = write("JPEG", pixels, name="halved", subsampling="4:2:0")
    assert Image.open(halved.path).layer[0][1:3] == (2, 2)
    rgb = compose.compose(to_lightness(pixels), AB)
    np.testing.assert_array_equal(np.asarray(Image.open(write("WEBP", pixels, quality=100).path)), rgb)


def test_write_applies_saturation(write):
    pixels = np.full((20, 30), 128, np.uint8)
    copies = [write("TIFF", pixels, name=str(s), saturation=s) for s in (0.0, 0.5, 1.0)]
    chroma = [np.hypot(*cielab.rgb_to_lab(read(copy.path))[0, 0, 1:]) for copy in copies]
    np.testing.assert_allclose(chroma, [0, np.hypot(5, 10), np.hypot(10, 20)], atol=0.6)


@pytest.mark.parametrize("format", FORMATS)
def test_write_is_deterministic(write, format):
    first, second = (write(format, gray(), metadata=rich_metadata(), name=name) for name in ("1", "2"))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.written.sha256 == second.written.sha256


def test_write_in_bands_and_strips_equals_the_whole(write, monkeypatch):
    whole = read(write("TIFF", gray(np.uint16), name="1").path)
    monkeypatch.setattr(compose, "_BAND_PIXELS", 70 * 7)
    monkeypatch.setattr(encode_tiff, "_STRIP_BYTES", 70 * 6 * 4)
    copy = write("TIFF", gray(np.uint16), name="2")
    with tifffile.TiffFile(copy.path) as file:
        page = file.pages.first
        assert (page.rowsperstrip, len(page.dataoffsets), page.predictor, page.compression) == (4, 13, 2, 8)
    np.testing.assert_array_equal(read(copy.path), whole)


def test_write_uses_bigtiff_beyond_4_gb(write, monkeypatch):
    monkeypatch.setattr(encode_tiff, "_MAX_CLASSIC", 1000)
    copy = write("TIFF", gray(), metadata=rich_metadata())
    with tifffile.TiffFile(copy.path) as file:
        assert file.is_bigtiff
        tags = file.pages.first.tags
        assert tags["ExifTag"].value["DateTimeOriginal"] == "1999:01:01 10:00:00"
        assert tags["GPSTag"].value["GPSLatitudeRef"] == "N"
    assert read(copy.path).shape == (50, 70, 3)


def test_write_on_disk_equals_write_in_memory(write, monkeypatch):
    first = write("TIFF", gray(), metadata=rich_metadata(), name="1").path.read_bytes()
    monkeypatch.setattr(writer, "_PIXELS_IN_MEMORY", 10)
    assert write("TIFF", gray(), metadata=rich_metadata(), name="2").path.read_bytes() == first


@pytest.mark.parametrize("format", FORMATS)
def test_write_declares_srgb_and_notes_replaced_profile(write, format):
    copy = write(format, metadata=rich_metadata())
    profile = Image.open(copy.path).info["icc_profile"]
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).startswith("sRGB")
    assert profile[24:36] == bytes(12)  # no date
    assert "colour profile replaced by sRGB, which the pixels are in now: XYZ identity built-in, XYZ" in copy.notes


def test_write_notes_unreadable_profile(write):
    assert "unreadable, 7 bytes" in write(metadata=Metadata(icc=b"profile")).notes


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_write_keeps_resolution(write, format):
    image = Image.open(write(format, metadata=Metadata(dpi=(300.0, 299.0))).path)
    assert tuple(round(float(v)) for v in image.info["dpi"]) == (300, 299)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_write_keeps_and_updates_exif(write, format, order):
    image = Image.open(write(format, metadata=Metadata(exif=exif_block(order))).path)
    exif = image.getexif()
    assert (exif[274], exif[271]) == (1, "Maker")
    below, position = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert (below[36867], below[0xA001], position[2]) == ("1999:01:01 10:00:00", 1, (52.0, 31.0, 12.5))
    if format != "TIFF":
        assert (below[0xA002], below[0xA003]) == (30, 20)


@pytest.mark.parametrize("garbage", [b"Exif\0\0garbage", b"II*\0\xff\xff\xff\xff" + bytes(20), b"x"])
def test_write_puts_broken_exif_beside_the_copy(write, garbage):
    copy = write("JPEG", metadata=Metadata(exif=garbage))
    assert copy.written.notes == ("broken EXIF is kept unchanged beside the copy",)
    assert Image.open(copy.path).size == (30, 20)


def large_exif() -> bytes:
    exif = Image.Exif()
    exif[274], exif[270] = 6, "d" * 70_000
    return exif.tobytes()


def test_write_puts_large_exif_beside_a_jpeg(write):
    copy = write("JPEG", metadata=Metadata(exif=large_exif()))
    assert "EXIF of 700" in copy.notes and "has no place in a JPEG; it is kept beside the copy, in .exif" in copy.notes
    beside = Image.Exif()
    beside.load(copy.path.with_name(copy.path.name + ".exif").read_bytes())
    assert (beside[274], len(beside[270])) == (1, 70_000)
    short = Image.open(copy.path).getexif()
    assert short[274] == 1 and 270 not in short


def test_write_ignores_exif_without_fields(write):
    empty = b"Exif\0\0II*\0" + (8).to_bytes(4, "little") + bytes(6)
    copy = write("JPEG", metadata=Metadata(exif=empty))
    assert (copy.written.notes, copy.written.sidecars) == ((), {})


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_write_keeps_large_exif_where_it_fits(write, format):
    copy = write(format, metadata=Metadata(exif=large_exif()))
    assert (copy.written.notes, len(Image.open(copy.path).getexif()[270])) == ((), 70_000)


def test_write_fits_blocks_just_below_jpeg_limits(write):
    exif = Image.Exif()
    exif[270] = "d" * 65_400
    copy = write("JPEG", metadata=Metadata(exif=exif.tobytes(), iptc=IPTC + b"\x1c\x02\x78\x7f\xfe" + b"x" * 0x7FFE))
    image = Image.open(copy.path)
    image.load()
    assert (copy.written.notes, len(image.getexif()[270])) == ((), 65_400)


def test_write_puts_iptc_beside_a_webp(write):
    copy = write("WEBP", metadata=Metadata(iptc=IPTC))
    assert f"IPTC of {len(IPTC)} bytes has no place in a WEBP; it is kept beside the copy, in .iptc" in copy.notes
    assert copy.path.with_name(copy.path.name + ".iptc").read_bytes() == IPTC
    assert copy.written.sidecars == {f"{copy.written.path}.iptc": hashlib.sha256(IPTC).hexdigest()}


def test_write_notes_the_added_border(write):
    copy = write("PNG", gray(), mark="border")
    height, width, _ = read(copy.path).shape
    assert (height, width) == (copy.written.height, copy.written.width)
    assert height > 50 and width == 70
    assert f"a border of {height - 50} px with a label was added below the picture" in copy.notes
    np.testing.assert_array_equal(read(copy.path)[:50], read(write("PNG", gray(), name="bare").path))


def test_write_counts_rational_fields_of_a_tiff(write):
    place = exif.Entry(tags.RATIONAL, struct.pack("<2I", 3, 2))
    block = exif.Block("<", {tags.X_POSITION: place}).to_bytes()
    with tifffile.TiffFile(write("TIFF", metadata=Metadata(exif=block)).path) as file:
        field = file.pages[0].tags[tags.X_POSITION]
        assert (field.count, field.value) == (1, (3, 2))


def test_write_replaces_format_that_is_too_small(write):
    copy = write("WEBP", np.zeros((1, 16_384), np.uint8), name="wide.webp")
    assert copy.written.path == "wide.webp.coloured.tif"
    assert "a WEBP holds at most 16383 px a side; the copy is a TIFF" in copy.notes


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(FORMATS))
def test_encode_survives_damaged_exif(seed, format):
    source = random.Random(seed)
    block = bytearray(exif_block(source.choice("<>")))
    for _ in range(source.randrange(1, 30)):
        block[source.randrange(14, len(block))] = source.randrange(256)
    picture = Picture(np.zeros((20, 30), np.uint8), None, format, 20, 30, metadata=Metadata(exif=bytes(block)))
    raster, kept, _ = writer.plan(picture, AB, CopyOptions())
    file = io.BytesIO()
    prepared = metadata.prepare(picture.metadata, PROVENANCE, kept, Frame(30, 20, source.randrange(1, 9)))
    encode.encode(file, kept, raster, prepared, CopyOptions())
    assert Image.open(file).size == (30, 20)


def test_write_reports_unencodable_metadata(write):
    with pytest.raises(errors.DataError, match="cannot be encoded as TIFF: cannot convert NaN"):
        write("TIFF", ab=np.zeros((2, 3, 2), np.float32), metadata=Metadata(dpi=(float("nan"), 1.0)))
