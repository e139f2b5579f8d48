"""The validating reader of the manifest, used by colorize, status, verify and bag: the manifest is untrusted input.

A file, a line or a path that colorize does not write is a UsageError with one line: where, why, how to continue. It is
raised before anything else of the folder is opened. Rows that do not add up are reported by `audit`. Rows are streamed:
one at a time is in memory.
"""

import collections
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from photochrom import errors
from photochrom.storage import files, json_lines
from serving.manifest import digests, layout
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Begun, Note, Row, Run, Summary, note_from_json

UNDER_WAY = "a run is under way or did not finish (there is a .colorize or a manifest/pending)"
AGAIN = "run the same `photochrom colorize` command again: what is done is kept"
_MEND = (
    "restore this file from a copy, or delete it and run the same `photochrom colorize` command again: it does again "
    "what the file recorded"
)
_MAX_SUMMARY_BYTES = 1 << 20
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Account:
    """The records of an output folder about its runs.

    Attributes:
        summary: the totals of the last run that wrote all its rows.
        runs: number -> run, the first one first; empty without a runs.jsonl.
        is_open: whether a run is under way or did not finish.
    """

    summary: Summary
    runs: dict[int, Run]
    is_open: bool


def read(folder: str) -> Account:
    """Reads summary.json and runs.jsonl.

    Raises:
        UsageError: it is no output folder, no run has finished there, or one of these files is broken.
    """
    if not files.is_folder(folder):
        raise errors.UsageError(f"{folder} is no folder; expected the --output of a `photochrom colorize`")
    paths = OutputPaths(folder)
    is_open = any(map(files.is_folder, (paths.scratch, paths.pending)))
    if not files.exists(paths.at(layout.SUMMARY)):
        more = (
            f": {UNDER_WAY}, with {noted(folder)} rows noted; {AGAIN}"
            if is_open
            else ("; expected the --output of a `photochrom colorize`")
        )
        raise errors.UsageError(f"{folder} has no {layout.SUMMARY}: no run has finished there{more}")
    return Account(read_summary(folder), {run.run: run for run in read_runs(folder)}, is_open)


def check(folder: str) -> None:
    """Reads all records that earlier runs left, before a job relies on them; keeps none of the rows.

    Raises:
        UsageError: a file of the manifest or of the write-ahead log is broken.
    """
    if files.exists(OutputPaths(folder).at(layout.SUMMARY)):
        read_summary(folder)
    read_runs(folder)
    for name in OutputPaths(folder).row_files(layout.ALL):
        collections.deque(read_file(folder, name), maxlen=0)
    noted(folder)


def read_rows(folder: str) -> Iterator[tuple[str, Row]]:
    """Yields (file of the manifest, row) of all listed inputs, file by file.

    Raises:
        UsageError: a file or a row is broken.
    """
    yield from _read_files(folder, layout.ITEMS)


def read_gone(folder: str) -> Iterator[tuple[str, Row]]:
    """Yields, as `read_rows` does, the rows of delisted inputs whose copies are kept."""
    yield from _read_files(folder, layout.GONE)


def read_file(folder: str, name: str) -> Iterator[Row]:
    """Yields the rows of one file of the manifest."""
    yield from _read_lines(folder, layout.row_file(name), Row.from_json)


def read_notes(folder: str, name: str) -> Iterator[Note]:
    """Yields the notes of one file of the write-ahead log."""
    yield from _read_lines(folder, layout.note_file(name), note_from_json)


def note_files(folder: str) -> Iterator[str]:
    """Yields the names of the files of the write-ahead log."""
    pending = OutputPaths(folder).pending
    return (info.path.removeprefix(f"{pending}/") for info in files.list_folder(pending))


def noted(folder: str) -> int:
    """Returns how many rows the unfinished runs have noted, which the next run keeps."""
    notes = (note for name in note_files(folder) for note in read_notes(folder, name))
    return sum(not isinstance(note, Begun) for note in notes)


def read_runs(folder: str) -> list[Run]:
    """Returns the finished runs, the first one first; empty without a runs.jsonl.

    Raises:
        UsageError: the file is broken.
    """
    runs: list[Run] = []
    if files.exists(OutputPaths(folder).at(layout.RUNS)):
        for run in _read_lines(folder, layout.RUNS, Run.from_json):
            if run.run != len(runs) + 1:
                raise _broken(
                    folder, layout.RUNS, len(runs) + 1, f"has run {run.run} where {len(runs) + 1} was expected"
                )
            runs.append(run)
    return runs


def read_summary(folder: str) -> Summary:
    """Returns the totals of the last run.

    Raises:
        UsageError: the file is broken.
    """
    try:
        with files.open_read(_path(folder, layout.SUMMARY)) as file:
            data = file.read(_MAX_SUMMARY_BYTES + 1)
        if len(data) > _MAX_SUMMARY_BYTES:
            raise ValueError(f"is larger than {_MAX_SUMMARY_BYTES} bytes")
        return Summary.from_json(json.loads(data))
    except errors.UsageError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(folder, layout.SUMMARY, 1, error) from error


def _read_files(folder: str, kind: re.Pattern[str]) -> Iterator[tuple[str, Row]]:
    for name in OutputPaths(folder).row_files(kind):
        for row in read_file(folder, name):
            yield name, row


def _read_lines(folder: str, name: str, parse: Callable[[Any], _T]) -> Iterator[_T]:
    values, number = _values(folder, name), 0
    while True:
        number += 1
        try:
            yield parse(next(values))
        except StopIteration:
            return
        except errors.UsageError:  # of a bucket
            raise
        except (OSError, ValueError) as error:
            raise _broken(folder, name, number, error) from error


def _values(folder: str, name: str) -> Iterator[Any]:
    yield from json_lines.read(_path(folder, name))


def _path(folder: str, name: str) -> str:
    problem = digests.problem_of_file(folder, name)
    if problem:
        raise ValueError(problem)
    return files.join(folder, name)


def _broken(folder: str, name: str, line: int, problem: Any) -> errors.UsageError:
    return errors.UsageError(f"{folder}/{name}, line {line} is broken: {str(problem)[:500]}; {_MEND}")
