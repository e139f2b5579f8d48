"""The resume decision for one input, as pure functions: keep the row of an earlier run, or make the copy again.

A row is current if it has the same scan, model and settings and its files exist. The scan is the same if the listing
shows so (a bucket's generation, a zip's CRC-32, else size and time of modification), or, where the listing cannot, if
its bytes are the same.
"""

import dataclasses
import enum
import re
import time
from collections.abc import Callable, Iterable

from photochrom.sources.source import Source
from photochrom.storage import json_lines
from serving.manifest.rows import FAILED, REJECTED, MadeWith, Note, Outcome, Row

_MODIFIED = re.compile(r"mtime:(\d+)")
# A file that changes twice within the tick of its file system's clock looks the same after both; FAT's is 2 s.
_SETTLED_SECONDS = 2.0


class Fate(enum.Enum):
    """The decision for one input."""

    KEEP = "its row stands"
    MAKE = "it is read, and made again unless its content is unchanged"
    DELIST = "it is no longer listed; its row moves to the delisted ones, its copy stays"
    FORGET = "it is no longer listed and has no copy; its row goes"
    EXCLUDE = "it is on the exclusion list; all its files go"


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The results of earlier runs for one input.

    Attributes:
        finished: its rows in the manifest; more than one only where a run was killed while it wrote the manifest.
        pending: its notes in the write-ahead log, by runs that did not finish.
        missing: files that these name and that do not exist.
    """

    finished: tuple[Row, ...] = ()
    pending: tuple[Note, ...] = ()
    missing: frozenset[str] = frozenset()

    @classmethod
    def of(cls, finished: Iterable[Row], pending: Iterable[Note], missing: Iterable[str]) -> "Earlier":
        """Combines the rows and notes of an input, in a stable order, with its share of some missing files."""
        notes = sorted(pending, key=lambda note: json_lines.encode([note.to_json()]))
        found = cls(tuple(sorted(finished, key=lambda row: row.run)), tuple(notes))
        return dataclasses.replace(found, missing=frozenset(found.paths().intersection(missing)))

    @property
    def noted(self) -> tuple[Outcome, ...]:
        """The rows in the write-ahead log."""
        return tuple(note for note in self.pending if isinstance(note, Outcome))

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, those of the manifest first."""
        return (*self.finished, *(note.row for note in self.noted))

    def paths(self) -> set[str]:
        """Returns all files below the output folder that earlier runs may have left."""
        obsolete = (path for note in self.noted for path in note.obsolete)
        return {*(path for row in self.rows for path in row.paths), *obsolete}


@dataclasses.dataclass(frozen=True)
class Decision:
    """The decision about one input.

    Attributes:
        fate: the decision.
        kept: the row that stands; None if there is none.
    """

    fate: Fate
    kept: Outcome | None = None


def decide(
    earlier: Earlier,
    is_same: Callable[[Row], bool],
    retry: str,
    is_whole: Callable[[str, str], bool],
    *,
    is_listed: bool = True,
    is_excluded: bool = False,
) -> Decision:
    """Decides on one input.

    Args:
        earlier: the results of earlier runs.
        is_same: whether a row has the same scan, model and settings.
        retry: `failed`, `rejected`, `all` or `none`: which rows are made again nevertheless. The rows that an
            unfinished run has made again count as done.
        is_whole: whether a file below the output folder has a digest; reads the file.
        is_listed: whether the input is listed.
        is_excluded: whether it is on the exclusion list.
    """
    if is_excluded:
        return Decision(Fate.EXCLUDE)
    if not is_listed:
        row = next((row for row in earlier.rows if row.output and row.output not in earlier.missing), None)
        return Decision(Fate.DELIST, Outcome(row)) if row else Decision(Fate.FORGET)
    for row in _candidates(earlier, retry):
        if is_same(row) and _has_its_files(earlier, row, is_whole):
            return Decision(Fate.KEEP, Outcome.of(row, earlier.paths()))
    return Decision(Fate.MAKE)


def _candidates(earlier: Earlier, retry: str) -> tuple[Row, ...]:
    """Returns the rows that `retry` does not ask to make again."""
    rows = tuple(note.row for note in earlier.noted) if retry == "all" else earlier.rows
    is_retried = {"failed": lambda row: row.status == FAILED, "rejected": lambda row: row.decision == REJECTED}
    return tuple(row for row in rows if not is_retried.get(retry, lambda _: False)(row))


def is_current(row: Row, made_with: MadeWith, retry: str) -> bool:
    """Whether a row is of that scan, and of that model and those settings too, unless a decision makes it stand.

    With `rejected` all rows but those stand: their copies alone are made with other settings.
    """
    stands = bool(row.decision) or retry == "rejected"
    return row.source_sha256 == made_with.source_sha256 if stands else row.made_with == made_with


def _has_its_files(earlier: Earlier, row: Row, is_whole: Callable[[str, str], bool]) -> bool:
    """Whether the files of a row exist; where an unfinished run may have overwritten them, they are read as well."""
    if earlier.missing.intersection(row.paths):
        return False
    made = row.made_with, row.date
    is_contested = any(_made(note) != made for note in earlier.pending)
    return not is_contested or all(is_whole(*one) for one in row.files)


def _made(note: Note) -> tuple[tuple[str, ...], str]:
    """Returns the digests and the date that decide the bytes of the copy that a note is about."""
    made = note.row if isinstance(note, Outcome) else note
    return made.made_with, made.date


def settled(source: Source) -> Source:
    """Returns a source whose `version` can be relied on later: no version if the file was modified only just now."""
    modified = _MODIFIED.match(source.version)
    if modified and time.time() - int(modified[1]) / 1e9 < _SETTLED_SECONDS:
        return dataclasses.replace(source, version="")
    return source


def is_listed_same(row: Row, source: Source) -> bool:
    """Whether the listing shows that a scan is the one of a row."""
    is_known = bool(source.version) and source.failure is None
    return is_known and (row.source_version, row.source_bytes) == (source.version, source.size)


def with_listing(row: Row, source: Source) -> Row:
    """Returns an earlier row with the listing's current values, for a file that was touched and not changed."""
    return dataclasses.replace(
        row, source_version=source.version, source_bytes=max(source.size, 0), pages=source.page_count
    )
