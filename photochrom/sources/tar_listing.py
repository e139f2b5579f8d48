"""Lists the members of a tar by its headers; a compressed one is unpacked into a spool file at the same time."""

import bz2
import dataclasses
import gzip
import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from photochrom import errors
from photochrom.sources.member_checks import Names, Runs, screened
from photochrom.sources.source import Source

# A compressed tar may unpack to at most this many times its size, or to 1 GiB if that is more.
_MAX_EXPANSION = 200
_MIN_EXPANDED_BYTES = 1 << 30


class _StrictTarInfo(tarfile.TarInfo):
    """A header of which damage or absence is an error: tarfile takes both for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Any:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the mark that ends an archive
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}, expected a member or the end mark; truncated or damaged") from error


def list_tar(file: IO[bytes], path: str, key: str) -> Iterator[Source]:
    """Yields a source for each member of a plain tar.

    Raises:
        Exception: one of ARCHIVE_ERRORS; the archive is broken.
    """
    names, runs = Names(key), Runs()
    with tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # or a tar of a million members is kept in memory
            if not info.isdir():
                run = runs.next(info.offset_data, info.size)
                where = {"offset": info.offset_data, "run": run, "version": f"mtime:{info.mtime}"}
                yield screened(names, path, info.name, info.size, _is_plain(info), **where)


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


_UNPACKERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open),
)  # fmt: skip


def _unpacked(file: IO[bytes]) -> Any:
    """Returns the unpacked stream, by content; tarfile's own reads the first gzip member alone, without checksum."""
    head = file.read(6)
    file.seek(0)
    return next((unpack(file) for magic, unpack in _UNPACKERS if head.startswith(magic)), file)


def spool_tar(file: IO[bytes], path: str, key: str, spool: Spool) -> Iterator[Source]:
    """Yields a source for each member of a compressed tar, once its content is in the spool.

    Raises:
        Exception: one of ARCHIVE_ERRORS; the archive is broken.
    """
    names, runs, unpacked, written = Names(key), Runs(), 0, 0
    stream = _unpacked(file)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 18, tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            archive.members.clear()  # type: ignore[attr-defined]
            unpacked += max(info.size, 0)
            if unpacked > spool.limit:  # not even skipped: that would unpack it too
                bomb = errors.TooLarge(f"the archive unpacks to more than {spool.limit} bytes: a decompression bomb?")
                yield Source.failed(key, path, bomb)
                return
            if info.isdir():
                continue
            where = {"offset": written, "run": runs.next(written, info.size), "version": f"mtime:{info.mtime}"}
            source = screened(names, spool.path, info.name, info.size, _is_plain(info), **where)
            source = dataclasses.replace(source, origin=path)
            if source.failure is None and not spool.leaves_out(source.key):
                content = archive.extractfile(info)
                assert content is not None  # a regular file has content
                shutil.copyfileobj(content, spool.file, 1 << 20)
                written += info.size
            yield source
    stream.read(1 << 20)  # up to the checksum at the end


def _is_plain(info: tarfile.TarInfo) -> bool:
    return info.isreg() and not info.issparse()


def spool_limit(archive_bytes: int) -> int:
    """Returns how many bytes a compressed tar of that size may unpack to."""
    return max(_MIN_EXPANDED_BYTES, _MAX_EXPANSION * archive_bytes)
