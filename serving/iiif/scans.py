"""Finds the scans of rows: their places follow from the manifest, so that no --input is needed."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from photochrom import errors
from photochrom.sources import inputs, keys
from photochrom.sources.source import Source
from photochrom.storage import files
from photochrom.storage.names import printable, unescaped
from serving.manifest.rows import Row

# Rows of one archive that are looked up together: it is listed once for each so many.
_ROWS_AT_ONCE = 50_000


def place(row: Row) -> tuple[str, str]:
    """Returns the path and the key of the loose file or the archive that holds the scan of a row."""
    return row.source, keys.split_member(_of_file(row))[0]


def page(row: Row) -> int:
    """Returns the page of its file that a row is about, counted from 0."""
    digits = row.key.rpartition("=")[2]
    return int(digits) - 1 if row.pages > 1 and digits.isdecimal() and 0 < int(digits) <= row.pages else 0


def locate(element: tuple[tuple[str, str], Iterable[Row]], spool_folder: str) -> Iterator[tuple[Row, Source]]:
    """Yields rows with the sources of their scans; a failed source where there is none. A Beam step.

    Args:
        element: what `place` returns, and the rows of that place.
        spool_folder: for the unpacked members of compressed tars.
    """
    (path, archive), rows = element
    waiting = iter(rows)
    while some := list(itertools.islice(waiting, _ROWS_AT_ONCE)):
        try:
            found = {source.key: source for source in inputs.expand(_listed(path, archive, some), spool_folder)}
        except ValueError as error:  # rows are untrusted: a NUL in a path, an unknown scheme
            found = {archive: _failed(archive, path, f"cannot be read: {printable(str(error))[:200]}")}
        missing = found.get(archive) or _failed(archive, path, "the archive holds no such member")
        for row in some:
            yield row, dataclasses.replace(found.get(_of_file(row), missing), page=page(row))


def _of_file(row: Row) -> str:
    return keys.of_file(row.key) if row.pages > 1 else row.key


def _listed(path: str, archive: str, rows: list[Row]) -> inputs.Listed:
    members = {keys.split_member(_of_file(row))[1] for row in rows}
    real = path if files.exists(path) else unescaped(path)
    return inputs.Listed(Source(archive, real), tuple(sorted(map(unescaped, members - {""}))))


def _failed(key: str, path: str, text: str) -> Source:
    return Source.failed(key, path, errors.ReadError(text, "not_found", "list"))
