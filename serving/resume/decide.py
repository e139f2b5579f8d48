"""What earlier runs left of one input, and whether it need be done again.

A row is current if it is of the same scan, model and settings and its files are there. The scan is the same if the
listing says so (a bucket's generation, a zip's CRC-32, else size and time of modification), or, where it cannot, if its
bytes are.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterable

from photochrom.sources.source import Source
from photochrom.storage import json_lines
from serving.manifest import fixity, manifest
from serving.manifest.manifest import Row

_MODIFIED = re.compile(r"mtime:(\d+)")
# A file that changes twice within the tick of its file system's clock looks the same after both; FAT's is 2 s.
_SETTLED_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What earlier runs left of one input.

    Attributes:
        finished: its rows in the manifest; more than one only where a run was killed while it wrote the manifest.
        pending: its rows and notes of runs that did not finish.
        missing: files that these name and that are not there.
    """

    finished: tuple[Row, ...] = ()
    pending: tuple[Row, ...] = ()
    missing: frozenset[str] = frozenset()

    @classmethod
    def of(cls, finished: Iterable[Row], pending: Iterable[Row], missing: Iterable[str]) -> "Earlier":
        """Puts together what a join gives, in an order of its own."""
        notes = sorted(pending, key=lambda row: json_lines.encode([row]))
        return cls(tuple(sorted(finished, key=lambda row: row.get("run", 0))), tuple(notes), frozenset(missing))

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, those of the manifest first."""
        return (*self.finished, *(note for note in self.pending if note["status"] != manifest.BEGUN))

    def paths(self) -> set[str]:
        """Returns all files below the output folder that earlier runs may have left."""
        return {path for row in self.rows for path in (*manifest.paths_of(row), *row.get(manifest.OBSOLETE, ()))}

    def current(self, output: str, retry: str, is_same: Callable[[Row], bool]) -> Row | None:
        """Returns a row that need not be made again, with what is obsolete beside it, or None.

        Args:
            output: the output folder.
            retry: `failed`, `all` or `none`: which rows are made again nevertheless. What a run that did not finish
                has done again itself counts as done.
            is_same: says whether a row is of the same scan, model and settings.
        """
        for row in self.rows:
            again = row["status"] == manifest.FAILED if retry == "failed" else retry == "all" and row in self.finished
            if not again and is_same(row) and self._is_there(output, row):
                return manifest.with_obsolete(row, self.paths())
        return None

    def kept(self) -> Row | None:
        """Returns a row that names a copy which is there; for an input that is no longer listed."""
        return next((row for row in self.rows if row["output"] and row["output"] not in self.missing), None)

    def _is_there(self, output: str, row: Row) -> bool:
        named = manifest.files_of(row)
        if self.missing.intersection(path for path, _ in named):
            return False
        is_contested = any(_made(note) != _made(row) for note in self.pending)
        return not is_contested or all(fixity.is_whole(output, *one) for one in named)


def _made(row: Row) -> tuple[str, ...]:
    """Returns what decides the bytes of a copy."""
    return tuple(row.get(name, "") for name in (*manifest.MADE_WITH, "date"))


def settled(source: Source) -> Source:
    """Returns a source whose `version` can be trusted later: none if the file was modified only just now."""
    modified = _MODIFIED.match(source.version)
    if modified and time.time() - int(modified[1]) / 1e9 < _SETTLED_SECONDS:
        return dataclasses.replace(source, version="")
    return source


def with_listing(row: Row, source: Source) -> Row:
    """Returns an earlier row with what the listing says now, where a file was touched and its content is the same."""
    known = {"source_version": source.version, "source_bytes": max(source.size, 0), "pages": source.page_count}
    return row if known.items() <= row.items() else {**row, **known}
