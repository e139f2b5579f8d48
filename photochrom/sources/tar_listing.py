"""Lists the members of a tar by its headers; a compressed one is unpacked into a spool file at the same time."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import IO

from photochrom.sources import tar_headers, unpacking
from photochrom.sources.member_checks import Names, Runs, broken, screened
from photochrom.sources.source import Source

# A compressed tar may unpack to at most this many times its size, or to 1 GiB if that is more. A member counts as this
# many bytes at least: its row is more work than its header.
_MAX_EXPANSION = 200
_MIN_EXPANDED_BYTES = 1 << 30
_MEMBER_BYTES = 16 << 10


def list_tar(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    """Yields a source for each member of a plain tar.

    Raises:
        ReadError: the archive is broken.
    """
    names, runs = Names(key), Runs()
    for header in tar_headers.read(file):
        if not header.is_folder:
            run = runs.next(header.offset, header.size)
            where = {"offset": header.offset, "run": run, "version": f"mtime:{header.mtime}"}
            yield screened(names, path, header.name, header.size, header.is_plain, **where)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Spool:
    """An unfinished file for the members of one compressed tar, at most `limit` bytes.

    Attributes:
        path: of the file.
        file: the file.
        limit: bytes that the tar may unpack to.
        leaves_out: whether the member of a key is left out; its source cannot be read.
    """

    path: str
    file: IO[bytes]
    limit: int
    leaves_out: Callable[[str], bool] = lambda key: False


def spool_tar(
    file: IO[bytes], make: Callable[[], unpacking.Decompressor], path: str, key: str, spool: Spool
) -> Iterator[Source]:
    """Yields a source for each member of a compressed tar, once its content is in the spool.

    Args:
        file: the packed tar.
        make: makes its decompressor.
        path: of the tar.
        key: of the tar.
        spool: for the members.

    Raises:
        ReadError: the archive is broken.
        TooLarge: it unpacks to more than the spool's limit.
    """
    names, runs, counted, written = Names(key), Runs(), 0, 0
    packed = file.seek(0, 2)
    file.seek(0)
    tar = unpacking.UnpackedFile(file, make, spool.limit)
    for header in tar_headers.read(tar):
        counted += max(header.size, _MEMBER_BYTES)
        if counted > spool.limit:  # not even skipped: that would unpack it too
            raise unpacking.bomb(spool.limit)
        if header.is_folder:
            continue
        where = {"offset": written, "run": runs.next(written, header.size), "version": f"mtime:{header.mtime}"}
        source = screened(names, spool.path, header.name, header.size, header.is_plain, packed, **where)
        if source.failure is None and not spool.leaves_out(source.key):
            _copy(tar, header.size, spool.file)
            written += header.size
        yield dataclasses.replace(source, origin=path)
    while tar.read(unpacking.PIECE_BYTES):  # up to the checksum at the end
        pass


def _copy(tar: unpacking.UnpackedFile, size: int, target: IO[bytes]) -> None:
    while size:
        piece = tar.read(min(size, unpacking.PIECE_BYTES))
        if not piece:
            raise broken("the end of the file within a member; truncated")
        target.write(piece)
        size -= len(piece)


def spool_limit(archive_bytes: int) -> int:
    """Returns how many bytes a compressed tar of that size may unpack to."""
    return max(_MIN_EXPANDED_BYTES, _MAX_EXPANSION * archive_bytes)
