"""What of an output folder goes into a bag: the manifest and the copies that its rows name, held against the files."""

import dataclasses
import json
import pathlib
import posixpath
import re
import unicodedata
from collections.abc import Iterator

from photochrom import beam_io, errors, files, keys
from serving import manifest
from serving.manifest import Row

# Of these two bagit-python makes line breaks when it reads a manifest, whatever their case in later versions.
_READ_AS_BREAK = re.compile("%0[ad]", re.IGNORECASE)
# Fields of a row that are text.
_TEXTS = (
    "key", "status", "reason", "stage", "message", "output", "output_sha256", "source_sha256", "model_digest",
    "settings_digest", "format",
)  # fmt: skip
_HEX = re.compile("[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Payload:
    """What goes into the bag.

    Attributes:
        copies: path below the output folder -> SHA-256 that its row gives, of each copy and each file beside one.
        listings: the manifest's files, paths below the output folder.
        foreign: files in the output folder that no row names, printable; they stay out.
        runs: number -> row of runs.jsonl.
        summary: the totals.
    """

    copies: dict[str, str]
    listings: tuple[str, ...]
    foreign: tuple[str, ...]
    runs: dict[int, Row]
    summary: Row

    @property
    def names(self) -> list[str]:
        """All paths below the output folder, sorted."""
        return sorted([*self.copies, *self.listings])


def collect(folder: str) -> Payload:
    """Reads the manifest of a finished run and looks for the files that its rows name; reads no picture.

    Raises:
        UsageError: no run has finished there, or one is under way.
        Disagreement: rows and files do not fit together, or a name cannot stand in a bag.
    """
    summary, runs = _read_finished(folder)
    copies: dict[str, str] = {}
    alike: dict[str, str] = {}
    problems = []
    for row in _read_rows(folder, summary, runs):
        for name, sha256 in _files_of(row):
            problem = _problem(folder, row["key"], name, sha256, copies, alike)
            if problem:
                problems.append(f"{keys.printable(name)}: {problem}")
            copies[name] = sha256
            alike[unicodedata.normalize("NFC", name)] = name
    if problems:
        raise Disagreement(problems)
    found = [info.path.removeprefix(f"{folder}/") for info in files.list_folder(folder)]
    listings = tuple(name for name in found if _is_listing(name))
    foreign = tuple(keys.printable(name) for name in found if name not in copies and name not in listings)
    return Payload(copies, listings, foreign, runs, summary)


class Disagreement(errors.PhotochromError):
    """Rows and files do not fit together; `problems` has a line for each file."""

    def __init__(self, problems: list[str]):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"the manifest and the files do not agree, no bag was made: {problems[0]}{more}")
        self.problems = problems


def read_listing(folder: str, name: str) -> Iterator[Row]:
    """Yields the rows of one file of the manifest."""
    yield from beam_io.read_json_lines(files.join(folder, name))


def _is_listing(name: str) -> bool:
    return bool(re.fullmatch(r"manifest/(items-\d+-of-\d+\.jsonl|summary\.json|runs\.jsonl)", name))


def _read_finished(folder: str) -> tuple[Row, dict[int, Row]]:
    """Returns the summary and the runs, if the last run came to its end."""
    again = "run the same `photochrom colorize` command again: what is done is kept"
    if not files.is_local(folder):
        raise errors.UsageError(f"{folder} is not a local folder; bags are made on a disk: copy it there first")
    if not pathlib.Path(folder).is_dir():
        raise errors.UsageError(f"{folder} is no folder; expected the --output of a `photochrom colorize`")
    if not files.exists(files.join(manifest.folder(folder), "summary.json")):
        raise errors.UsageError(f"{folder} has no manifest/summary.json: no run has finished there; {again}")
    if files.exists(files.join(folder, ".colorize")):
        raise errors.UsageError(f"{folder}: a run is under way or was killed (there is a .colorize); {again}")
    try:
        summary = manifest.read_summary(folder)
        runs = {run["run"]: run for run in manifest.read_runs(folder)}
        known = isinstance(summary["listed"], int) and all(
            isinstance(run[name], str)
            for run in runs.values()
            for name in ("finished", "version", "model_name", "model_digest")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(f"{folder}/manifest is broken: {type(error).__name__}: {error}; {again}") from error
    if not runs or not known:
        raise errors.UsageError(f"{folder}/manifest/runs.jsonl does not tell when its runs were; {again}")
    return summary, runs


def _read_rows(folder: str, summary: Row, runs: dict[int, Row]) -> Iterator[Row]:
    """Yields the rows and checks that they are those of the last run."""
    count = 0
    try:
        for row in manifest.read(folder):
            if not _is_whole(row) or row["run"] not in runs:
                raise errors.UsageError(
                    f"{folder}/manifest: row {count + 1} ({str(row)[:100]}) does not belong to a finished run; run the "
                    "same `photochrom colorize` command again: what is done is kept"
                )
            count += 1
            yield row
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"{folder}/manifest is broken after row {count}: {error}") from error
    if count != summary["listed"]:
        raise errors.UsageError(
            f"{folder}/manifest has {count} rows, its summary.json says {summary['listed']}: the last run did not "
            "finish; run the same `photochrom colorize` command again: what is done is kept"
        )


def _is_whole(row: Row) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in _TEXTS)
        and row["status"] in (manifest.DONE, manifest.SKIPPED, manifest.FAILED)
        and isinstance(row.get("run"), int)
        and isinstance(row.get("notes"), list)
        and isinstance(row.get("sidecars", {}), dict)
        and all(isinstance(text, str) for item in row.get("sidecars", {}).items() for text in item)
        and isinstance(row.get("confidence"), int | float)
    )


def _files_of(row: Row) -> list[tuple[str, str]]:
    """Returns path and SHA-256 of a row's copy and of the files beside it."""
    return [(row["output"], row["output_sha256"]), *sorted(row.get("sidecars", {}).items())] if row["output"] else []


def _problem(folder: str, key: str, name: str, sha256: str, copies: dict[str, str], alike: dict[str, str]) -> str:
    """Returns what keeps a file out of a bag, or ""."""
    other = alike.get(unicodedata.normalize("NFC", name), "")
    strays = posixpath.normpath(name) != name or not name.startswith("images/") or keys.printable(name) != name
    return (
        f"expected a path below images/, in the row of {key}" if strays
        else "is named by more than one row" if copies.get(name, sha256) != sha256
        else f"differs from {other} by Unicode's normalization alone, which no bag keeps apart; rename one original"
        if other not in ("", name)
        else "has %0A or %0D in its name, which readers of bags take for a line break; rename the original"
        if _READ_AS_BREAK.search(name)
        else "its name ends with a space, which no bag keeps; rename the original" if name != name.strip()
        else "its row has no SHA-256" if not _HEX.fullmatch(sha256)
        else "is missing" if not pathlib.Path(folder, name).is_file()
        else ""
    )  # fmt: skip
