import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.readers import pdf as reader

RGB = np.ascontiguousarray(skimage.data.coffee()[100:340, 100:420])
GRAY = np.ascontiguousarray(RGB[:, :, 1])


def pdf(*contents: bytes, image: np.ndarray = GRAY, rotate: int = 0, info: str = "", stencil: bytes = b"") -> bytes:
    """A PDF by hand, 160x120 points, one page for each content stream; /I is the image, /F a font."""
    kind = "DeviceGray" if image.ndim == 2 else "DeviceRGB"
    colours = "/ImageMask true /BitsPerComponent 1" if stencil else f"/ColorSpace /{kind} /BitsPerComponent 8"
    kids = " ".join(f"{6 + 2 * i} 0 R" for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(contents)} /Kids [{kids}] >>".encode(),
        stream(f"/Type /XObject /Subtype /Image /Width {image.shape[1]} /Height {image.shape[0]} {colours}",
               stencil or image.tobytes()),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< {info} >>".encode(),
    ]  # fmt: skip
    for i, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 160 120] /Rotate {rotate} /Contents {7 + 2 * i} 0 R "
            "/Resources << /XObject << /I 3 0 R >> /Font << /F 4 0 R >> >> >>".encode()
        )
        objects.append(stream("", content))
    data, offsets = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R"
    return data + f"{tail} /Info 5 0 R >>\nstartxref\n{len(data)}\n%%EOF\n".encode()


def stream(keys: str, body: bytes) -> bytes:
    return f"<< {keys} /Length {len(body)} >>\nstream\n".encode() + body + b"\nendstream"


SCAN = b"q 160 0 0 120 0 0 cm /I Do Q"
TEXT = b"BT /F 12 Tf %d Tr 10 60 Td (Harbour) Tj ET"


def decode(data: bytes, page: int = 0):
    return decoding.decode(data, max_pixels=10**6, page=page)


@pytest.mark.parametrize("image", [GRAY, RGB], ids=["gray", "RGB"])
def test_decode_takes_pixels_of_only_picture(image):
    picture = decode(pdf(SCAN, image=image))
    np.testing.assert_array_equal(picture.pixels, image)
    assert (picture.format, picture.notes) == ("PDF", ())
    assert picture.metadata.dpi == pytest.approx((144, 144))


def test_decode_renders_stencil_in_its_colour():
    """A mask of 1 bit: 0 paints black, as a program writes a page of text."""
    ink = GRAY < 90
    picture = decode(pdf(SCAN, stencil=np.packbits(~ink, axis=1).tobytes()))
    assert picture.notes == ("page rendered at 144 dpi",)
    np.testing.assert_array_equal(picture.pixels[:, :, 0], np.where(ink, 0, 255))


def test_decode_ignores_invisible_text_of_scan():
    np.testing.assert_array_equal(decode(pdf(SCAN + b" " + TEXT % 3)).pixels, GRAY)


def test_decode_keeps_pixels_of_jpeg_in_pdf():
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PDF", quality=90)
    assert np.abs(decode(buffer.getvalue()).pixels.astype(int) - RGB).mean() < 4


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_decode_turns_page_by_rotate(rotate):
    np.testing.assert_array_equal(decode(pdf(SCAN, rotate=rotate)).pixels, np.rot90(GRAY, -rotate // 90))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (b"-160 0 0 120 160 0", GRAY[:, ::-1]),
        (b"160 0 0 -120 0 120", GRAY[::-1]),
        (b"0 120 -160 0 160 0", np.rot90(GRAY)),
    ],
    ids=["mirrored", "upside down", "turned left"],
)
def test_decode_turns_picture_by_its_matrix(matrix, expected):
    np.testing.assert_array_equal(decode(pdf(b"q " + matrix + b" cm /I Do Q")).pixels, expected)


@pytest.mark.parametrize("content", [SCAN + b" " + TEXT % 0, SCAN + b" " + SCAN, b"q 150 9 -9 100 9 9 cm /I Do Q"])
def test_decode_renders_other_pages_at_stated_resolution(content):
    picture = decode(pdf(content))
    note = next(note for note in picture.notes if "rendered" in note)
    dpi = int(note.removeprefix("page rendered at ").removesuffix(" dpi"))
    assert 150 <= dpi <= 172
    assert picture.pixels.shape[:2] == (round(120 * dpi / 72), round(160 * dpi / 72))


def test_decode_renders_text_at_300_dpi():
    picture = decode(pdf(TEXT % 0))
    assert picture.notes == ("page rendered at 300 dpi",)
    assert picture.pixels.shape == (500, 667, 3) and picture.pixels.min() < 100


def test_decode_reads_pages_of_pdf():
    data = pdf(SCAN, b"q -160 0 0 120 160 0 cm /I Do Q", info="/Author (A. Hand) /Title (Harbour)")
    assert decoding.count_pages(data) == 2
    second = decode(data, 1)
    np.testing.assert_array_equal(second.pixels, GRAY[:, ::-1])
    assert second.notes == ("page 2 of 2",) and decode(data).notes == ("first of 2 pages",)
    assert (second.metadata.artist, second.metadata.description) == ("A. Hand", "Harbour")


def test_decode_refuses_page_that_pdf_lacks():
    with pytest.raises(errors.DecodeError) as caught:
        decode(pdf(SCAN), 1)
    assert caught.value.reason == "no_such_page"


def test_decode_checks_size_of_pdf_first():
    for content in (SCAN, TEXT % 0):
        with pytest.raises(errors.TooLarge):
            decoding.decode(pdf(content), max_pixels=1000)


def test_decode_refuses_broken_pdf():
    with pytest.raises(errors.DecodeError, match="PDF that cannot be opened"):
        decode(b"%PDF-1.7\nnothing else")
    assert decoding.count_pages(b"%PDF-1.7\nnothing else") == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.4", True),
        (b"\x1b%-12345X@PJL\r\n%PDF-1.4", True),
        (b"\xef\xbb\xbf%PDF-1.4", True),
        (b"P5\n# %PDF-1.4\n", False),
        (b"\xff\xd8\xff\xfe\0\x10%PDF-1.4", False),
        (b" " * 1024 + b"%PDF-1.4", False),
    ],
)
def test_is_pdf_accepts_text_before_the_header(data, expected):
    assert reader.is_pdf(data) is expected
