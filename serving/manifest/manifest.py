"""The manifest: for every input exactly one row, `done`, `skipped` or `failed`, with a reason.

OUT/manifest/items-00000-of-00002.jsonl ... hold the rows, OUT/manifest/summary.json their totals. Rows are written
once all of them are there, and checked by key against the listing: a run that does not add up fails. OUT/manifest/
gone-00000-of-00002.jsonl ... hold the rows of inputs that are no longer listed, and whose copies are kept.

OUT/manifest/runs.jsonl tells when: a line for each finished run. A row names the first run that left it as it is, so
that a run which changes nothing leaves the rows' bytes alone.
"""

import collections
import datetime
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from photochrom import __version__, errors
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.sources.source import Source
from photochrom.storage import files, json_lines
from photochrom.storage.names import printable

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
# Status of a note: a run began to write this copy.
BEGUN = "begun"
_ROWS_PER_FILE = 2_500
# How runs.jsonl states a time, UTC.
TIME = "%Y-%m-%dT%H:%M:%SZ"
# The name of a file of rows: its number, how many there are.
ITEMS = re.compile(r"items-(\d+)-of-(\d+)\.jsonl")
GONE = re.compile(r"gone-(\d+)-of-(\d+)\.jsonl")
ALL = re.compile(f"{ITEMS.pattern}|{GONE.pattern}")
# What decides the bytes of a copy, but for the date that it states.
MADE_WITH = ("source_sha256", "model_digest", "settings_digest")
Row = dict[str, Any]
# Field of a row under way: files that the earlier row of its input named and that this one no longer names.
OBSOLETE = "obsolete"


def row(source: Source, status: str, *, reason: str = "", stage: str = "", message: str = "", **values: Any) -> Row:
    """Returns a row with every field that rows have."""
    fields: Row = {
        "key": source.key,
        "status": status,
        "reason": reason,
        "stage": stage,
        "message": message,
        "source": printable(source.origin or source.path),
        "source_sha256": "",
        "source_bytes": max(source.size, 0),
        "source_version": source.version,
        "pages": source.page_count,
        "output": "",
        "output_sha256": "",
        "sidecars": {},
        "model_digest": "",
        "settings_digest": "",
        "date": "",
        "height": 0,
        "width": 0,
        "format": "",
        "kind": "",
        "chroma": 0.0,
        "spread": 0.0,
        "confidence": 0.0,
        "notes": [],
        "run": 0,  # given when the rows are written
    }
    unknown = set(values) - set(fields)
    if unknown:
        raise ValueError(f"a row has no field {', '.join(sorted(unknown))}")
    return {**fields, **values}


def failed(source: Source, error: errors.DataError, **values: Any) -> Row:
    """Returns the row of an input that came to grief."""
    return row(source, FAILED, reason=error.reason, stage=error.stage, message=str(error), **values)


def with_obsolete(new: Row, earlier: Iterable[str]) -> Row:
    """Returns a new row with what it makes obsolete: of the paths that earlier ones named those that it does not name.

    That is nothing if it failed, for a copy is better than none.
    """
    return new if new["status"] == FAILED else {**new, OBSOLETE: sorted(set(earlier) - set(paths_of(new)))}


def files_of(row: Row) -> list[tuple[str, str]]:
    """Returns path below the output folder and SHA-256 of a row's copy and of the files beside it; none of no row."""
    if not row.get("output"):
        return []
    return [(row["output"], row["output_sha256"]), *sorted(row.get("sidecars", {}).items())]


def paths_of(row: Row) -> list[str]:
    """Returns the paths alone."""
    return [path for path, _ in files_of(row)]


def folder(output: str) -> str:
    """Returns where the manifest of an output folder lies."""
    return files.join(output, "manifest")


def pending(output: str) -> str:
    """Returns where a run that is under way notes its rows."""
    return files.join(folder(output), "pending")


def read(output: str) -> Iterator[Row]:
    """Yields the rows of the inputs that the last run listed."""
    for name in row_files(output, ITEMS):
        yield from json_lines.read(files.join(folder(output), name))


def row_files(output: str, kind: re.Pattern[str]) -> list[str]:
    """Returns the names of the files of rows (ITEMS, GONE, ALL), sorted; the folder may have wildcards in its name."""
    found = (info.path.removeprefix(f"{folder(output)}/") for info in files.list_folder(folder(output)))
    return sorted(name for name in found if kind.fullmatch(name))


def shard_of(key: str, total: int) -> tuple[int, int]:
    """Returns (index, count) of the file that holds the row of a key, among `total` rows."""
    count = max(1, math.ceil(total / _ROWS_PER_FILE))
    return keys.digest(key) % count, count


def write_shard(element: tuple[tuple[int, int], dict[str, Iterable[Any]]], output: str, run: int, _: Any = None) -> Row:
    """Checks that each listed key has one row, writes the rows in order of keys, and returns their totals.

    A Beam step: `run` is the number of this run; it waits for its last side input.

    Raises:
        PhotochromError: keys without a row, with several, or rows without a key.
    """
    (index, count), groups = element
    listed, rows = sorted(set(groups["listed"])), sorted(map(_finished, groups["rows"]), key=lambda r: r["key"])
    _check_keys(listed, [r["key"] for r in rows])
    place = f"{index:05d}-of-{count:05d}.jsonl"
    path = files.join(folder(output), f"items-{place}")
    rows = _number(rows, path, run)
    files.write_bytes(path, json_lines.encode(rows))
    gone = sorted(map(_finished, groups["gone"]), key=lambda r: r["key"])
    if gone:
        files.write_bytes(files.join(folder(output), f"gone-{place}"), json_lines.encode(gone))
    names = [f"items-{place}", *([f"gone-{place}"] if gone else [])]
    return {"files": names, "listed": len(listed), "gone": len(gone), "counts": _count(rows)}


def _finished(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != OBSOLETE}


def _number(rows: Iterable[Row], path: str, run: int) -> list[Row]:
    """Returns the rows with the first run that left each as it is: `run`, or the one that the file already names."""
    earlier = {r["key"]: r for r in json_lines.read(path)} if files.exists(path) else {}
    aside = {"run": 0, "source_version": ""}

    def first_run(row: Row) -> int:
        before = earlier.get(row["key"], {})
        return row.get("run") or (before.get("run") if {**before, **aside} == {**row, **aside} else 0) or run

    return [{**r, "run": first_run(r)} for r in rows]


def _check_keys(listed: list[str], found: list[str]) -> None:
    if listed != found:
        counts = collections.Counter(found)
        wrong = sorted({k for k in listed if counts[k] != 1} | (set(found) - set(listed)))
        raise errors.PhotochromError(
            f"the run does not add up: {len(wrong)} keys without exactly one row, such as {wrong[:5]}"
        )


def _count(rows: Iterable[Row]) -> dict[str, int]:
    return dict(sorted(collections.Counter(f"{r['status']}:{r['reason']}" for r in rows).items()))


def write_summary(output: str, shards: Iterable[Row]) -> Row:
    """Adds up the totals, deletes files of an earlier, differently cut manifest, writes and returns the summary."""
    shards = list(shards)
    counts: collections.Counter[str] = collections.Counter()
    for shard in shards:
        counts.update(shard["counts"])
    status = {
        name: sum(n for key, n in counts.items() if key.startswith(f"{name}:")) for name in (DONE, SKIPPED, FAILED)
    }
    listed, gone = (sum(shard[name] for shard in shards) for name in ("listed", "gone"))
    summary = {"listed": listed, **status, "gone": gone, "reasons": dict(sorted(counts.items()))}
    current = {name for shard in shards for name in shard["files"]}
    for name in set(row_files(output, ALL)) - current:
        files.delete(files.join(folder(output), name))
    files.write_bytes(files.join(folder(output), "summary.json"), (json.dumps(summary, indent=2) + "\n").encode())
    return summary


def read_summary(output: str) -> Row:
    """Returns the totals of the last run."""
    return json.loads(files.read_bytes(files.join(folder(output), "summary.json")))


def summary_lines(output: str, summary: Row) -> Iterator[str]:
    """Yields totals as people read them: a line for all, a line for each reason."""
    yield (
        f"{output}: {summary['listed']} inputs: {summary[DONE]} done, {summary[SKIPPED]} skipped, "
        f"{summary[FAILED]} failed"
    )
    for reason, count in summary["reasons"].items():
        status, _, code = reason.partition(":")
        if code:
            yield f"  {status:8} {count:>8}  {code}"
    if summary.get("gone"):
        yield f"  {'gone':8} {summary['gone']:>8}  no longer in the input; their copies are kept"


def read_runs(output: str) -> list[Row]:
    """Returns the finished runs of an output folder, the first one first; none where nobody wrote them down."""
    path = files.join(folder(output), "runs.jsonl")
    return list(json_lines.read(path)) if files.exists(path) else []


def next_run(output: str) -> int:
    """Returns the number of the run that is under way."""
    return len(read_runs(output)) + 1


def add_run(output: str, run: int, started: datetime.datetime, model: Bundle, settings_digest: str) -> None:
    """Writes down that a run is finished: when, with which software, model and settings, and how its inputs ended.

    Nothing if that was done, for a step of an engine may be done again.
    """
    runs = read_runs(output)
    if len(runs) >= run:
        return
    summary = read_summary(output)
    runs.append(
        {
            "run": run,
            "started": _timestamp(started),
            "finished": _timestamp(datetime.datetime.now(datetime.UTC)),
            "version": __version__,
            "model_name": model.info["name"],
            "model_digest": model.digest,
            "settings_digest": settings_digest,
            **{name: summary[name] for name in ("listed", DONE, SKIPPED, FAILED)},
        }
    )
    files.write_bytes(files.join(folder(output), "runs.jsonl"), json_lines.encode(runs))


def _timestamp(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime(TIME)
