"""Walks the boxes of ISO's base media file format, of which JPEG 2000, HEIF, AVIF and JPEG XL files consist.

Source: ISO/IEC 14496-12, section 4.2.
"""

from collections.abc import Iterator

_MAX_BOXES = 10_000


def walk(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yields kind, begin and end of the content of each box from `begin` to `end`, at most 10,000."""
    end = len(data) if end is None else end
    for _ in range(_MAX_BOXES):
        if begin + 8 > end:
            return
        length, header = int.from_bytes(data[begin : begin + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(data[begin + 8 : begin + 16], "big"), 16
        elif length == 0:
            length = end - begin
        if length < header:
            return
        yield data[begin + 4 : begin + 8], begin + header, min(begin + length, end)
        begin += length


def brands(data: bytes) -> tuple[bytes, ...]:
    """Returns the major and the compatible brands of a file; none where it does not begin with a box `ftyp`."""
    if data[4:8] != b"ftyp":
        return ()
    _, begin, end = next(walk(data), (b"", 0, 0))
    content = data[begin : min(end, begin + 1024)]
    return (content[:4], *(content[i : i + 4] for i in range(8, len(content) - 3, 4)))
