import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from photochrom.imaging import contact_sheet

RED, BLUE = (np.full((8, 8, 3), rgb, np.uint8) for rgb in ((200, 0, 0), (0, 0, 200)))


def test_contact_sheet_places_rows_and_columns():
    sheet = np.asarray(contact_sheet.contact_sheet([[RED, BLUE], [BLUE]], cell=20))
    assert sheet.shape == (4 + 2 * 24, 4 + 2 * 24, 3)
    assert [tuple(sheet[y, x]) for y, x in ((14, 14), (14, 38), (38, 14), (38, 38))] == [
        (200, 0, 0),
        (0, 0, 200),
        (0, 0, 200),
        (255, 255, 255),
    ]


def test_contact_sheet_places_strips_side_by_side():
    sheet = np.asarray(
        contact_sheet.contact_sheet([[RED], [RED], [BLUE]], ["a", "b", "c"], ["gray"], cell=20, strips=2)
    )
    assert sheet.shape == (4 + 16 + 2 * 40, 2 * 28, 3)
    assert tuple(sheet[46, 42]) == (0, 0, 200)
    assert tuple(sheet[86, 14]) == (200, 0, 0)


def test_contact_sheet_keeps_aspect_ratios():
    wide = np.zeros((10, 40, 3), np.uint8)
    sheet = np.asarray(contact_sheet.contact_sheet([[wide]], cell=40))
    rows, columns = np.nonzero(sheet[:, :, 0] == 0)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (10, 40)
    assert (rows.min(), columns.min()) == (4 + 15, 4)


def test_contact_sheet_draws_captions_and_headings():
    bare = contact_sheet.contact_sheet([[RED]], cell=60)
    written = contact_sheet.contact_sheet([[RED]], ["caption"], ["heading"], cell=60)
    assert written.height == bare.height + 32
    strips = np.asarray(written)[:36]
    assert (strips.min(axis=(1, 2)) < 128).any()


@pytest.mark.parametrize(
    ("rows", "captions", "message"),
    [([], [], "at least 1 picture"), ([[]], [], "at least 1 picture"), ([[RED]], ["a", "b"], "2 captions for 1 rows")],
)
def test_contact_sheet_refuses_mismatched_rows(rows, captions, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet.contact_sheet(rows, captions)


@pytest.mark.parametrize(
    "text", ["a\nb\0c", "\u202egpj.exe", "\udc80\udcff", "x" * 100_000, "日本語 " * 50, "", "\x1b[31mred"]
)
def test_contact_sheet_escapes_hostile_captions(text):
    font = ImageFont.load_default(12)
    fitted = contact_sheet.fit(text, 120, font)
    assert fitted.isprintable()
    assert font.getlength(fitted) <= 120
    contact_sheet.contact_sheet([[RED]], [text], cell=112)


def test_cut_removes_the_middle():
    assert contact_sheet.cut("archive.zip!box/0001.jpg", 13) == "archi...1.jpg"
    assert contact_sheet.cut("short", 13) == "short"
    assert contact_sheet.cut("longer", 2) == ".."


def test_to_png_is_deterministic():
    sheet = contact_sheet.contact_sheet([[RED, BLUE]], cell=20)
    data = contact_sheet.to_png(sheet)
    assert data == contact_sheet.to_png(sheet)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(sheet))
