"""The formats of the copies: which one a scan's copy gets, what it can hold, and how the file is named."""

import dataclasses

from photochrom import images

KEEP = "keep"
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


def file_name(path: str, format: Format, wanted: str = KEEP) -> str:
    """Returns the output's name: the input's, with an end added where the format changes or the end belies it.

    Also where the name is what another input's would become: with a.tif and a.tif.jpg in one folder and all wanted as
    JPEG, the copies are a.tif.jpg and a.tif.jpg.jpg.
    """
    lower = path.lower()
    if lower.endswith(format.suffixes) and not lower.rpartition(".")[0].endswith(_ends_that_become(format, wanted)):
        return path
    return path + format.suffixes[0]


def _ends_that_become(format: Format, wanted: str) -> tuple[str, ...]:
    """Returns the ends of originals that are written in this format without being of it."""
    if wanted != KEEP:
        return tuple(sorted(images.IMAGE_SUFFIXES - set(format.suffixes)))
    kept = {suffix for known in FORMATS.values() for suffix in known.suffixes}
    return tuple(sorted(images.IMAGE_SUFFIXES - kept)) if format.name == "PNG" else ()
