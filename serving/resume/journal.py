"""What a run notes while it is under way, so that one that was killed goes on where it was.

OUT/manifest/pending/*.jsonl hold the rows that are new, a few hundred a file, until the manifest has them all; and,
before a copy that an earlier run made is written over, that this was begun: then the earlier row's word for it counts
no more unless the file is still what the row says.
"""

import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom.model.bundle import Bundle
from photochrom.storage import files, json_lines
from serving import write_copies
from serving.config import ColorizeConfig
from serving.manifest import manifest
from serving.manifest.manifest import Row
from serving.scans import Scan

# What a killed run loses at most, for each thread; while the next row takes longer, until that one is there.
_ROWS, _SECONDS = 200, 2.0


def note(output: str, rows: Iterable[Row]) -> None:
    """Writes rows down, in a file that appears whole or not at all; nothing for no row."""
    data = json_lines.encode(rows)
    if data:
        files.write_bytes(files.join(manifest.pending(output), f"{uuid.uuid4().hex}.jsonl"), data)


def clear(output: str) -> None:
    """Deletes all notes, once the manifest has what they say."""
    files.delete(manifest.pending(output))


class NoteRows(beam.DoFn):
    """Row -> the same row, noted."""

    def __init__(self, output: str):
        self._output = output

    def start_bundle(self) -> None:
        self._rows: list[Row] = []
        self._noted = time.monotonic()

    def process(self, row: Row) -> Iterator[Row]:
        self._rows.append(row)
        if len(self._rows) >= _ROWS or time.monotonic() - self._noted >= _SECONDS:
            self._note()
        yield row

    def finish_bundle(self) -> None:
        self._note()

    def _note(self) -> None:
        note(self._output, self._rows)
        self._rows.clear()
        self._noted = time.monotonic()


class NoteBegun(beam.DoFn):
    """Batch of scans -> the same batch, once it is noted which copies of earlier runs it is going to write over."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle, today: str):
        self._config = config
        self._bundle = bundle
        self._today = today

    def process(self, batch: list[Scan]) -> Iterator[list[Scan]]:
        note(self._config.output, [self._begun(scan) for scan in batch if scan.earlier.paths()])
        yield batch

    def _begun(self, scan: Scan) -> dict[str, Any]:
        made_with = write_copies.made_with(scan.sha256, self._config, self._bundle)
        return begun(
            scan.source.key, made_with, write_copies.date_of(scan.earlier, made_with, self._config, self._today)
        )


def begun(key: str, made_with: dict[str, str], date: str) -> Row:
    """Returns the note that a copy is about to be written."""
    return {"key": key, "status": manifest.BEGUN, "date": date, **made_with}
