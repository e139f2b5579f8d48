"""The colour profile of the copies, sRGB, and what the one that it replaces calls itself.

Source: ICC.1:2022, section 7.2 (header).
"""

import functools
import io

from PIL import ImageCms

_DATE = slice(24, 36)
_SPACE = slice(16, 20)
_MAX_NAME = 80


@functools.cache
def srgb() -> bytes:
    """Returns a profile of 588 bytes, always the same: the date that LittleCMS writes into it is zeros."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = bytes(12)
    return bytes(profile)


def describe(profile: bytes) -> str:
    """Returns a profile's name and colour space in words, for a note."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return f"unreadable, {len(profile)} bytes"
    space = profile[_SPACE].decode("ascii", "replace").strip()
    return f"{''.join(c for c in name if c.isprintable())[:_MAX_NAME]}, {space}"
