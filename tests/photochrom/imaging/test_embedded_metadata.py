"""Metadata is returned from every format, in bounded memory."""

import io
import struct
import zlib

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from photochrom.imaging import decoding
from photochrom.imaging.picture import Picture

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5])
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">1903</x:xmpmeta>'
    b'<?xpacket end="r"?>'
)
IPTC = b"\x1c\x02\x05\x00\x07Harbour\x1c\x02\x50\x00\x04Mann"
PHOTOSHOP = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif() -> Image.Exif:
    block = Image.Exif()
    block[ExifTags.Base.Artist], block[ExifTags.Base.Copyright] = "A. Mann", "Town archive"
    block[ExifTags.Base.ImageDescription], block[ExifTags.Base.Make] = "Harbour, 1903", "Zeiss"
    block[ExifTags.IFD.Exif] = {int(ExifTags.Base.DateTimeOriginal): "1903:05:06 07:08:09"}
    block[ExifTags.IFD.GPSInfo] = {int(ExifTags.GPS.GPSLatitudeRef): "N"}
    return block


def saved(format: str, **options) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format, **options)
    return decoding.decode(buffer.getvalue(), max_pixels=10**6)


def tiff(values: np.ndarray = RGB, byteorder: str = "<", bigtiff: bool = False, tags=()) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=byteorder, bigtiff=bigtiff) as file:
        file.write(values, photometric="rgb", metadata=None, resolution=(600, 600), resolutionunit=2,
                   iccprofile=PROFILE, description="Harbour, 1903", extratags=tags)  # fmt: skip
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_decode_returns_exif(format):
    about = saved(format, exif=exif().tobytes()).metadata
    block = Image.Exif()
    block.load(about.exif)
    assert block[ExifTags.Base.Make] == "Zeiss"
    assert block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "1903:05:06 07:08:09"
    assert block.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert (about.artist, about.copyright, about.description) == ("A. Mann", "Town archive", "Harbour, 1903")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_decode_returns_profile_and_xmp(format):
    options = {"pnginfo": PngImagePlugin.PngInfo()} if format == "PNG" else {"xmp": XMP}
    if format == "PNG":
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    about = saved(format, icc_profile=PROFILE, **options).metadata
    assert (about.icc, about.xmp) == (PROFILE, XMP)


@pytest.mark.parametrize("layout", [{}, {"byteorder": ">"}, {"bigtiff": True}])
def test_decode_returns_tags_of_tiff(layout):
    tags = [(700, 1, len(XMP), XMP, True), (33723, 7, len(IPTC), IPTC, True), (315, 2, 0, "A. Mann", True),
            (33432, 2, 0, "Town archive", True)]  # fmt: skip
    about = decoding.decode(tiff(tags=tags, **layout), max_pixels=10**6).metadata
    assert (about.xmp, about.iptc, about.icc, about.dpi) == (XMP, IPTC, PROFILE, (600, 600))
    assert (about.artist, about.copyright, about.description) == ("A. Mann", "Town archive", "Harbour, 1903")


def test_decode_returns_iptc_of_photoshop_resources():
    segment = b"Photoshop 3.0\0" + PHOTOSHOP
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG")
    data = buffer.getvalue()
    jpeg = data[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Raw profile type iptc", f"\niptc\n{len(PHOTOSHOP):8}\n{PHOTOSHOP.hex()}\n", zip=True)
    tags = [(34377, 7, len(PHOTOSHOP), PHOTOSHOP, True)]
    assert decoding.decode(jpeg, max_pixels=10**6).metadata.iptc == IPTC
    assert saved("PNG", pnginfo=chunks).metadata.iptc == IPTC
    assert decoding.decode(tiff(tags=tags), max_pixels=10**6).metadata.iptc == IPTC


def test_decode_notes_other_photoshop_resources():
    other = PHOTOSHOP + bytes(len(PHOTOSHOP) % 2) + b"8BIM\x03\xed\0\0" + struct.pack(">I", 4) + b"path"
    picture = decoding.decode(tiff(tags=[(34377, 7, len(other), other, True)]), max_pixels=10**6)
    assert picture.metadata.iptc == IPTC and "Photoshop's image resources other than IPTC" in " ".join(picture.notes)


def test_decode_applies_exif_text_of_png():
    block = Image.Exif()
    block[ExifTags.Base.Orientation], block[ExifTags.Base.Make] = 6, "Zeiss"
    raw = block.tobytes()
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Raw profile type exif", f"\nexif\n{len(raw):8}\n{raw.hex()}\n")
    picture = saved("PNG", pnginfo=chunks)
    assert picture.pixels.shape == (64, 48, 3) and b"Zeiss" in picture.metadata.exif


def test_decode_returns_texts_of_png():
    chunks = PngImagePlugin.PngInfo()
    for name, text in (("Author", "A. Mann"), ("Copyright", "Town archive"), ("Description", "Harbour, 1903")):
        chunks.add_text(name, text)
    about = saved("PNG", pnginfo=chunks).metadata
    assert (about.artist, about.copyright, about.description) == ("A. Mann", "Town archive", "Harbour, 1903")


def test_decode_returns_jpeg_2000_boxes():
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG2000")
    data, block = buffer.getvalue(), exif().tobytes()[6:]
    for uuid, body in ((b"JpgTiffExif->JP2", block), (bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), XMP)):
        data += struct.pack(">I4s", 24 + len(body), b"uuid") + uuid + body
    about = decoding.decode(data, max_pixels=10**6).metadata
    assert (about.exif, about.xmp, about.artist) == (block, XMP, "A. Mann")


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_decode_returns_tiff_resolution_in_its_unit(unit):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, RGB, photometric="rgb", resolution=(100, 100), resolutionunit=unit, metadata=None)
    stated = decoding.decode(buffer.getvalue(), max_pixels=10**6).metadata.dpi
    assert stated == {1: None, 2: (100, 100), 3: (254, 254)}[unit]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_decode_leaves_missing_metadata_empty(format):
    about = saved(format).metadata
    assert (about.exif, about.xmp, about.iptc, about.icc, about.dpi) == (b"", b"", b"", b"", None)
    assert (about.artist, about.copyright, about.description) == ("", "", "")


def test_decode_returns_dpi():
    assert saved("JPEG", dpi=(600, 600)).metadata.dpi == (600, 600)


def test_decode_leaves_out_exif_bombs():
    """900 tags that all point at the same 50 KB."""
    entries = b"".join(struct.pack("<HHII", 40000 + i, 7, 50_000, 8) for i in range(900))
    block = b"Exif\0\0II*\0" + struct.pack("<I", 50_008) + bytes(50_000) + struct.pack("<H", 900) + entries + bytes(4)
    picture = saved("PNG", exif=block)
    assert picture.metadata.exif == b"" and "damaged EXIF is not kept" in picture.notes
    np.testing.assert_array_equal(picture.pixels, RGB)


def test_decode_bounds_blocks_and_texts():
    tags = [(700, 1, 17_000_000, bytes(17_000_000), True), (315, 2, 0, "A" * 1_500_000, True)]
    about = decoding.decode(tiff(tags=tags), max_pixels=10**6).metadata
    assert about.xmp == b"" and len(about.artist) == 1_000_000


def with_density(unit: int, across: int, down: int, orientation: int = 1) -> bytes:
    """A JPEG whose JFIF header states that density."""
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", dpi=(across, down), exif=block.tobytes())
    data = bytearray(buffer.getvalue())
    data[13] = unit
    return bytes(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("unit", "field", "expected"), [(1, "dpi", (204, 98)), (2, "dpi", (518.16, 248.92)), (0, "aspect", (102, 49))]
)
def test_decode_turns_density_of_jfif(unit, field, expected, orientation):
    about = decoding.decode(with_density(unit, 204, 98, orientation), max_pixels=10**6).metadata
    found = getattr(about, field)
    assert found == pytest.approx(expected if orientation < 5 else expected[::-1])
    assert (about.dpi is None) != (about.aspect is None)
    assert about.orientation == orientation


def test_decode_returns_density_of_exif_in_both_directions():
    block = Image.Exif()
    block[ExifTags.Base.XResolution], block[ExifTags.Base.YResolution] = 204.0, 98.0
    assert saved("JPEG", exif=block.tobytes()).metadata.dpi == (204, 98)
    assert saved("WEBP", exif=block.tobytes()).metadata.dpi == (204, 98)


def test_decode_invents_no_density():
    block = Image.Exif()
    block[ExifTags.Base.Make] = "Zeiss"
    assert saved("JPEG", exif=block.tobytes()).metadata.dpi is None


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(("unit", "dpi", "aspect"), [(1, (98, 204), None), (0, None, (1929, 4015))])
def test_decode_turns_density_of_png(unit, dpi, aspect):
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = 6
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", exif=block.tobytes())
    data = buffer.getvalue()
    png = data[:33] + chunk(b"pHYs", struct.pack(">IIB", 8031, 3858, unit)) + data[33:]
    about = decoding.decode(png, max_pixels=10**6).metadata
    assert about.dpi == (pytest.approx(dpi, abs=0.02) if dpi else None)
    assert (about.aspect is None) if aspect is None else abs(about.aspect[0] / about.aspect[1] - 1929 / 4015) < 1e-3


@pytest.mark.parametrize("unit", [1, 2])
def test_decode_turns_density_of_tiff(unit):
    buffer = io.BytesIO()
    extra = [(274, 3, 1, 6, True)]
    tifffile.imwrite(
        buffer, RGB, photometric="rgb", resolution=(204, 98), resolutionunit=unit, metadata=None, extratags=extra
    )
    about = decoding.decode(buffer.getvalue(), max_pixels=10**6).metadata
    assert (about.dpi, about.aspect) == ((None, (49, 102)) if unit == 1 else ((98, 204), None))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_decode_returns_xmp_of_tiff_whole(encoding):
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>Brücke</x:xmpmeta>".encode(encoding)
    about = decoding.decode(tiff(tags=[(700, 1, len(packet), packet, True)]), max_pixels=10**6).metadata
    assert about.xmp == packet


@pytest.mark.parametrize("text", ['tiff:Orientation="6"', "tiff:Orientation = '6'", "<tiff:Orientation>6<"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_decode_applies_orientation_of_xmp_alone(text, encoding):
    assert saved("WEBP", xmp=f"<x {text} />".encode(encoding)).pixels.shape == (64, 48, 3)


def test_decode_notes_blocks_and_texts_beyond_bounds():
    tags = [(700, 1, 17_000_000, bytes(17_000_000), True), (315, 2, 0, "A" * 1_500_000, True)]
    notes = decoding.decode(tiff(tags=tags), max_pixels=10**6).notes
    assert "XMP of 17000000 bytes is not kept, at most 16000000" in notes
    assert "Artist is cut to 1000000 characters" in notes
