"""Chunks of a PNG that Pillow refuses or ignores: metadata larger than its limits, and cICP.

Source: PNG (third edition), 5.3 for chunks, 11.3.2.6 for cICP, 11.3.3 for texts.
"""

import zlib
from collections.abc import Iterator

from photochrom.imaging.stated_colour import CodePoints

# The most bytes of a text or a profile, unpacked, and of all together.
MAX_CHUNK_BYTES = 16_000_000
MAX_TEXT_BYTES = 48_000_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_SRGB_MATRIX = 0
# Chunks that are not needed for the pixels, with the fewest bytes of their content.
_LEAST_BYTES = {
    b"tEXt": 0, b"zTXt": 0, b"iTXt": 0, b"iCCP": 3, b"eXIf": 0, b"tIME": 0, b"pHYs": 9, b"gAMA": 4, b"cHRM": 32,
    b"sRGB": 1, b"sBIT": 0, b"bKGD": 0, b"hIST": 0, b"sPLT": 0, b"cICP": 4,
}  # fmt: skip


def is_png(data: bytes) -> bool:
    """Returns whether the content begins like a PNG."""
    return data.startswith(_SIGNATURE)


def without_bad_chunks(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns the file without texts and profiles larger than the limits and damaged metadata, and a note for each."""
    parts: list[bytes] = []
    notes: tuple[str, ...] = ()
    kept = total = 0
    for kind, begin, end in _chunks(data):
        if _is_damaged(kind, data[begin:end], data[end : end + 4]):
            parts.append(data[kept : begin - 8])
            kept = end + 4
            notes += (f"PNG {kind.decode()} is damaged, and not kept",)
            continue
        if kind not in (*_TEXTS, b"iCCP"):
            continue
        limit = min(MAX_CHUNK_BYTES, MAX_TEXT_BYTES - total)
        size = _unpacked_bytes(kind, data[begin:end], limit)
        if size > limit:
            parts.append(data[kept : begin - 8])
            kept = end + 4
            notes += (f"PNG {kind.decode()} of more than {limit} bytes is not kept",)
        else:
            total += size
    return (b"".join((*parts, data[kept:])), tuple(dict.fromkeys(notes))) if parts else (data, ())


def _is_damaged(kind: bytes, content: bytes, crc: bytes) -> bool:
    """Returns whether a chunk is not needed for the pixels, and has a wrong checksum or is too short."""
    if kind not in _LEAST_BYTES:
        return False
    is_whole = zlib.crc32(kind + content).to_bytes(4, "big") == crc
    is_named = kind != b"iCCP" or b"\0" in content[:-1]
    return not is_whole or len(content) < _LEAST_BYTES[kind] or not is_named


def code_points(data: bytes) -> CodePoints | None:
    """Returns the content of the chunk cICP, which overrules iCCP, sRGB and gAMA; None where there is none."""
    for kind, begin, end in _chunks(data):
        if kind == b"cICP" and end - begin == 4 and data[begin + 2] == _SRGB_MATRIX:
            return CodePoints(data[begin], data[begin + 1], is_full_range=data[begin + 3] != 0)
        if kind == b"IDAT":
            return None
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields kind, begin and end of the content of each chunk."""
    begin = len(_SIGNATURE) + 8
    while begin <= len(data):
        end = begin + int.from_bytes(data[begin - 8 : begin - 4], "big")
        kind = data[begin - 4 : begin]
        if end + 4 > len(data) or kind == b"IEND":
            return
        yield kind, begin, end
        begin = end + 12


def _unpacked_bytes(kind: bytes, content: bytes, limit: int) -> int:
    """Returns the size of a chunk's content once unpacked; a number above `limit` if it is larger."""
    packed = _packed(kind, content)
    try:
        return max(len(zlib.decompressobj().decompress(packed, limit + 1)), len(content)) if packed else len(content)
    except zlib.error:  # Pillow's to report
        return len(content)


def _packed(kind: bytes, content: bytes) -> bytes:
    """Returns the compressed part of a chunk, b"" for none."""
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt":
        return rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""
    return rest[1:] if kind in (b"zTXt", b"iCCP") else b""
