"""Decides whether a JPEG without its end marker has all its pixels.

libjpeg fills missing blocks with gray, without an error. So the file is decoded with several continuations: blocks that
are missing would be made of them, and the pictures would differ.
"""

from collections.abc import Callable

import numpy as np

from photochrom import errors
from photochrom.imaging.readers import jpeg

NOTE = "the end marker of the JPEG was missing, its pixels were not"
# Bits that continue a cut block in different ways; none of these bytes makes a marker.
_CONTINUATIONS = (b"", b"\x55" * 64, b"\xaa" * 64)
# Zeros after the last block: space that was never written, not coded pixels.
_FREE_BYTES = bytes(16)
_BLOCK = 63  # index of the last coefficient


def completed(data: bytes, decode: Callable[[bytes], np.ndarray]) -> bytes:
    """Returns a file that lacks its end marker with that marker.

    Args:
        data: the file.
        decode: to pixels, at full size.

    Raises:
        DecodeError: pixels are missing as well.
    """
    end = len(data.rstrip(b"\0"))
    body = data[:end] if data.endswith(_FREE_BYTES) else data
    if body.endswith(b"\xff"):  # half of the marker, memory never written, or half of a stuffed byte
        body = body.rstrip(b"\xff") if body is data else body + b"\0"
    first = decode(body + jpeg.END)
    for more in _CONTINUATIONS[1:]:
        if not _has_all_scans(body) or not np.array_equal(first, decode(body + more + jpeg.END)):
            raise errors.DecodeError("truncated JPEG: the end marker and part of the pixels are missing")
    return body + jpeg.END


def _has_all_scans(data: bytes) -> bool:
    """Returns whether scans give each coefficient of each component its last bit (ITU-T T.81, B.2.3 and G.1)."""
    frame = jpeg.frame(data)
    done: dict[int, set[int]] = {}
    for components, first, last, low_bit in jpeg.scans(data, frame.offset):
        if low_bit == 0:
            for component in components:
                done.setdefault(component, set()).update(range(first, min(last, _BLOCK) + 1))
    return len(done) == frame.components and all(len(found) == _BLOCK + 1 for found in done.values())
