"""Wraps IPTC-IIM records for the formats that hold them.

Source: Adobe, Photoshop File Formats (image resource blocks, resource 1028); for PNG, which has no place of its own
for them, the text chunk in which ImageMagick writes them and ExifTool looks for them.
"""

import struct
import zlib

_RESOURCE = 1028


def photoshop_resource(records: bytes) -> bytes:
    """Returns Photoshop's image resource block with the records."""
    padding = b"\0" * (len(records) % 2)
    return b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(records)) + records + padding


def jpeg_segment(records: bytes) -> bytes:
    """Returns a JPEG's APP13 segment."""
    content = b"Photoshop 3.0\0" + photoshop_resource(records)
    return b"\xff\xed" + struct.pack(">H", 2 + len(content)) + content


def png_profile(records: bytes) -> bytes:
    """Returns the content of a zTXt chunk: the resource in hexadecimal, 36 bytes a line."""
    resource = photoshop_resource(records)
    lines = [resource[i : i + 36].hex() for i in range(0, len(resource), 36)]
    text = f"\niptc\n{len(resource):8d}\n" + "\n".join(lines) + "\n"
    return b"Raw profile type iptc\0\0" + zlib.compress(text.encode())


def tiff_field(records: bytes) -> bytes:
    """Returns the value of TIFF's tag 33723, which by custom counts in 4 bytes."""
    return records + b"\0" * (-len(records) % 4)
