"""Lists the members of zip and tar archives, in place, as they are: hostile until proven otherwise.

A listing is of `Source`s, a few hundred bytes each: what a shuffle carries instead of images. Members of a zip
and of a plain tar are read where they lie, by members.py. A compressed tar can only be read in order: it is read
once, and its members are laid into a plain spool file, in which they are found by offset.
"""

import bz2
import dataclasses
import errno
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

from photochrom import errors
from photochrom.sources import keys
from photochrom.sources.source import Source
from photochrom.storage.names import check_name, printable

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# No scan has more bytes than this; a member that claims more is a bomb or a film.
MAX_FILE_BYTES = 4 << 30
# A compressed tar may unpack to at most this many times its size, or to 1 GiB if that is more.
_MAX_EXPANSION = 200
_MIN_EXPANDED_BYTES = 1 << 30
# What one request may well fetch: neighbours of an archive that are read together, unpacked as well. More than a few
# dozen of them would save nothing, and be too much work in one place.
_RUN_BYTES, _RUN_MEMBERS = 8 << 20, 32
# The most that lies between the begin of a zip's member and its content: its header, its name and what else it says.
ZIP_HEADER_BYTES = 30 + 2 * 0xFFFF

ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, MemoryError,
)  # fmt: skip


def is_archive(path: str) -> bool:
    """Says by its name whether a file is an archive that can be listed."""
    return path.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES + COMPRESSED_TAR_SUFFIXES)


def is_compressed_tar(path: str) -> bool:
    """Says by its name whether a file is a tar that can only be read in order."""
    return path.lower().endswith(COMPRESSED_TAR_SUFFIXES)


def list_members(
    file: IO[bytes], path: str, key: str, spool: Callable[[], AbstractContextManager["Spool"]]
) -> Iterator[Source]:
    """Yields a source for each member; folders are no members, and what cannot be read yields a failed source.

    Args:
        file: the opened archive, seekable.
        path: its path, by whose end the kind is known.
        key: the archive's key.
        spool: opens the spool of a compressed tar.
    """
    if path.lower().endswith(ZIP_SUFFIXES):
        yield from _until_broken(_list_zip(file, path, key), path, key)
    elif is_compressed_tar(path):
        with spool() as opened:  # kept where the archive breaks: what came before can be read
            yield from _until_broken(_spool_tar(file, path, key, opened), path, key)
    else:
        yield from _until_broken(_list_tar(file, path, key), path, key)


def _until_broken(members: Iterator[Source], path: str, key: str) -> Iterator[Source]:
    try:
        yield from members
    except ARCHIVE_ERRORS as error:
        if is_of_the_output(error):
            raise
        broken = errors.ReadError(f"broken archive: {type(error).__name__}: {error}", "broken_archive")
        yield Source.failed(key, path, broken)


def _list_zip(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    names = _Names(key)
    with zipfile.ZipFile(file) as archive:
        places = _places(archive)
        for info in archive.infolist():
            if not info.is_dir():
                # zipfile cuts a name at its NUL; such a name is refused, not made good.
                name = info.orig_filename if "\0" in info.orig_filename else info.filename
                where = {"member": name, "version": f"crc32:{info.CRC:08x}", **places[info.header_offset]}
                yield _screened(names, path, name, info.file_size, **where)


def _places(archive: zipfile.ZipFile) -> dict[int, dict[str, Any]]:
    """Returns where the members of a zip lie, by offset: none reaches into the next one, as bombs have it."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in infos]
    places: dict[int, dict[str, Any]] = {}
    runs = _Runs()
    for info, start, following in zip(infos, starts, [*starts[1:], archive.start_dir], strict=True):
        extent = min(following - start, ZIP_HEADER_BYTES + info.compress_size)
        run = runs.next(start, max(extent, info.file_size))
        places.setdefault(start, {"offset": start, "extent": extent, "run": run})
    return places


class _Runs:
    """Divides the members of an archive, in the order in which they lie, into runs of neighbours."""

    def __init__(self) -> None:
        self._run = self._count = self._bytes = 0

    def next(self, offset: int, size: int) -> int:
        """Returns the run of the next member: where its first one begins."""
        self._count, self._bytes = self._count + 1, self._bytes + size
        if self._count == 1 or self._count > _RUN_MEMBERS or self._bytes > _RUN_BYTES:
            self._run, self._count, self._bytes = offset, 1, size
        return self._run


def is_of_the_output(error: BaseException) -> bool:
    """Says whether an error is of the disk on which members are laid: then the archive is not to blame."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _StrictTarInfo(tarfile.TarInfo):
    """A header for which a damaged or a missing one is an error: tarfile takes it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Any:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the mark that ends an archive
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}, expected a member or the end mark; truncated or damaged") from error


def _list_tar(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    names, runs = _Names(key), _Runs()
    with tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # or a tar of a million members is kept in memory
            if not info.isdir():
                run = runs.next(info.offset_data, info.size)
                where = {"offset": info.offset_data, "run": run, "version": f"mtime:{info.mtime}"}
                yield _screened(names, path, info.name, info.size, _is_plain(info), **where)


@dataclasses.dataclass(frozen=True)
class Spool:
    """A file under way that is to hold the members of one compressed tar, at most `limit` bytes.

    Attributes:
        path: of the file.
        file: the file.
        limit: bytes that the tar may unpack to.
        leaves_out: says by its key which member is not laid there; its source cannot be read.
    """

    path: str
    file: IO[bytes]
    limit: int
    leaves_out: Callable[[str], bool] = lambda key: False


_UNPACKERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open),
)  # fmt: skip


def _unpacked(file: IO[bytes]) -> Any:
    """Returns the unpacked stream, by content. tarfile's own would read one gzip member alone, and no checksum."""
    head = file.read(6)
    file.seek(0)
    return next((unpack(file) for magic, unpack in _UNPACKERS if head.startswith(magic)), file)


def _spool_tar(file: IO[bytes], path: str, key: str, spool: Spool) -> Iterator[Source]:
    names, runs, unpacked, written = _Names(key), _Runs(), 0, 0
    stream = _unpacked(file)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 18, tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            archive.members.clear()  # type: ignore[attr-defined]
            unpacked += max(info.size, 0)
            if unpacked > spool.limit:  # not even passed over: that would unpack it too
                bomb = errors.TooLarge(f"the archive unpacks to more than {spool.limit} bytes: a decompression bomb?")
                yield Source.failed(key, path, bomb)
                return
            if info.isdir():
                continue
            where = {"offset": written, "run": runs.next(written, info.size), "version": f"mtime:{info.mtime}"}
            source = _screened(names, spool.path, info.name, info.size, _is_plain(info), **where)
            source = dataclasses.replace(source, origin=path)
            if source.failure is None and not spool.leaves_out(source.key):
                content = archive.extractfile(info)
                assert content is not None  # a regular file has content
                shutil.copyfileobj(content, spool.file, 1 << 20)
                written += info.size
            yield source
    stream.read(1 << 20)  # up to the checksum at the end


def _screened(names: "_Names", path: str, name: str, size: int, plain: bool = True, **where: Any) -> Source:
    """Returns the source of a member, or the failed source if its name, kind or size will not do."""
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


def _is_plain(info: tarfile.TarInfo) -> bool:
    return info.isreg() and not info.issparse()


def spool_limit(archive_bytes: int) -> int:
    """Returns how many bytes a compressed tar of that size may unpack to."""
    return max(_MIN_EXPANDED_BYTES, _MAX_EXPANSION * archive_bytes)


def check_size(size: int) -> None:
    """Raises TooLarge for more than MAX_FILE_BYTES."""
    if size > MAX_FILE_BYTES:
        raise errors.TooLarge(f"the file is too large: {size} bytes, at most {MAX_FILE_BYTES} bytes")


class _Names:
    """Gives each member of an archive a key of its own, also where a name comes twice."""

    def __init__(self, key: str):
        self._key = key
        self._seen: dict[int, int] = {}  # digests, not the names: 50,000 of those are many bytes

    def next(self, name: str) -> tuple[str, bool]:
        """Returns the key of the next member of that name, and whether it is the first."""
        key = printable(f"{self._key}{keys.SEPARATOR}{name}")
        digest = keys.digest(key)
        count = self._seen[digest] = self._seen.get(digest, 0) + 1
        if count == 1:
            return key, True
        self._seen[keys.digest(f"{key}#{count}")] = 1  # or a member of that very name would get the same key
        return f"{key}#{count}", False
