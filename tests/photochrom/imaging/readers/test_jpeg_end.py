import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340, 100:420])


def jpeg(**options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


KINDS = {
    "baseline": jpeg,
    "progressive": lambda: jpeg(progressive=True),
    "with restarts": lambda: jpeg(restart_marker_rows=1),
    "4:4:4": lambda: jpeg(subsampling=0),
}


@pytest.mark.parametrize("rest", [b"", b"\xff", b"\xff" * 99, bytes(4096)], ids=["nothing", "half", "ones", "zeros"])
@pytest.mark.parametrize("kind", KINDS)
def test_decode_needs_no_end_marker(kind, rest):
    data = KINDS[kind]()
    picture = decoding.decode(data[:-2] + rest, max_pixels=10**6)
    np.testing.assert_array_equal(picture.pixels, decoding.decode(data, max_pixels=10**6).pixels)
    assert picture.notes == ("the end marker of the JPEG was missing, its pixels were not",)


@pytest.mark.parametrize("rest", [b"", bytes(4096)], ids=["nothing", "zeros"])
@pytest.mark.parametrize("cut", [12, 200, 5000])
@pytest.mark.parametrize("kind", KINDS)
def test_decode_refuses_jpeg_without_last_blocks(kind, cut, rest):
    with pytest.raises(errors.DecodeError, match="part of the pixels are missing"):
        decoding.decode(KINDS[kind]()[:-cut] + rest, max_pixels=10**6)


def test_decode_refuses_progressive_without_last_scan():
    data = jpeg(progressive=True)
    with pytest.raises(errors.DecodeError, match="part of the pixels are missing"):
        decoding.decode(data[: data.rindex(b"\xff\xda")], max_pixels=10**6)
