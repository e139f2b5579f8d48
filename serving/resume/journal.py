"""Write-ahead log for crash recovery: notes of a run under way, with which the next run continues one that was killed.

OUT/manifest/pending/*.jsonl have the new rows, a few hundred a file, until the manifest has them all. They also have a
note before the copy of an earlier run is overwritten: from then on the earlier row counts only if the file still has
the digest that the row states.
"""

import time
import uuid
from collections.abc import Iterable, Iterator

import apache_beam as beam

from photochrom.storage import files, json_lines
from serving.manifest import layout
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Begun, Note, Outcome
from serving.scans import Candidate

# The most that a killed run loses, for each thread; while the next row takes longer, until that one is done.
_ROWS, _SECONDS = 200, 2.0


def note(output: str, notes: Iterable[Note]) -> None:
    """Writes notes to a file that appears whole or not at all; writes nothing for no note."""
    data = json_lines.encode(one.to_json() for one in notes)
    if data:
        files.write_bytes(files.join(OutputPaths(output).pending, f"{uuid.uuid4().hex}.jsonl"), data)


def clear(output: str) -> None:
    """Deletes all notes, once the manifest has their rows."""
    start = files.join(output, "")
    infos = list(files.list_all(OutputPaths(output).pending))
    ours = [info for info in infos if info.is_under_way or layout.is_listing(info.path.removeprefix(start))]
    files.delete_within(output, [info.path.removeprefix(start) for info in ours])
    files.remove_empty(output, layout.PENDING)


class NoteOutcomes(beam.DoFn):
    """Outcome -> the same outcome, noted."""

    def __init__(self, output: str):
        self._output = output

    def start_bundle(self) -> None:
        self._outcomes: list[Outcome] = []
        self._noted = time.monotonic()

    def process(self, outcome: Outcome) -> Iterator[Outcome]:
        self._outcomes.append(outcome)
        if len(self._outcomes) >= _ROWS or time.monotonic() - self._noted >= _SECONDS:
            self._note()
        yield outcome

    def finish_bundle(self) -> None:
        self._note()

    def _note(self) -> None:
        note(self._output, self._outcomes)
        self._outcomes.clear()
        self._noted = time.monotonic()


class NoteBegun(beam.DoFn):
    """Batch -> the same batch, once a note names the copies of earlier runs that it is going to overwrite."""

    def __init__(self, output: str):
        self._output = output

    def process(self, batch: list[Candidate]) -> Iterator[list[Candidate]]:
        note(self._output, [Begun.of(candidate.row) for candidate in batch if candidate.earlier_paths])
        yield batch
