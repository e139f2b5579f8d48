"""A visible label on a copy, for viewers who never see its metadata: in a corner, or on a border below the picture."""

import dataclasses
import importlib.util
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NONE, CORNER, BORDER = "none", "corner", "border"
CHOICES = (NONE, CORNER, BORDER)
DEFAULT_TEXT = "Colorized by AI"
MAX_TEXT = 200
# Height of the letters, as a share of the picture's shorter side, and the least that is legible, px.
_SHARE, _LEAST = 0.028, 11
# Gray of the corner's plate, 0 black to 1 white, and its opacity; the letters are white.
_PLATE, _PLATE_OPACITY = 0.1, 0.7
_MISSING = "\U0010fffe"


@dataclasses.dataclass(frozen=True)
class Mark:
    """A label over the picture or below it.

    Attributes:
        ink: [h, w] float32, 0 black to 1 white.
        opacity: [h, w] float32, 0 transparent to 1 opaque.
        top, left: of its upper left corner, px of the copy.
        added_rows: rows that it adds below the picture.
    """

    ink: np.ndarray
    opacity: np.ndarray
    top: int
    left: int
    added_rows: int = 0

    def draw(self, pixels: np.ndarray, rows: slice) -> np.ndarray:
        """Returns rows of the picture, [h, W, 3 or 4] uint8 or uint16, with the opaque label on them."""
        begin, end = max(rows.start, self.top), min(rows.stop, self.top + len(self.ink))
        if begin >= end:
            return pixels
        here = slice(begin - self.top, end - self.top)
        ink, opacity = self.ink[here, :, None], self.opacity[here, :, None]
        area = (slice(begin - rows.start, end - rows.start), slice(self.left, self.left + self.ink.shape[1]))
        full = np.iinfo(pixels.dtype).max
        pixels = pixels.copy()
        rgb, alpha = pixels[area][:, :, :3], pixels[area][:, :, 3:]
        rgb[...] = np.rint(rgb * (1 - opacity) + ink * opacity * full).astype(pixels.dtype)
        alpha[opacity[:, :, 0] > 0] = full
        return pixels


def make(style: str, text: str, height: int, width: int) -> Mark | None:
    """Makes the label for a picture of that size, px; None for the style `none`."""
    if style == NONE:
        return None
    size = max(_LEAST, round(_SHARE * min(height, width)))
    margin = max(2, size // 3)
    letters = _letters(text, size, max(1, width - 2 * margin))
    if style == BORDER:
        plate = np.zeros((letters.shape[0] + 2 * margin, width), np.float32)
        plate[margin : margin + letters.shape[0], margin : margin + letters.shape[1]] = letters
        return Mark(1 - plate, np.ones_like(plate), height, 0, len(plate))
    letters = np.pad(letters, margin)[-height:, -width:]
    ink = _PLATE + (1 - _PLATE) * letters
    opacity = _PLATE_OPACITY + (1 - _PLATE_OPACITY) * letters
    return Mark(ink, opacity, height - letters.shape[0], width - letters.shape[1])


def check_text(text: str) -> None:
    """Checks that the label can be drawn.

    Raises:
        ValueError: it is empty, too long, or has characters that the font lacks.
    """
    if not text.strip() or len(text) > MAX_TEXT:
        raise ValueError(f"--mark_text has {len(text)} characters, expected 1 to {MAX_TEXT}")
    font = _font(20)
    missing = bytes(font.getmask(_MISSING))
    absent = sorted({c for c in text if not c.isspace() and bytes(font.getmask(c)) in (missing, b"")})
    if absent or not text.isprintable():
        raise ValueError(f"--mark_text is {text!r}, the font DejaVu Sans cannot draw {''.join(absent)!r}")


def _letters(text: str, size: int, width: int) -> np.ndarray:
    """Returns [h, w] float32 coverage of the text, 0..1, in lines of at most `width` px where words allow it."""
    font = _font(size)
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    longest = max(font.getlength(line) for line in lines)
    if longest > width and size > 1:
        return _letters(text, max(1, int(size * width / longest * 0.97)), width)
    drawing = Image.new("L", (max(1, int(longest) + 1), sum(font.getmetrics()) * len(lines)))
    ImageDraw.Draw(drawing).multiline_text((0, 0), "\n".join(lines), fill=255, font=font, spacing=0)
    return np.asarray(drawing, np.float32)[:, :width] / 255


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns DejaVu Sans, which matplotlib carries: Pillow's own font has ASCII alone."""
    spec = importlib.util.find_spec("matplotlib")  # found, not imported
    folder = pathlib.Path(str(spec and spec.origin)).parent
    path = folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
