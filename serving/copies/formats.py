"""Formats of the copies: their limits, the choice for a scan, the name of the file."""

import dataclasses
from collections.abc import Iterable

KEEP = "keep"
# First part of the suffix that a name gets with its new format.
MARK = ".coloured"
# Ends of the names of the files that may stand beside a copy.
SIDECARS = (".c2pa", ".exif", ".iptc", ".xmp")
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@dataclasses.dataclass(frozen=True)
class Format:
    """A format that copies are written in.

    Attributes:
        name: as Pillow calls it.
        suffixes: of file names in this format, lower case; the first is the one added.
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
# The ends of all names that `file_name` and its sidecars have.
SUFFIXES = frozenset((*(suffix for format in FORMATS.values() for suffix in format.suffixes), *SIDECARS))
CHOICES = (KEEP, *(name.lower() for name in FORMATS))


def choose(source: str, wanted: str, width: int, height: int) -> tuple[Format, tuple[str, ...]]:
    """Chooses the format of a copy.

    Args:
        source: the original's format.
        wanted: one of CHOICES.
        width, height: size of the copy, px.

    Returns:
        The format, and a note where it is not the wanted one.
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


def file_name(path: str, format: Format) -> str:
    """Returns the output's name: the input's, with a suffix added where its own does not belong to the format.

    No two inputs get one name: the added suffix begins with a mark, and a name with the mark gets it once more.
    """
    return path if ends_in(path, format.suffixes) else path + MARK + format.suffixes[0]


def ends_in(path: str, suffixes: Iterable[str]) -> bool:
    """Whether a name has one of some suffixes, in lower case, and not the mark before it."""
    return path.lower().endswith(tuple(suffixes)) and not path.rpartition(".")[0].casefold().endswith(MARK)
