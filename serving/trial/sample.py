"""A sample of the inputs: those with the least digests of their keys, the same in every run and on every machine."""

import dataclasses
import itertools

import apache_beam as beam

from photochrom import errors
from photochrom.jobs import progress
from photochrom.sources import keys
from photochrom.sources.source import Source
from serving.manifest import reader
from serving.manifest.rows import Begun

# Counter of all inputs, of which the sample is a part.
FOUND = "inputs-found"


@dataclasses.dataclass
class TakeSample(beam.PTransform):
    """Sources -> `limit` of them, which count as listed; a larger sample holds each smaller one."""

    limit: int
    progress_folder: str

    def expand(self, sources: beam.PCollection) -> beam.PCollection:
        return (
            sources
            | "CountFound" >> beam.Map(_counted)
            | "LeastDigests" >> beam.combiners.Top.Of(self.limit, key=_rank, reverse=True)
            | "EachOfSample" >> beam.FlatMap(self._listed)
        )

    def _listed(self, sources: list[Source]) -> list[Source]:
        progress.Tally.add(self.progress_folder, progress.LISTED, len(sources))
        return sources


def _counted(source: Source) -> Source:
    beam.metrics.Metrics.counter(TakeSample, FOUND).inc()
    return source


def _rank(source: Source) -> tuple[int, Source]:
    return keys.digest(source.key), source


def check(output: str, limit: int) -> None:
    """Refuses an output folder whose rows a run on so few inputs would take for delisted.

    Raises:
        UsageError: earlier runs have rows of more than `limit` files.
    """
    rows = (row for _, row in reader.read_rows(output))
    notes = (note for name in reader.note_files(output) for note in reader.read_notes(output, name))
    noted = (note.row for note in notes if not isinstance(note, Begun))
    found: set[str] = set()
    for row in itertools.chain(rows, noted):
        found.add(keys.of_file(row.key))
        if len(found) > limit:
            raise errors.UsageError(
                f"--output {output} has rows of more than {limit} inputs, of which a sample of {limit} would leave "
                "none but its own: give a larger --limit, or another --output for the sample"
            )
