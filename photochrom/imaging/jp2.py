"""Finds the boxes of a JPEG 2000 file that Pillow ignores: profile, colour space, EXIF and XMP.

Source: ISO 15444-1, annex I; the UUIDs are those of exiftool and of Adobe's XMP specification, part 3.
"""

import uuid
from typing import NamedTuple

from photochrom.imaging import boxes

_SIGNATURE = b"\0\0\0\x0cjP  "
_EXIF = uuid.UUID("4a706754-6966-6645-7869-662d3e4a5032").bytes  # "JpgTiffExif->JP2"
_XMP = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
_ENUMERATED, _RESTRICTED_PROFILE, _ANY_PROFILE = 1, 2, 3


class Boxes(NamedTuple):
    """Blocks of a JPEG 2000 file, b"" for none; `colour` is the enumerated colour space, 0 for none."""

    colour: int = 0
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""


def read(data: bytes) -> Boxes:
    """Returns the content of a JP2 file's boxes; empty for a bare codestream or any other content."""
    if not data.startswith(_SIGNATURE):
        return Boxes()
    found: dict[str, bytes] = {}
    colour = 0
    for kind, begin, end in boxes.walk(data):
        if kind == b"jp2h":
            for inner, first, last in boxes.walk(data, begin, end):
                if inner == b"colr" and not colour and "icc" not in found:
                    method = data[first] if first < last else 0
                    if method == _ENUMERATED:
                        colour = int.from_bytes(data[first + 3 : min(first + 7, last)], "big")
                    elif method in (_RESTRICTED_PROFILE, _ANY_PROFILE):
                        found["icc"] = data[first + 3 : last]
        elif kind == b"uuid" and data[begin : begin + 16] in (_EXIF, _XMP):
            found.setdefault("exif" if data[begin : begin + 16] == _EXIF else "xmp", data[begin + 16 : end])
    return Boxes(colour, **found)
