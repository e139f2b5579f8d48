"""The formats of the copies: which one a scan's copy gets, what it can hold, and how the file is named."""

import dataclasses

KEEP = "keep"
# Begins the end that a name gets with its new format.
_MARK = ".coloured"
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@dataclasses.dataclass(frozen=True)
class Format:
    """A format that copies are written in.

    Attributes:
        name: as Pillow calls it.
        suffixes: ends of names that say so, lower case; the first is the one added.
        max_side: the longest side that it can hold, px.
        has_uint16: whether it holds 16 bit a channel.
        has_alpha: whether it holds opacity.
    """

    name: str
    suffixes: tuple[str, ...]
    max_side: int
    has_uint16: bool
    has_alpha: bool


# Longest sides: libjpeg's JPEG_MAX_DIMENSION, PNG section 11.2.1, TIFF 6.0 ImageWidth, WebP's 14 bits.
FORMATS = {
    "JPEG": Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), 65_500, False, False),
    "PNG": Format("PNG", (".png",), 2**31 - 1, True, True),
    "TIFF": Format("TIFF", (".tif", ".tiff"), 2**32 - 1, True, True),
    "WEBP": Format("WEBP", (".webp",), 16_383, False, True),
}
CHOICES = (KEEP, *(name.lower() for name in FORMATS))


def choose(source: str, wanted: str, width: int, height: int) -> tuple[Format, tuple[str, ...]]:
    """Chooses the format of a copy.

    Args:
        source: the original's format.
        wanted: one of CHOICES.
        width, height: size of the copy, px.

    Returns:
        The format, and a note where it is not the one that was wanted.
    """
    name = source if wanted == KEEP else wanted.upper()
    notes: tuple[str, ...] = ()
    if name not in FORMATS:
        notes = (f"{name} is read but not written; the copy is a PNG, which loses nothing",)
        name = "PNG"
    if max(width, height) > FORMATS[name].max_side:
        limit = FORMATS[name].max_side
        notes += (f"a {name} holds at most {limit} px a side; the copy is a TIFF",)
        name = "TIFF"
    return FORMATS[name], notes


def names(path: str) -> list[str]:
    """Returns what a copy of that input may be named: as it is, or all that `file_name` may make of it."""
    return sorted({path} | {file_name(path, format) for format in FORMATS.values()})


def file_name(path: str, format: Format) -> str:
    """Returns the output's name: the input's, with an end added where its own is not that of the format.

    No two inputs get one name: what is added begins with a mark, and a name that already looks like that gets it again.
    """
    stem, _, _ = path.rpartition(".")
    if path.lower().endswith(format.suffixes) and not stem.endswith(_MARK):
        return path
    return path + _MARK + format.suffixes[0]
