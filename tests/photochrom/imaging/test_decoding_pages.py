"""A TIFF's pages: which directories are pages, how many there are, and that hostile chains come to an end."""

import io
import struct

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding, tiff_directory
from photochrom.imaging.picture import Picture

GRAY = np.ascontiguousarray(skimage.data.coffee()[100:340:5, 100:420:5, 1])
PAGES = [GRAY, GRAY[::-1], np.ascontiguousarray(GRAY[:, ::-1].astype(np.uint16) * 257)]


def tiff(*pages: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as file:
        for page in pages:
            file.write(page, photometric="minisblack", metadata=None)
    return buffer.getvalue()


def decode(data: bytes, page: int = 0) -> Picture:
    return decoding.decode(data, max_pixels=10**6, page=page)


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_decode_reads_each_page(options):
    data = tiff(*PAGES, **options)
    assert decoding.count_pages(data) == 3
    for i, pixels in enumerate(PAGES):
        picture = decode(data, i)
        np.testing.assert_array_equal(picture.pixels, pixels)
        assert picture.notes[0] == ("first of 3 pages" if i == 0 else f"page {i + 1} of 3")


def test_decode_reads_each_ycbcr_page():
    rgb = skimage.data.coffee()[100:340:5, 100:420:5]
    buffer = io.BytesIO()
    first, second = (Image.fromarray(np.ascontiguousarray(p)).convert("YCbCr") for p in (rgb, rgb[::-1]))
    first.save(buffer, "TIFF", save_all=True, append_images=[second], compression="tiff_lzw")
    picture = decode(buffer.getvalue(), 1)
    assert np.abs(picture.pixels.astype(int) - rgb[::-1]).mean() < 2


@pytest.mark.parametrize(("data", "page", "words"), [
    (tiff(*PAGES), 3, "no page 3, the file has 3: 0 to 2"),
    (tiff(*PAGES), -1, "no page -1"),
    (b"\x89PNG\r\n\x1a\n", 1, "no page 1, the file has 1"),
])  # fmt: skip
def test_decode_refuses_missing_page(data, page, words):
    with pytest.raises(errors.DecodeError, match=words) as caught:
        decode(data, page)
    assert caught.value.reason == "no_such_page"


def test_count_pages_ignores_thumbnails_and_masks():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for pixels, kind in ((GRAY[::4, ::4], 1), (GRAY, 0), (GRAY[::2, ::2], 1), (GRAY > 99, 4), (GRAY[::-1], 0)):
            photometric = "mask" if kind == 4 else "minisblack"
            file.write(np.ascontiguousarray(pixels), photometric=photometric, subfiletype=kind, metadata=None)
    data = buffer.getvalue()
    assert decoding.count_pages(data) == 2
    np.testing.assert_array_equal(decode(data).pixels, GRAY)
    np.testing.assert_array_equal(decode(data, 1).pixels, GRAY[::-1])


def test_decode_reads_a_lone_thumbnail():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, photometric="minisblack", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(decode(buffer.getvalue()).pixels, GRAY)


def test_decode_reads_the_directory_below_a_thumbnail():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        small = np.ascontiguousarray(GRAY[::4, ::4])
        file.write(small, photometric="minisblack", subfiletype=1, subifds=1, metadata=None)
        file.write(GRAY, photometric="minisblack", metadata=None)
    data = buffer.getvalue()
    assert decoding.count_pages(data) == 1
    np.testing.assert_array_equal(decode(data).pixels, GRAY)


def pointed_at(data: bytes, page: int, offset: int) -> bytes:
    """The TIFF with the chain bent: the directory of `page` is followed by the one at `offset`."""
    at = tiff_directory.Reader(data).chain[page].offset
    (count,) = struct.unpack_from("<H", data, at)
    place = at + 2 + 12 * count
    return data[:place] + struct.pack("<I", offset) + data[place + 4 :]


def test_count_pages_ends_where_the_chain_repeats():
    data = tiff(*PAGES)
    second = tiff_directory.Reader(data).chain[1].offset
    assert decoding.count_pages(pointed_at(data, 2, second)) == 3
    assert decoding.count_pages(pointed_at(data, 0, tiff_directory.Reader(data).first_offset)) == 1


def test_decode_reads_pages_before_a_broken_one():
    data = pointed_at(tiff(*PAGES), 1, 10**9)
    assert decoding.count_pages(data) == 3
    np.testing.assert_array_equal(decode(data).pixels, GRAY)


def test_count_pages_bounds_long_overlapping_directories():
    """Each begins one entry after the last: walking them all would take a million steps for each 12 bytes."""
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(2_000_000))
    for i in range(130):
        at, after = 8 + 18 * i, 8 + 18 * (i + 1)
        struct.pack_into("<H", data, at, 4000)
        struct.pack_into("<I", data, at + 2 + 12 * 4000, after)
    with pytest.raises(errors.DecodeError, match="more than 500000 tags"):
        decode(bytes(data))
    assert decoding.count_pages(bytes(data)) == 1


def test_count_pages_of_other_formats_is_one():
    assert [decoding.count_pages(data) for data in (b"", b"no picture", b"II*\0", b"MM\0*\0\0\0\x08")] == [1, 1, 1, 1]


def test_decode_refuses_the_page_that_is_cut_off():
    data = tiff(*PAGES)
    third = tiff_directory.Reader(data).pages[2].offset
    cut = data[:third]
    assert decoding.count_pages(cut) == 3
    assert decode(cut).notes[:2] == ("first of 2 pages", "the file is cut off or damaged after page 2")
    with pytest.raises(errors.DecodeError, match="the file is cut off or damaged after page 2"):
        decode(cut, 2)
