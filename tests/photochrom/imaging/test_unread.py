import io
import struct

import numpy as np
import pytest
import tifffile

from photochrom import errors
from photochrom.imaging import decoding, unread

GRAY = np.zeros((48, 64), np.uint8)

CONTENTS = {
    "Photoshop": b"8BPS\0\1" + bytes(20),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "SVG": b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "DjVu": b"AT&TFORM\0\0\0\1DJVU",
    "DICOM": bytes(128) + b"DICM",
    "GIMP": b"gimp xcf v011\0",
    "OpenEXR": b"\x76\x2f\x31\x01\2\0\0\0",
    "camera raw": b"FUJIFILMCCD-RAW 0201",
    "JPEG XR": b"II\xbc\x01" + bytes(20),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_decode_refuses_format_by_name(name):
    with pytest.raises(errors.DecodeError, match=f"^{name} is not read; .* (to|as) ") as caught:
        decoding.decode(CONTENTS[name], max_pixels=10**6)
    assert caught.value.reason == "unsupported_format"


def raw_tiff(**options) -> bytes:
    """A thumbnail, and below it the mosaic of a sensor."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GRAY, photometric="minisblack", subfiletype=1, subifds=1, metadata=None, **options)
        file.write(GRAY, photometric="cfa", metadata=None)
    return buffer.getvalue()


RAWS = {
    "mosaic below": raw_tiff,
    "DNG": lambda: tiff_with((50706, 1, 4, bytes([1, 4, 0, 0]), True)),
    "CR2": lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + struct.pack("<HHHII", 1, 256, 4, 1, 64) + bytes(4),
    "CR3": lambda: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
}


def tiff_with(tag) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, photometric="minisblack", extratags=[tag], metadata=None)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", RAWS)
def test_decode_refuses_camera_raw(kind):
    with pytest.raises(errors.DecodeError, match="camera raw is not read; develop it to TIFF") as caught:
        decoding.decode(RAWS[kind](), max_pixels=10**6)
    assert caught.value.reason == "unsupported_format"


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.NEF", "camera raw"), ("box.zip!x.psd", "Photoshop"), ("x.svg", "SVG"), ("x.jpg", None), ("svg", None)],
)
def test_by_name_knows_suffixes(path, name):
    found = unread.by_name(path)
    assert (found.name if found else None) == name


def test_no_unread_suffix_is_one_of_images():
    suffixes = [suffix for one in unread.FORMATS for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert not decoding.IMAGE_SUFFIXES & set(suffixes)
