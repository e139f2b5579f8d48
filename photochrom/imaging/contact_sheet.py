"""Contact sheets: pictures in rows, with a heading for each column and a caption for each row."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from photochrom.storage.names import printable

# px.
_GAP = 4
_TEXT_HEIGHT = 16
_FONT_SIZE = 12
_PAPER, _INK = (255, 255, 255), (32, 32, 32)
_ELLIPSIS = "..."
# A caption is cut to this many characters before its width is measured.
_MAX_CHARACTERS = 400


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    captions: Sequence[str] = (),
    headings: Sequence[str] = (),
    cell: int = 192,
    strips: int = 1,
) -> Image.Image:
    """Lays pictures out in rows.

    Args:
        rows: [H, W, 3] uint8 sRGB pictures of any size, each scaled into its cell with its aspect ratio kept.
        captions: none, or one a row, written above it. File names are untrusted: unprintable characters are
            escaped, long captions lose their middle.
        headings: none, or one a column, written above the first row.
        cell: side of a cell, px.
        strips: the rows run down this many strips, side by side, each with the headings.

    Raises:
        ValueError: no picture, or another number of captions than of rows.
    """
    columns = max(map(len, rows), default=0)
    if not columns:
        raise ValueError("a contact sheet needs at least 1 picture, got none")
    if captions and len(captions) != len(rows):
        raise ValueError(f"{len(captions)} captions for {len(rows)} rows, expected one a row or none")
    head, caption = _TEXT_HEIGHT * bool(headings), _TEXT_HEIGHT * bool(captions)
    lines = math.ceil(len(rows) / strips)
    step, pitch, width = cell + _GAP, cell + _GAP + caption, _GAP + columns * (cell + _GAP)
    sheet = Image.new("RGB", (math.ceil(len(rows) / lines) * width, _GAP + head + lines * pitch), _PAPER)
    for row, pictures in enumerate(rows):
        strip, line = divmod(row, lines)
        left, top = _GAP + strip * width, _GAP + head + line * pitch
        for column, text in enumerate(headings if line == 0 else ()):
            _write(sheet, text, left + column * step, 2, cell)
        if captions:
            _write(sheet, captions[row], left, top, width - 2 * _GAP)
        for column, rgb in enumerate(pictures):
            _paste(sheet, rgb, left + column * step, top + caption, cell)
    return sheet


def to_png(sheet: Image.Image) -> bytes:
    """Returns the sheet as a PNG file."""
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _paste(sheet: Image.Image, rgb: np.ndarray, left: int, top: int, cell: int) -> None:
    """Pastes a picture into the middle of its cell."""
    picture = ImageOps.contain(Image.fromarray(rgb), (cell, cell), Image.Resampling.LANCZOS)
    sheet.paste(picture, (left + (cell - picture.width) // 2, top + (cell - picture.height) // 2))


def _write(sheet: Image.Image, text: str, left: int, top: int, width: int) -> None:
    font = ImageFont.load_default(_FONT_SIZE)
    ImageDraw.Draw(sheet).text((left, top), fit(text, width, font), _INK, font)


def fit(text: str, width: float, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """Returns printable text that is at most `width` px wide in `font`: shortened in the middle if necessary."""
    text = cut(printable(cut(text, _MAX_CHARACTERS)), _MAX_CHARACTERS)
    shorter = (cut(text, length) for length in range(len(text), 0, -1))
    return next((one for one in shorter if font.getlength(one) <= width), "")


def cut(text: str, length: int) -> str:
    """Returns at most `length` characters of a text, an ellipsis in place of its middle."""
    if len(text) <= length:
        return text
    kept = max(length - len(_ELLIPSIS), 0)
    return (text[: kept // 2] + _ELLIPSIS + text[len(text) - (kept + 1) // 2 :])[:length]
