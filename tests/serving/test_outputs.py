import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from photochrom import images
from photochrom.metadata import Metadata
from serving import outputs

PROVENANCE = outputs.Provenance("a <b> & c", "sha256:12", "34" * 32)


def picture(format: str, **values) -> images.Picture:
    return images.Picture(np.zeros((20, 30), np.uint8), values.pop("alpha", None), format, 20, 30, **values)


def encode(original: images.Picture) -> tuple[bytes, Image.Image, tuple[str, ...]]:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    data, notes = outputs.encode(rgb, original, PROVENANCE)
    return data, Image.open(io.BytesIO(data)), notes


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("TIFF", "TIFF"),
        ("WEBP", "WEBP"),
        ("GIF", "PNG"),
        ("BMP", "PNG"),
        ("PPM", "PNG"),
    ],
)
def test_format_is_kept_or_becomes_png(format, expected):
    _, image, _ = encode(picture(format))
    assert (image.format, image.size) == (expected, (30, 20))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_lossless_formats_keep_every_pixel_and_the_opacity(format):
    alpha = np.arange(600, dtype=np.uint32).reshape(20, 30).astype(np.uint8)
    _, image, _ = encode(picture(format, alpha=alpha))
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(image), np.dstack([rgb, alpha]))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_output_says_what_it_is(format):
    data, image, _ = encode(picture(format))
    start, end = data.index(b"<x:xmpmeta"), data.index(b"</x:xmpmeta>") + len(b"</x:xmpmeta>")
    xmp = ElementTree.fromstring(data[start:end])
    text = {element.tag.partition("}")[2]: element.text for element in xmp.iter()}
    assert text["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert text["AISystemUsed"] == "Photochrom, model a <b> & c"
    assert text["documentID"] == f"sha256:{'34' * 32}"
    assert image.info.get("xmp") or image.tag_v2[700]  # where Pillow looks for it in that format


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_resolution_is_kept(format):
    _, image, _ = encode(picture(format, metadata=Metadata(dpi=(300.0, 300.0))))
    assert tuple(round(float(v)) for v in image.info["dpi"]) == (300, 300)


def test_exif_is_kept_and_its_orientation_reset():
    exif = Image.Exif()
    exif[274], exif[315] = 6, "A. Photographer"
    _, image, notes = encode(picture("JPEG", metadata=Metadata(exif=exif.tobytes())))
    assert (image.getexif()[274], image.getexif()[315], notes) == (1, "A. Photographer", ())


def test_broken_exif_is_left_behind_and_said():
    _, image, notes = encode(picture("JPEG", metadata=Metadata(exif=b"Exif\0\0garbage")))
    assert notes == ("broken EXIF not carried over",)
    assert image.size == (30, 20)


def test_jpeg_keeps_full_chroma_resolution():
    _, image, _ = encode(picture("JPEG"))
    assert all(layer[1:3] == (1, 1) for layer in image.layer)


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("a/b.jpg", "JPEG", "a/b.jpg"),
        ("a/b.JPEG", "JPEG", "a/b.JPEG"),
        ("a/b.gif", "GIF", "a/b.gif.png"),
        ("a/b.jpg", "PNG", "a/b.jpg.png"),
        ("a/b", "TIFF", "a/b.tif"),
    ],
)
def test_file_name_has_the_end_of_its_format(path, format, expected):
    assert outputs.file_name(path, format) == expected
