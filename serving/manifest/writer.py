"""The writer of the manifest: for each input exactly one row, `done`, `skipped` or `failed`, with a reason.

Rows are written once all of them exist, in files of a few thousand, and checked by key against the listing: a run that
does not add up fails. A row names the first run that left it unchanged, so that a run which changes nothing leaves the
bytes of the rows unchanged.
"""

import collections
import dataclasses
import datetime
import json
import math
from collections.abc import Iterable
from typing import Any

from photochrom import __version__, errors
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.storage import files, json_lines
from serving.manifest import layout, reader
from serving.manifest.changes import Before, Changes
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Row, Run, Summary, timestamp

_ROWS_PER_FILE = 2_500


@dataclasses.dataclass(frozen=True)
class Shard:
    """Totals of one file of rows, and of the delisted rows beside it.

    Attributes:
        files: names of the files that were written.
        listed, gone: rows of listed and of delisted inputs.
        reasons: `status:reason` -> rows.
        changes: since the run before.
    """

    files: tuple[str, ...]
    listed: int
    gone: int
    reasons: dict[str, int]
    changes: Changes = dataclasses.field(default_factory=Changes)


def shard_of(key: str, total: int) -> tuple[int, int]:
    """Returns (index, count) of the file that has the row of a key, among `total` rows."""
    count = max(1, math.ceil(total / _ROWS_PER_FILE))
    return keys.digest(key) % count, count


def write_shard(
    element: tuple[tuple[int, int], dict[str, Iterable[Any]]], output: str, run: int, _: Any = None
) -> Shard:
    """Checks that each listed key has one row, writes the rows in order of keys, and returns their totals.

    A Beam step: `run` is the number of this run; the last argument is a side input to wait for.

    Raises:
        PhotochromError: keys without a row, with several, or rows without a key.
    """
    (index, count), groups = element
    listed, rows, gone = sorted(set(groups["listed"])), _sorted(groups["rows"]), _sorted(groups["gone"])
    _check_keys(listed, [row.key for row in rows])
    place = f"{index:05d}-of-{count:05d}.jsonl"
    before = {one.key: one for one in sorted(groups["before"], key=lambda one: one.run)}
    rows = [_numbered(row, before.get(row.key), run) for row in rows]
    _write(output, f"items-{place}", rows)
    if gone:
        _write(output, f"gone-{place}", gone)
    names = (f"items-{place}", *([f"gone-{place}"] if gone else []))
    reasons = collections.Counter(f"{row.status}:{row.reason}" for row in rows)
    return Shard(names, len(listed), len(gone), reasons, Changes.of(before, rows))


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def _write(output: str, name: str, rows: Iterable[Row]) -> None:
    files.write_bytes(OutputPaths(output).at(layout.row_file(name)), json_lines.encode(row.to_json() for row in rows))


def _numbered(row: Row, before: Before | None, run: int) -> Row:
    """Returns a row with the first run that left it unchanged: `run`, or the one that it had before."""
    first = before.run if before and before.is_same(row) else 0
    return dataclasses.replace(row, run=row.run or first or run)


def _check_keys(listed: list[str], found: list[str]) -> None:
    if listed != found:
        counts = collections.Counter(found)
        wrong = sorted({key for key in listed if counts[key] != 1} | (set(found) - set(listed)))
        raise errors.PhotochromError(
            f"the run does not add up: {len(wrong)} keys without exactly one row, such as {wrong[:5]}"
        )


def write_summary(output: str, shards: Iterable[Shard]) -> Summary:
    """Adds up the totals, deletes the files of an earlier number of shards, writes and returns the summary."""
    shards = list(shards)
    reasons: collections.Counter[str] = collections.Counter()
    for shard in shards:
        reasons.update(shard.reasons)
    summary = Summary.of(sum(shard.listed for shard in shards), reasons, sum(shard.gone for shard in shards))
    current = {name for shard in shards for name in shard.files}
    paths = OutputPaths(output)
    files.delete_within(output, map(layout.row_file, sorted(set(paths.row_files(layout.ALL)) - current)))
    files.write_bytes(paths.at(layout.SUMMARY), (json.dumps(summary.to_json(), indent=2) + "\n").encode())
    return summary


def next_run(output: str) -> int:
    """Returns the number of the run that is under way."""
    return len(reader.read_runs(output)) + 1


def add_run(
    output: str, run: int, started: datetime.datetime, model: Bundle, settings_digest: str, changes: Changes
) -> None:
    """Records a finished run: when, with which software, model and settings, the totals of its rows, their changes.

    Does nothing if the run is recorded already, for an engine may repeat a step.
    """
    runs = reader.read_runs(output)
    if len(runs) >= run:
        return
    made_by = Run(
        run=run,
        started=timestamp(started),
        finished=timestamp(datetime.datetime.now(datetime.UTC)),
        version=__version__,
        model_name=model.info["name"],
        model_digest=model.digest,
        settings_digest=settings_digest,
        **reader.read_summary(output).totals(),
        **changes._asdict(),
    )
    data = json_lines.encode(one.to_json() for one in (*runs, made_by))
    files.write_bytes(OutputPaths(output).at(layout.RUNS), data)
