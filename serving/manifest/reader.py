"""Reads the manifest of an output folder back, as one may that others could have edited: for bag, status and verify.

What is no manifest of `photochrom colorize` is a UsageError: one line, before anything else of the folder is opened.
What is one, but does not add up, is told by `Audit`.
"""

import dataclasses
import datetime
import json
import os
import posixpath
import re
from collections.abc import Iterator

from photochrom import errors
from photochrom.sources import inputs
from photochrom.storage import files, json_lines
from photochrom.storage.names import printable
from serving import config
from serving.manifest import manifest
from serving.manifest.manifest import Row

UNDER_WAY = "a run is under way or did not come to its end (there is a .colorize or a manifest/pending)"
AGAIN = "run the same `photochrom colorize` command again: what is done is kept"
# Fields of a row that are text.
_TEXTS = (
    "key", "status", "reason", "stage", "message", "output", "output_sha256", "source_sha256", "model_digest",
    "settings_digest", "format",
)  # fmt: skip
_RUN_TEXTS = ("version", "model_name", "model_digest", "settings_digest")
_TOTALS = ("listed", manifest.DONE, manifest.SKIPPED, manifest.FAILED)
_CODE = re.compile(r"[a-z0-9_]{0,40}")
_HEX = re.compile("[0-9a-f]{64}")
_LISTING = re.compile(
    rf"manifest/({manifest.ALL.pattern}|pending/[0-9a-f]{{32}}\.jsonl|"
    r"summary\.json|runs\.jsonl|canary\.png)"
)
_MAX_SUMMARY_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Account:
    """What the runs of an output folder say of themselves.

    Attributes:
        summary: the totals of the last run that wrote its rows to the end.
        runs: number -> row of runs.jsonl, the first run first; none where nobody wrote them down.
        is_open: whether a run is under way or did not come to its end.
    """

    summary: Row
    runs: dict[int, Row]
    is_open: bool


def read(folder: str) -> Account:
    """Reads summary.json and runs.jsonl.

    Raises:
        UsageError: it is no output folder, no run has finished there, or these files are none that colorize writes.
    """
    if not files.is_folder(folder):
        raise errors.UsageError(f"{folder} is no folder; expected the --output of a `photochrom colorize`")
    is_open = any(files.is_folder(path) for path in (files.join(folder, config.SCRATCH), manifest.pending(folder)))
    if not files.exists(files.join(manifest.folder(folder), "summary.json")):
        more = f": {UNDER_WAY}, with {noted(folder)} rows noted" if is_open else ""
        raise errors.UsageError(f"{folder} has no manifest/summary.json: no run has finished there{more}; {AGAIN}")
    try:
        summary = _read_summary(folder)
        runs = _read_runs(folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.UsageError(
            f"{folder}/manifest is broken: {type(error).__name__}: {str(error)[:200]}; {AGAIN}"
        ) from error
    return Account(summary, runs, is_open)


def read_rows(folder: str) -> Iterator[tuple[str, Row]]:
    """Yields (file of the manifest, row) of all rows, file by file, each checked by itself.

    Raises:
        UsageError: a file or a row is none that colorize writes.
    """
    yield from _read_rows(folder, manifest.ITEMS)


def noted(folder: str) -> int:
    """Returns how many rows the runs that did not finish have noted, for the next one to keep."""
    notes = (json_lines.read(info.path) for info in files.list_folder(manifest.pending(folder)))
    return sum(note.get("status") != manifest.BEGUN for rows in notes for note in rows)


def read_gone(folder: str) -> Iterator[tuple[str, Row]]:
    """Yields, as `read_rows` does, the rows of inputs that are no longer listed and whose copies are kept."""
    yield from _read_rows(folder, manifest.GONE)


def _read_rows(folder: str, kind: re.Pattern[str]) -> Iterator[tuple[str, Row]]:
    for name in manifest.row_files(folder, kind):
        count = 0
        try:
            for row in json_lines.read(_listing_path(folder, f"manifest/{name}")):
                count += 1
                if not _is_whole(row):
                    raise errors.UsageError(
                        f"{folder}/manifest/{name} is broken: line {count} ({str(row)[:100]}) is no row of photochrom "
                        f"colorize; {AGAIN}"
                    )
                yield name, row
        except (OSError, ValueError) as error:
            if isinstance(error, errors.UsageError):
                raise
            raise errors.UsageError(
                f"{folder}/manifest/{name} is broken after row {count}: {str(error)[:200]}; {AGAIN}"
            ) from error


def problem_of_name(key: str, name: str, sha256: str) -> str:
    """Returns why a row's path and digest are none that colorize writes, or ""."""
    strays = posixpath.normpath(name) != name or not name.startswith("images/") or printable(name) != name
    return (
        f"expected a path below images/, in the row of {printable(key)}" if strays
        else "its row has no SHA-256" if not _HEX.fullmatch(sha256)
        else ""
    )  # fmt: skip


def problem_of_file(folder: str, name: str) -> str:
    """Returns why a file below a local folder is not to be opened, or ""; in a bucket opening it will say so."""
    path = files.join(folder, name)
    return (
        "" if not files.is_local(folder)
        else "leads out of the folder by a link; it was not read" if not inputs.inside(path, folder)
        else "is missing" if not os.path.lexists(path)
        else "" if os.path.isfile(path)
        else "is no regular file"
    )  # fmt: skip


def is_listing(name: str) -> bool:
    """Says whether a path below the output folder is a file of its manifest."""
    return bool(_LISTING.fullmatch(name))


def _listing_path(folder: str, name: str) -> str:
    problem = problem_of_file(folder, name)
    if problem:
        raise ValueError(f"{name} {problem}")
    return files.join(folder, name)


def _read_summary(folder: str) -> Row:
    with files.open_read(_listing_path(folder, "manifest/summary.json")) as file:
        data = file.read(_MAX_SUMMARY_BYTES + 1)
    if len(data) > _MAX_SUMMARY_BYTES:
        raise ValueError(f"summary.json is larger than {_MAX_SUMMARY_BYTES} bytes")
    summary = json.loads(data)
    counts = [*(summary[name] for name in _TOTALS), *summary["reasons"].values()]
    if not all(type(count) is int for count in counts):
        raise TypeError("summary.json has totals that are no numbers")
    return summary


def _read_runs(folder: str) -> dict[int, Row]:
    name = "manifest/runs.jsonl"
    if not files.exists(files.join(folder, name)):
        return {}
    runs: dict[int, Row] = {}
    for run in json_lines.read(_listing_path(folder, name)):
        if run["run"] != len(runs) + 1:
            raise ValueError(f"runs.jsonl has run {str(run['run'])[:20]} where {len(runs) + 1} was expected")
        if not all(isinstance(run[text], str) for text in _RUN_TEXTS):
            raise TypeError(f"run {len(runs) + 1} of runs.jsonl has no {', '.join(_RUN_TEXTS)} that are text")
        if not all(type(run[count]) is int for count in _TOTALS):
            raise TypeError(f"run {len(runs) + 1} of runs.jsonl has totals that are no numbers")
        seconds(run)
        runs[run["run"]] = run
    return runs


def seconds(run: Row) -> int:
    """Returns how long a run of runs.jsonl took, in whole seconds as its two times are.

    Raises:
        ValueError, TypeError: they are none.
    """
    started, finished = (datetime.datetime.strptime(run[name], manifest.TIME) for name in ("started", "finished"))
    return int((finished - started).total_seconds())


def _is_whole(row: Row) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in _TEXTS)
        and row["status"] in (manifest.DONE, manifest.SKIPPED, manifest.FAILED)
        and bool(_CODE.fullmatch(row["reason"]))
        and isinstance(row.get("kind", ""), str)
        and bool(_CODE.fullmatch(row.get("kind", "")))
        and type(row.get("run", 0)) is int
        and isinstance(row.get("notes"), list)
        and isinstance(row.get("sidecars", {}), dict)
        and all(isinstance(text, str) for item in row.get("sidecars", {}).items() for text in item)
        and isinstance(row.get("confidence"), int | float)
    )
