"""The ledger: the results of all earlier runs, as PCollections to be joined with the listing by key.

It has the rows of the manifest, the notes of runs that did not finish, and the files that these name and that do not
exist: they are found in one listing of the copies, so that a bucket of millions is not asked for each.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from photochrom.storage import files
from photochrom.storage.names import folded
from serving.manifest import layout, reader
from serving.manifest.changes import Before
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Note, Outcome, Row

_BEFORE = "before"


@dataclasses.dataclass
class ReadLedger(beam.PTransform):
    """Pipeline -> PCollections `finished`, `pending`, `missing` of (key, Row, Note or path): the parts of `Earlier`.

    And `before`: a Before for each row of an input that the last run listed.
    """

    output: str

    def expand(self, pipeline: beam.Pipeline) -> dict[str, beam.PCollection]:
        output = pipeline | "Output" >> beam.Create([self.output])
        read = self._list(output, "Finished", _row_files) | "ReadFinished" >> beam.FlatMap(
            _read_rows, self.output
        ).with_outputs(_BEFORE, main="rows")
        pending = self._list(output, "Pending", reader.note_files) | "ReadPending" >> beam.FlatMap(
            lambda name, folder: reader.read_notes(folder, name), self.output
        )
        # Earlier versions kept `.` in names of members, so that two rows could name one file.
        finished = read.rows | "WithoutDots" >> beam.Filter(lambda row: "/./" not in row.output)
        finished = finished | "KeyFinished" >> beam.WithKeys(lambda row: row.key)
        pending = pending | "KeyPending" >> beam.WithKeys(lambda note: note.key)
        named = (finished, pending) | "AllRows" >> beam.Flatten() | "Named" >> beam.FlatMapTuple(_named)
        existing = output | "ListCopies" >> beam.FlatMap(_copies) | "Existing" >> beam.WithKeys(folded)
        missing = (
            {"named": named, "existing": existing}
            | "JoinFiles" >> beam.CoGroupByKey()
            | "Missing" >> beam.FlatMap(_missing, self.output)
        )
        return {"finished": finished, "pending": pending, "missing": missing, "before": read[_BEFORE]}

    def _list(self, output: beam.PCollection, name: str, list_files: Callable[[str], Iterable[str]]) -> Any:
        return output | f"List{name}" >> beam.FlatMap(list_files) | f"Spread{name}" >> beam.Reshuffle()


def _row_files(output: str) -> list[str]:
    return OutputPaths(output).row_files(layout.ALL)


def _read_rows(name: str, output: str) -> Iterator[Any]:
    """Yields the rows of a file, and a Before for each row of a listed input."""
    is_listed = bool(layout.ITEMS.fullmatch(name))
    for row in reader.read_file(output, name):
        yield row
        if is_listed:
            yield TaggedOutput(_BEFORE, Before.of(row))


def _named(key: str, found: Row | Note) -> list[tuple[str, tuple[str, str]]]:
    row = found.row if isinstance(found, Outcome) else found
    return [(folded(path), (key, path)) for path in row.paths] if isinstance(row, Row) else []


def _copies(output: str) -> Iterator[str]:
    start = files.join(output, "")
    paths = OutputPaths(output)
    found = itertools.chain.from_iterable(map(files.list_folder, (paths.images, paths.rejected)))
    return (info.path.removeprefix(start) for info in found)


def _missing(element: tuple[str, dict[str, Iterable[Any]]], output: str) -> Iterator[tuple[str, str]]:
    """Yields (key, path) of the named files that do not exist; a file system may list them in another case or form."""
    found = element[1]
    existing = set(found["existing"])
    for key, path in sorted(set(found["named"])):
        if path not in existing and not (existing and files.exists(OutputPaths(output).at(path))):
            yield key, path
