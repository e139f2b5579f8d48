"""Wraps IPTC-IIM records for the formats that hold them.

Source: Adobe, Photoshop File Formats (image resource blocks, resource 1028); for PNG, which has no place of its own
for them, the text chunk in which ImageMagick writes them and ExifTool looks for them.
"""

import struct
import zlib

from photochrom.imaging import tags


def wrap(records: bytes, format: str) -> bytes:
    """Returns the records as a format stores them; b"" for none.

    Args:
        records: IPTC-IIM.
        format: "JPEG" for an APP13 segment, "PNG" for the content of a zTXt chunk, "TIFF" for the value of its field.
    """
    if not records:
        return b""
    if format == "TIFF":
        return records + b"\0" * (-len(records) % 4)  # the field's type counts in 4 bytes, by custom
    padding = b"\0" * (len(records) % 2)
    resource = b"8BIM" + struct.pack(">HHI", tags.IPTC_RESOURCE, 0, len(records)) + records + padding
    return _jpeg_segment(resource) if format == "JPEG" else _png_text(resource)


def _jpeg_segment(resource: bytes) -> bytes:
    content = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", 2 + len(content)) + content


def _png_text(resource: bytes) -> bytes:
    """Returns keyword and compressed text: the resource in hexadecimal, 36 bytes a line."""
    lines = [resource[i : i + 36].hex() for i in range(0, len(resource), 36)]
    text = f"\niptc\n{len(resource):8d}\n" + "\n".join(lines) + "\n"
    return b"Raw profile type iptc\0\0" + zlib.compress(text.encode())
