"""Whole runs of colorize for tests, and the folders that they leave."""

import collections
import dataclasses
import hashlib
import json
import pathlib

from serving import colorize as command
from tests.support import counters

ITEMS = "manifest/items-00000-of-00001.jsonl"
DATE = "--date=2026-01-31"


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        output: its output folder.
        counters: Beam's, name -> count.
        rows: key -> row of the manifest, as the run left it.
    """

    output: pathlib.Path
    counters: collections.Counter[str]
    rows: dict[str, dict]

    @property
    def work(self) -> tuple[int, int, int]:
        """Rows that it kept, scans that it read, scans that it gave to the model."""
        return tuple(self.counters[name] for name in ("rows-kept", "scans-read", "num_inferences"))

    @property
    def tree(self) -> dict[str, str]:
        """Path -> digest of each file of the output folder that does not state the time."""
        return tree(self.output)


def colorize(bundle, output, *inputs, flags=()) -> Run:
    """Runs the job; a date and a high limit of failures are given, which `flags` may override."""
    paths = [f"--model={bundle}", f"--output={output}", *(f"--input={path}" for path in inputs)]
    result = command.run([*paths, "--max_failures=100%", DATE, *flags])
    return Run(pathlib.Path(output), counters.of(result), read_rows(pathlib.Path(output)))


def read_rows(output: pathlib.Path) -> dict[str, dict]:
    """Returns key -> row of all files of rows; no key has two."""
    lines = [line for path in sorted(output.glob("manifest/items-*.jsonl")) for line in path.read_text().splitlines()]
    rows = {row["key"]: row for row in map(json.loads, lines)}
    assert len(rows) == len(lines)
    return rows


def write_rows(output: pathlib.Path, rows: list[dict]) -> None:
    """Writes rows as a manifest of one file."""
    (output / ITEMS).write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def edit_row(output: pathlib.Path, key: str, /, **values) -> None:
    """Changes fields of one row."""
    rows = read_rows(output)
    write_rows(output, [{**row, **values} if row["key"] == key else row for row in rows.values()])


def edit_run(output: pathlib.Path, **values) -> None:
    """Changes fields of the last run in runs.jsonl."""
    path = output / "manifest/runs.jsonl"
    *before, last = path.read_text().splitlines()
    path.write_text("\n".join([*before, json.dumps({**json.loads(last), **values})]) + "\n")


def tree(folder: pathlib.Path) -> dict[str, str]:
    """Returns path -> digest of each file that does not state the time."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "runs.jsonl")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
