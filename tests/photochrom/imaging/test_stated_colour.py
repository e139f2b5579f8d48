import io
import struct

import imagecodecs
import numpy as np
import pytest
import skimage.data
from PIL import Image

from photochrom.imaging import decoding, stated_colour
from photochrom.imaging.stated_colour import CodePoints

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5])


@pytest.mark.parametrize("points", [(1, 13), (2, 2), (1, 1), (0, 0)])
def test_of_code_points_leaves_srgb(points):
    assert stated_colour.of_code_points(CodePoints(*points)) == (b"", ())


def test_of_code_points_converts_display_p3():
    """Display P3's red is beyond sRGB's; its gray is the same. Source: SMPTE EG 432-1 for the primaries."""
    profile, notes = stated_colour.of_code_points(CodePoints(12, 13))
    pixels = np.array([[[128, 128, 128], [200, 100, 100]]], np.uint8)
    found = imagecodecs.cms_transform(
        pixels, profile, imagecodecs.cms_profile("srgb"), colorspace="rgb", outcolorspace="rgb"
    )
    assert np.abs(found[0, 0].astype(int) - 128).max() <= 1
    assert np.abs(found[0, 1].astype(int) - [214, 95, 97]).max() <= 2
    assert notes == ("colours of code points 12 and 13 of H.273 converted",)


def test_of_code_points_notes_unknown_codes():
    assert stated_colour.of_code_points(CodePoints(99, 98)) == (
        b"", ("transfer curve 98 of H.273 taken as sRGB", "primaries 99 of H.273 taken as sRGB"),
    )  # fmt: skip


def dcf_exif(space: int, index: bytes) -> bytes:
    """EXIF with a colour space and an interoperability index, by hand."""
    main = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    exif = struct.pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, space, 0, 0xA005, 4, 1, 56, 0)
    interoperability = struct.pack("<HHHI4sI", 1, 1, 2, 4, index, 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + main + exif + interoperability


@pytest.mark.parametrize(
    ("space", "index", "is_adobe"),
    [(65535, b"R03\0", True), (65535, b"R98\0", False), (1, b"R03\0", False), (2, b"R98\0", True)],
)
def test_decode_takes_dcf_option_file_as_adobe_rgb(space, index, is_adobe):
    def jpeg(**options) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(RGB).save(buffer, "JPEG", quality=95, **options)
        return buffer.getvalue()

    found = decoding.decode(jpeg(exif=dcf_exif(space, index)), max_pixels=10**6)
    adobe = decoding.decode(jpeg(icc_profile=imagecodecs.cms_profile("adobergb")), max_pixels=10**6)
    plain = decoding.decode(jpeg(), max_pixels=10**6)
    np.testing.assert_array_equal(found.pixels, (adobe if is_adobe else plain).pixels)
    assert found.notes == (("Adobe RGB, stated by EXIF without a profile, converted",) if is_adobe else ())


@pytest.mark.parametrize("exif", [b"", b"II*\0\xff\xff\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\0"])
def test_of_exif_ignores_broken_blocks(exif):
    assert stated_colour.of_exif(exif) == (b"", ())
