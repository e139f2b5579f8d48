"""Members of an archive of any kind: checks of names, sizes and kinds, unique keys, runs of neighbours."""

from typing import Any

from photochrom import errors
from photochrom.sources import keys
from photochrom.sources.source import Source
from photochrom.storage.names import check_name

# Bytes that no scan exceeds; a member that claims more is a decompression bomb or a film.
MAX_FILE_BYTES = 4 << 30
# A member may unpack to at most this many times its packed size, or to 512 MiB if that is more: blank pages reach 1000.
_MAX_EXPANSION = 50
_MIN_EXPANDED_BYTES = 512 << 20
# The limits of a run, which is fetched by one request: bytes, packed or unpacked, and members. More than a few dozen
# of them would save nothing, and be too much work in one place.
_RUN_BYTES, _RUN_MEMBERS = 8 << 20, 32


def broken(text: str) -> errors.ReadError:
    """Returns the error of an archive, or a member, that contradicts its format."""
    return errors.ReadError(f"broken archive: {text}", "broken_archive")


def screened(
    names: "Names", path: str, name: str, size: int, plain: bool = True, packed: int = -1, **where: Any
) -> Source:
    """Returns the source of a member, or a failed source where its name, kind or size is refused.

    Args:
        names: of the archive.
        path: of the file that holds the member.
        name: the member's, as stored.
        size: bytes of the content.
        plain: whether it is a regular file.
        packed: the most bytes that it takes in the archive; -1 if it is not compressed.
        **where: further fields of the source.
    """
    name = keys.normalized(name)
    key, is_first = names.next(name)
    try:
        check_name(name)
        if size < 0 or where["offset"] < 0:
            raise broken(f"{name!r} claims a size of {size} bytes at {where['offset']}")
        check_size(size)
        if packed >= 0:
            _check_expansion(size, packed)
        if not plain:
            raise errors.ReadError(f"{name!r} is no regular file but a link, device or sparse file", "not_a_file")
        if not is_first:
            raise errors.ReadError(
                f"the archive holds {name!r} more than once; the first one is read", "duplicate_name"
            )
    except errors.DataError as error:
        return Source.failed(key, path, error)
    return Source(key, path, size=size, **where)


def check_size(size: int) -> None:
    """Raises TooLarge for more than MAX_FILE_BYTES."""
    if size > MAX_FILE_BYTES:
        raise errors.TooLarge(f"the file is too large: {size} bytes, at most {MAX_FILE_BYTES} bytes")


def _check_expansion(size: int, packed: int) -> None:
    limit = max(_MIN_EXPANDED_BYTES, _MAX_EXPANSION * packed)
    if size > limit:
        raise errors.TooLarge(
            f"it unpacks from {packed} to {size} bytes, at most {limit}: a decompression bomb? If it is none, unpack "
            "it and give the file"
        )


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
        key = keys.of_member(self._key, name)
        digest = keys.digest(key)
        count = self._seen.get(digest, 0) + 1
        if count == 1:
            self._seen[digest] = 1
            return key, True
        while (numbered := keys.digest(f"{key}#{count}")) in self._seen:
            count += 1
        self._seen[digest] = count
        self._seen[numbered] = 1  # or a member of that very name would get the same key
        return f"{key}#{count}", False
