"""Lists and reads the members of zip and tar archives, in place, as they are: hostile until proven otherwise.

A listing is of `Source`s, a few hundred bytes each: what a shuffle carries instead of images. Members of a zip
and of a plain tar are read where they lie. A compressed tar can only be read in order: it is read once, and its
members are laid into a plain spool file, in which they are found by offset.
"""

import bz2
import dataclasses
import errno
import functools
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

from photochrom import errors, keys

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# No scan has more bytes than this; a member that claims more is a bomb or a film.
MAX_FILE_BYTES = 4 << 30
# A compressed tar may unpack to at most this many times its size, or to 1 GiB if that is more.
_MAX_EXPANSION = 200
_MIN_EXPANDED_BYTES = 1 << 30

_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, MemoryError,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, order=True)
class Source:
    """Where one input lies.

    Attributes:
        key: its stable name.
        path: the file that holds it.
        member: its name in a zip; "" for a loose file and for a member found by offset.
        offset: where it begins in `path`, bytes; -1 for a loose file and for a member of a zip.
        size: bytes, -1 if not known before it is read.
        page: which page of it, counted from 0.
        page_count: how many pages are inputs of their own; 1 where none but the first counts.
        version: what changes when the content does, as the listing knows it: CRC-32, modification time, generation.
        failure: set where the listing already knows that it cannot be read.
        origin: the file that holds it for people, where `path` is one that the job has unpacked; else "".
    """

    key: str
    path: str
    member: str = ""
    offset: int = -1
    size: int = -1
    version: str = ""
    page: int = 0
    page_count: int = 1
    failure: errors.Failure | None = dataclasses.field(default=None, compare=False)
    origin: str = dataclasses.field(default="", compare=False)

    @classmethod
    def failed(cls, key: str, path: str, error: errors.DataError) -> "Source":
        """Returns the source that stands for an input of which the listing already knows that it cannot be read."""
        return cls(key, path, failure=errors.Failure(key, "list", error.reason, str(error)))


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
    except _ARCHIVE_ERRORS as error:
        if is_of_the_output(error):
            raise
        broken = errors.ReadError(f"broken archive: {type(error).__name__}: {error}", "broken_archive")
        yield Source.failed(key, path, broken)


def _list_zip(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    names = _Names(key)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                # zipfile cuts a name at its NUL; such a name is refused, not made good.
                name = info.orig_filename if "\0" in info.orig_filename else info.filename
                where: dict[str, Any] = {"member": name, "version": f"crc32:{info.CRC:08x}"}
                yield _screened(names, path, name, info.file_size, **where)


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
    names = _Names(key)
    with tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # or a tar of a million members is kept in memory
            if not info.isdir():
                where = {"offset": info.offset_data, "version": f"mtime:{info.mtime}"}
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
    names, unpacked, written = _Names(key), 0, 0
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
            where = {"offset": written, "version": f"mtime:{info.mtime}"}
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
        keys.check_name(name)
        _check_size(size)
        if size < 0:
            raise errors.ReadError(f"{name!r} claims a size of {size} bytes", "broken_archive")
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


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise errors.TooLarge(f"the file is too large: {size} bytes, at most {MAX_FILE_BYTES} bytes")


class _Names:
    """Gives each member of an archive a key of its own, also where a name comes twice."""

    def __init__(self, key: str):
        self._key = key
        self._seen: dict[int, int] = {}  # digests, not the names: 50,000 of those are many bytes

    def next(self, name: str) -> tuple[str, bool]:
        """Returns the key of the next member of that name, and whether it is the first."""
        key = keys.printable(f"{self._key}{keys.SEPARATOR}{name}")
        digest = keys.digest(key)
        count = self._seen[digest] = self._seen.get(digest, 0) + 1
        if count == 1:
            return key, True
        self._seen[keys.digest(f"{key}#{count}")] = 1  # or a member of that very name would get the same key
        return f"{key}#{count}", False


class Reader:
    """Reads sources, keeping the archives that it read last open.

    Not for several threads at once: an opened archive has one position.
    """

    def __init__(self, open_file: Callable[[str], IO[bytes]], max_open: int = 8):
        self._open_zip = functools.lru_cache(max_open)(lambda path: _open_zip(open_file(path)))
        self._open_plain = functools.lru_cache(max_open)(open_file)
        self._open_file = open_file

    def read(self, source: Source) -> bytes:
        """Returns the bytes of a source.

        Raises:
            ReadError: it cannot be read, or is shorter than listed.
            TooLarge: more than MAX_FILE_BYTES.
        """
        data = self.read_start(source, MAX_FILE_BYTES + 1)
        _check_size(len(data))
        if source.size >= 0 and len(data) != source.size and source.version:
            raise errors.ReadError(
                f"cannot be read: {len(data)} bytes of {source.size}; truncated or changed while reading"
            )
        return data

    def read_start(self, source: Source, count: int) -> bytes:
        """Returns the first bytes of a source, fewer than `count` if it has no more.

        Raises:
            ReadError: it cannot be read.
            TooLarge: it has more than MAX_FILE_BYTES, and `count` would have them all.
        """
        try:
            return self._read(source, count)
        except _ARCHIVE_ERRORS as error:
            missing = isinstance(error, FileNotFoundError)
            raise errors.ReadError(
                f"cannot be read: {type(error).__name__}: {error}", "not_found" if missing else "unreadable"
            ) from error

    def _read(self, source: Source, count: int) -> bytes:
        if source.member:
            with self._open_zip(source.path).open(source.member) as member:
                return member.read(count)
        if source.offset >= 0:
            file = self._open_plain(source.path)
            file.seek(source.offset)
            return file.read(min(count, source.size))
        with self._open_file(source.path) as file:
            # read(n) sets n bytes aside first: the size has to be known before.
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if count > MAX_FILE_BYTES:
                _check_size(size)
            return file.read(count) if count < size else file.read()


def only_one(sources: Iterable[Source]) -> Source:
    """Returns the source that several inputs list under one key; as one that failed if it lies at several places."""
    first, *others = sorted(sources)
    places = {(one.path, one.member, one.offset, one.page) for one in (first, *others)}
    if len(places) == 1:
        return first
    named = ", ".join(keys.printable(path) for path in sorted({path for path, *_ in places})[:3])
    message = f"{len(places)} inputs have this key, in {named}; give the folder that holds them all as --input"
    return Source.failed(first.key, first.path, errors.DataError(message, "duplicate_key", "list"))


def _open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(file)
    for info in reversed(archive.infolist()):  # of members of one name the first counts, as in the listing
        archive.NameToInfo[info.filename] = info
    return archive
