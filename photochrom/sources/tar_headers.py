"""The headers of a tar, in order and in bounded memory: ustar, GNU, pax and older ones.

tarfile reads an extended header of any size at once, and crafted pax records cost it the square of that in memory; it
also takes some damage for the end of the archive. Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax
Extended Header"; GNU tar 1.35, manual, "Basic Tar Format".
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from photochrom import errors
from photochrom.sources.member_checks import broken

_BLOCK = 512
# Extended headers of one member, bytes: file systems keep up to 64 KiB in an attribute.
_MAX_EXTENDED_BYTES = 1 << 20
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK, _SPARSE = b"xX", b"g", b"L", b"K", b"S"
# A label of the archive, GNU's: about no member.
_LABEL = b"V"
# Stated, or by programs before POSIX, or contiguous; of folders, that of incremental backups lists its files.
_REGULAR, _FOLDERS = b"0\x007", b"5D"
_WITHOUT_CONTENT = b"123456"
_POSIX = b"ustar\0"
# Zeros after the end mark, in which further members are looked for: blocks of tapes have at most 32 MiB.
_MAX_PADDING_BYTES = 32 << 20
# Records of a pax header that begin so are about a sparse file.
_PAX_SPARSE = b"GNU.sparse."


@dataclasses.dataclass(frozen=True)
class Header:
    """A member of a tar.

    Attributes:
        name: as stored; bytes that are no UTF-8 are surrogates.
        size: bytes of its content in the archive.
        mtime: time of modification, seconds.
        offset: of its content.
        is_folder: whether it is a folder.
        is_plain: whether it is a regular file: no link, device or sparse file.
    """

    name: str
    size: int
    mtime: float
    offset: int
    is_folder: bool
    is_plain: bool


def read(file: Any) -> Iterator[Header]:
    """Yields the members, up to the end mark.

    Args:
        file: at the start of the tar; has read, tell and seek, and is not sought backwards. Between two members the
            caller may read the content of the first.

    Raises:
        ReadError: a header is damaged, or missing where neither a member nor the end mark follows; there are members
            after the end mark, or neither a member nor an end.
    """
    is_empty = True
    shared: dict[bytes, bytes] = {}  # of the pax header for all following members
    own: dict[bytes, bytes] = {}
    left = _MAX_EXTENDED_BYTES
    while (block := _next_block(file)) is not None:
        kind, size = block[156:157], _size(block[124:136])
        if kind not in _PAX + _PAX_GLOBAL + _LONG_NAME + _LONG_LINK + _LABEL:
            is_empty = False
            header = _header(block, {**shared, **own}, file)
            yield header
            file.seek(header.offset + _padded(header.size))
            own, left = {}, _MAX_EXTENDED_BYTES
            continue
        left -= _BLOCK + _padded(size)
        if left < 0:
            raise broken(f"extended headers of more than {_MAX_EXTENDED_BYTES} bytes before one member")
        content = _exactly(file, _padded(size))[:size]
        if kind == _LONG_NAME:
            own[b"path"] = content.partition(b"\0")[0]
        elif kind not in _LONG_LINK + _LABEL:
            (shared if kind == _PAX_GLOBAL else own).update(_records(content))
    _check_rest(file, is_empty)


def _check_rest(file: Any, is_empty: bool) -> None:
    """Refuses members after the end mark, which are those of archives that were joined, and zeros before no tar."""
    block, left = b"", _MAX_PADDING_BYTES
    while not any(block) and left > 0 and (block := file.read(_BLOCK)):
        left -= _BLOCK
    if any(block) and _is_header(block):
        raise broken("members after its end mark, of an archive that was joined to it, are not read; divide them")
    if any(block) and is_empty:
        raise broken("it begins with zeros and is no tar")


def _next_block(file: Any) -> bytes | None:
    """Returns a header whose checksum is right, or None at the mark that ends an archive."""
    is_first = not file.tell()
    block = file.read(_BLOCK)
    if is_first and any(block) and not _is_header(block):
        raise broken("it does not begin like a tar, and is none, or is damaged from its start")
    if len(block) < _BLOCK:
        raise broken(f"{len(block)} bytes where a member or the end mark is expected; truncated or damaged")
    if not any(block):
        return None
    if not _is_header(block):
        raise broken("a header with a wrong checksum, expected a member or the end mark; truncated or damaged")
    return block


def _is_header(block: bytes) -> bool:
    """Returns whether the checksum of a block is right."""
    if len(block) < _BLOCK:
        return False
    summed = block[:148] + b" " * 8 + block[156:]
    try:
        wrong_by = sum(summed) - _number(block[148:156])
    except errors.ReadError:
        return False
    # Some old programs add signed bytes.
    return wrong_by in (0, 256 * sum(byte > 127 for byte in summed))


def _header(block: bytes, extended: dict[bytes, bytes], file: Any) -> Header:
    kind = block[156:157]
    name = block[:100].partition(b"\0")[0]
    if block.startswith(_POSIX, 257) and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    name = extended.get(b"path", name)
    is_sparse = kind == _SPARSE or _PAX_SPARSE in extended
    if kind == _SPARSE and block[482]:
        _skip_sparse_map(file)
    size = _decimal(extended[b"size"]) if b"size" in extended else _size(block[124:136])
    return Header(
        name=name.decode("utf-8", "surrogateescape"),
        size=0 if kind in _WITHOUT_CONTENT else size,
        mtime=_time(extended[b"mtime"]) if b"mtime" in extended else _number(block[136:148]),
        offset=file.tell(),
        is_folder=kind in _FOLDERS or (kind == b"\0" and name.endswith(b"/")),
        is_plain=kind in _REGULAR and not is_sparse,
    )


def _skip_sparse_map(file: Any) -> None:
    """Skips the further blocks of the map of a sparse file, each of which states whether another one follows."""
    for _ in range(_MAX_EXTENDED_BYTES // _BLOCK):
        if not _exactly(file, _BLOCK)[504]:
            return
    raise broken(f"a map of a sparse file of more than {_MAX_EXTENDED_BYTES} bytes")


def _records(content: bytes) -> dict[bytes, bytes]:
    """Returns the records of a pax header that matter: `LENGTH KEY=VALUE`, each with a line break at its end."""
    found, start = {}, 0
    while start < len(content) and content[start]:
        length, space, _ = content[start : start + 20].partition(b" ")
        end = start + (int(length) if space and length.isdigit() else 0)
        key, equals, value = content[start + len(length) + 1 : end - 1].partition(b"=")
        if not equals or content[end - 1 : end] != b"\n":
            raise broken("a damaged record in a pax header, expected LENGTH KEY=VALUE")
        if key in (b"path", b"size", b"mtime"):
            found[key] = value
        elif key.startswith(_PAX_SPARSE):
            found[_PAX_SPARSE] = b""
            if key == b"GNU.sparse.name":
                found[b"path"] = value
        start = end
    return found


def _exactly(file: Any, count: int) -> bytes:
    data: bytes = file.read(count)
    if len(data) < count:
        raise broken("the end of the file within a header; truncated")
    return data


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    """Returns a number in octal digits, or in GNU's binary form for larger and negative ones."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    digits = field.partition(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError as error:
        raise broken("a header with a number that is none; truncated or damaged") from error


def _size(field: bytes) -> int:
    return _checked(_number(field))


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise broken("a pax header with a size that is no number")
    return _checked(int(value))


def _checked(number: int) -> int:
    if not 0 <= number < 1 << 62:
        raise broken("a header with a number below zero or above all that a file can have")
    return number


def _time(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        return 0
