"""Members of an archive of any kind: checks of names, sizes and kinds, unique keys, runs of neighbours."""

import lzma
import tarfile
import zipfile
import zlib
from typing import Any

from photochrom import errors
from photochrom.sources import keys
from photochrom.sources.source import Source
from photochrom.storage.names import check_name, printable

# Bytes that no scan exceeds; a member that claims more is a decompression bomb or a film.
MAX_FILE_BYTES = 4 << 30
# The limits of a run, which is fetched by one request: bytes, packed or unpacked, and members. More than a few dozen
# of them would save nothing, and be too much work in one place.
_RUN_BYTES, _RUN_MEMBERS = 8 << 20, 32

ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, MemoryError,
)  # fmt: skip


def screened(names: "Names", path: str, name: str, size: int, plain: bool = True, **where: Any) -> Source:
    """Returns the source of a member, or a failed source where its name, kind or size is refused."""
    key, is_first = names.next(name)
    try:
        check_name(name)
        check_size(size)
        if size < 0 or where["offset"] < 0:
            claim = f"{name!r} claims a size of {size} bytes at {where['offset']}"
            raise errors.ReadError(claim, "broken_archive")
        if not plain:
            raise errors.ReadError(f"{name!r} is no regular file but a link, device or sparse file", "not_a_file")
        if not is_first:
            raise errors.ReadError(f"the archive holds {name!r} more than once", "duplicate_name")
    except errors.DataError as error:
        return Source.failed(key, path, error)
    return Source(key, path, size=size, **where)


def check_size(size: int) -> None:
    """Raises TooLarge for more than MAX_FILE_BYTES."""
    if size > MAX_FILE_BYTES:
        raise errors.TooLarge(f"the file is too large: {size} bytes, at most {MAX_FILE_BYTES} bytes")


class Runs:
    """Divides the members of an archive, in the order of their offsets, into runs of neighbours."""

    def __init__(self) -> None:
        self._run = self._count = self._bytes = 0

    def next(self, offset: int, size: int) -> int:
        """Returns the run of the next member: the offset of its first one."""
        self._count, self._bytes = self._count + 1, self._bytes + size
        if self._count == 1 or self._count > _RUN_MEMBERS or self._bytes > _RUN_BYTES:
            self._run, self._count, self._bytes = offset, 1, size
        return self._run


class Names:
    """Gives each member of an archive a unique key, also where a name occurs twice."""

    def __init__(self, key: str):
        self._key = key
        self._seen: dict[int, int] = {}  # digests, not the names: 50,000 of those are many bytes

    def next(self, name: str) -> tuple[str, bool]:
        """Returns the key of the next member with a name, and whether it is the first."""
        key = printable(f"{self._key}{keys.SEPARATOR}{name}")
        digest = keys.digest(key)
        count = self._seen[digest] = self._seen.get(digest, 0) + 1
        if count == 1:
            return key, True
        self._seen[keys.digest(f"{key}#{count}")] = 1  # or a member of that very name would get the same key
        return f"{key}#{count}", False
