"""The ledger: all that earlier runs left, as PCollections to be joined with the listing by key.

The manifest's rows, the notes of runs that did not finish, and which files that these name are not there: of that the
copies' own listing tells, so that a bucket of millions is not asked for each.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam

from photochrom.storage import files, json_lines
from serving.manifest import manifest
from serving.manifest.manifest import Row


@dataclasses.dataclass
class ReadLedger(beam.PTransform):
    """Pipeline -> PCollections `finished`, `pending` and `missing` of (key, row or path): the parts of `Earlier`."""

    output: str

    def expand(self, pipeline: beam.Pipeline) -> dict[str, beam.PCollection]:
        output = pipeline | "Output" >> beam.Create([self.output])
        rows = {
            "finished": self._rows(output, "Finished", _finished),
            "pending": self._rows(output, "Pending", _notes),
        }
        named = tuple(rows.values()) | "AllRows" >> beam.Flatten() | "Named" >> beam.FlatMapTuple(_named)
        there = output | "ListCopies" >> beam.FlatMap(_copies) | "There" >> beam.Map(lambda path: (path, None))
        missing = (
            {"named": named, "there": there} | "JoinFiles" >> beam.CoGroupByKey() | "Missing" >> beam.FlatMap(_missing)
        )
        return {**rows, "missing": missing}

    @staticmethod
    def _rows(output: beam.PCollection, name: str, list_files: Callable[[str], Iterable[str]]) -> beam.PCollection:
        return (
            output
            | f"List{name}" >> beam.FlatMap(list_files)
            | f"Spread{name}" >> beam.Reshuffle()
            | f"Read{name}" >> beam.FlatMap(json_lines.read)
            | f"Key{name}" >> beam.WithKeys(lambda row: row["key"])
        )


def _finished(output: str) -> Iterator[str]:
    return (files.join(manifest.folder(output), name) for name in manifest.row_files(output, manifest.ALL))


def _notes(output: str) -> Iterator[str]:
    return (info.path for info in files.list_folder(manifest.pending(output)))


def _named(key: str, row: Row) -> list[tuple[str, str]]:
    return [(path, key) for path in manifest.paths_of(row)]


def _copies(output: str) -> Iterator[str]:
    start = files.join(output, "")
    return (info.path.removeprefix(start) for info in files.list_folder(files.join(output, "images")))


def _missing(element: tuple[str, dict[str, Iterable[str]]]) -> list[tuple[str, str]]:
    path, found = element
    return [] if found["there"] else [(key, path) for key in set(found["named"])]
