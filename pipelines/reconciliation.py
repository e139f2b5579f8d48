"""Compares the written rows of all shards with the listing: every input has exactly one, record or failure."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam

from photochrom import dataset, errors
from photochrom.storage import json_lines
from pipelines import shards
from pipelines.config import PrepareConfig
from pipelines.shards import ShardSummary

_EXAMPLES = 5


@dataclasses.dataclass
class Reconcile(beam.PTransform):
    """ShardSummary -> one element, on which later steps wait.

    Raises, in the worker, PhotochromError: keys without exactly one row.

    Attributes:
        sources: the listing.
        config: the job's settings.
    """

    sources: beam.PCollection
    config: PrepareConfig

    def expand(self, summaries: beam.PCollection) -> beam.PCollection:
        listed = self.sources | "Listed" >> beam.Map(lambda source: (source.key, None))
        written = (
            summaries | "ReadKeys" >> beam.FlatMap(_keys, self.config) | "Written" >> beam.Map(lambda k: (k, None))
        )
        return (
            {"listed": listed, "written": written}
            | "JoinKeys" >> beam.CoGroupByKey()
            | "FindMismatches" >> beam.FlatMap(mismatches)
            | "Some" >> beam.combiners.Top.Smallest(_EXAMPLES)
            | "Check" >> beam.Map(check)
        )


def _keys(summary: ShardSummary, config: PrepareConfig) -> Iterator[str]:
    for path in shards.row_files(summary, config):
        yield from (row["key"] for row in json_lines.read(path))


def mismatches(element: tuple[str, Mapping[str, Iterable[None]]]) -> list[str]:
    """Returns the key if it is not listed, or does not have exactly one row; an input may be listed twice."""
    key, found = element
    matches = any(True for _ in found["listed"]) and sum(1 for _ in found["written"]) == 1
    return [] if matches else [key]


def check(mismatched: list[str]) -> bool:
    """Returns True, or raises PhotochromError if there are mismatched keys."""
    if mismatched:
        raise errors.PhotochromError(
            "the run does not add up: keys without exactly one row in items-*.jsonl and failures-*.jsonl, such as "
            f"{mismatched}; if these files were edited, delete the folder `{dataset.SUMMARIES}` and run the "
            "same command again"
        )
    return True
