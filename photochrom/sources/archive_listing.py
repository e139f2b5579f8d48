"""Lists the members of archives as sources, without unpacking them; archives are untrusted input.

A source is a few hundred bytes: shuffles carry it instead of the image. Members of a zip and of a plain tar are read in
place, by member_reader.py. A compressed tar can only be read in order: it is read once, and its members are written to
a plain spool file, in which they are found by offset.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO

from photochrom import errors
from photochrom.sources import foreign, tar_listing, unpacking, zip_listing
from photochrom.sources.read_errors import explained
from photochrom.sources.source import Source

_ZIP_SUFFIX = ".zip"
_SUFFIXES = (_ZIP_SUFFIX, ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
_EMPTY_ZIP = b"PK\5\6"


def is_archive(path: str) -> bool:
    """Whether a file, by its name, is an archive that can be listed."""
    return path.lower().endswith(_SUFFIXES)


def list_members(
    file: IO[bytes], path: str, key: str, spool: Callable[[], AbstractContextManager[tar_listing.Spool]]
) -> Iterator[Source]:
    """Yields a source for each member; folders are none, and an unreadable member is a failed source.

    Args:
        file: the opened archive, seekable. Its content is its kind, its name only where the content shows none.
        path: its path.
        key: the archive's key.
        spool: opens the spool of a compressed tar.
    """
    start = file.read(foreign.SIGNATURE_BYTES)
    file.seek(0)
    decompressor = unpacking.decompressor_of(start)
    if decompressor:
        with spool() as opened:  # kept where the archive breaks: earlier members can be read
            yield from _until_broken(tar_listing.spool_tar(file, decompressor, path, key, opened), path, key)
        return
    kind = foreign.archive_kind(start)
    if kind == "zip" or start.startswith(_EMPTY_ZIP) or (not kind and path.lower().endswith(_ZIP_SUFFIX)):
        yield from _until_broken(zip_listing.list_zip(file, path, key), path, key)
    elif kind in ("", "tar"):
        yield from _until_broken(tar_listing.list_tar(file, path, key), path, key)
    else:
        yield Source.failed(key, path, foreign.misnamed(kind))


def _until_broken(members: Iterator[Source], path: str, key: str) -> Iterator[Source]:
    try:
        yield from members
    except errors.DataError as error:
        yield Source.failed(key, path, error)
    except OSError as error:
        if is_of_the_output(error):
            raise
        yield Source.failed(key, path, explained(error))


def is_of_the_output(error: BaseException) -> bool:
    """Whether an error is of the disk with the spool file, so that the archive is not to blame."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
