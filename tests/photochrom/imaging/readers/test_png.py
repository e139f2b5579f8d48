import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import skimage.data
from PIL import Image, PngImagePlugin

from photochrom.imaging import decoding
from photochrom.imaging.readers import png

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5])
SRGB_LIGHT = np.where(RGB / 255 <= 0.04045, RGB / 255 / 12.92, ((RGB / 255 + 0.055) / 1.055) ** 2.4)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(rgb: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG with chunks after its header."""
    data = imagecodecs.png_encode(rgb)
    return data[:33] + b"".join(chunks) + data[33:]


def saved(**options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", **options)
    return buffer.getvalue()


def test_decode_keeps_texts_of_several_megabytes():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f"<x>{'y' * 3_000_000}</x>", zip=True)
    info.add_text("Description", "d" * 2_000_000, zip=True)
    picture = decoding.decode(saved(pnginfo=info, exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(2_000_000)), max_pixels=10**6)
    assert len(picture.metadata.xmp) == 3_000_007
    assert len(picture.metadata.description) == 1_000_000
    assert len(picture.metadata.exif) > 2_000_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP", b"tEXt"])
def test_decode_drops_larger_chunks_with_a_note(kind):
    packed = zlib.compress(bytes(17_000_000))
    body = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"Comment\0\1\0\0\0" + packed,
        b"iCCP": b"profile\0\0" + packed,
        b"tEXt": b"Comment\0" + b"x" * 17_000_000,
    }[kind]
    picture = decoding.decode(with_chunk(RGB, chunk(kind, body)), max_pixels=10**6)
    assert picture.notes == (f"PNG {kind.decode()} of more than 16000000 bytes is not kept",)
    np.testing.assert_array_equal(picture.pixels, RGB)


def test_without_bad_chunks_bounds_all_together():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(15_000_000)))
    data, notes = png.without_bad_chunks(with_chunk(RGB, *[text] * 5))
    assert data.count(b"zTXt") == 3 and len(notes) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_decode_converts_linear_light_of_cicp(dtype):
    full = np.iinfo(dtype).max
    linear = np.rint(SRGB_LIGHT * full).astype(dtype)
    picture = decoding.decode(with_chunk(linear, chunk(b"cICP", bytes([1, 8, 0, 1]))), max_pixels=10**6)
    error = np.abs(picture.pixels / full * 255 - RGB)
    assert error.mean() < (1.5 if dtype == np.uint8 else 0.2)  # 8 bit of linear light are coarse in the dark
    assert picture.notes[-1] == "colours of code points 1 and 8 of H.273 converted"


def test_decode_lets_cicp_overrule_the_profile():
    adobe = chunk(b"iCCP", b"Adobe\0\0" + zlib.compress(imagecodecs.cms_profile("adobergb")))
    picture = decoding.decode(with_chunk(RGB, chunk(b"cICP", bytes([1, 13, 0, 1])), adobe), max_pixels=10**6)
    np.testing.assert_array_equal(picture.pixels, RGB)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_decode_notes_hdr(transfer, name):
    picture = decoding.decode(with_chunk(RGB, chunk(b"cICP", bytes([9, transfer, 0, 1]))), max_pixels=10**6)
    assert picture.notes == (f"HDR ({name}) taken as sRGB: lightness is approximate",)


def damaged(body: bytes) -> bytes:
    return chunk(b"tIME", body)[:-1] + b"\xff"


BAD = [damaged(b"1234567"), chunk(b"iCCP", b""), chunk(b"iCCP", b"name\0"), chunk(b"pHYs", b"1"), chunk(b"gAMA", b"")]


@pytest.mark.parametrize("bad", BAD, ids=["checksum", "no profile", "short profile", "short pHYs", "short gAMA"])
def test_decode_leaves_out_damaged_metadata(bad):
    picture = decoding.decode(with_chunk(RGB, bad), max_pixels=10**6)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.notes == (f"PNG {bad[4:8].decode()} is damaged, and not kept",)


def test_decode_notes_other_primaries():
    adobe = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    chrm = chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in adobe)))
    (note,) = decoding.decode(with_chunk(RGB, chrm), max_pixels=10**6).notes
    assert note.startswith("PNG chromaticities (cHRM) taken as sRGB's")
    assert decoding.decode(with_chunk(RGB, chrm, chunk(b"sRGB", b"\0")), max_pixels=10**6).notes == ()


def test_decode_notes_narrow_range():
    (note,) = decoding.decode(with_chunk(RGB, chunk(b"cICP", bytes((1, 13, 0, 0)))), max_pixels=10**6).notes
    assert "narrow range" in note
