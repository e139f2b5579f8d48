"""Holds the rows of all shards, as they were written, against the listing: every input has one, record or failure."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom import errors
from photochrom.storage import json_lines
from pipelines import shards
from pipelines.config import PrepareConfig

_EXAMPLES = 5


@dataclasses.dataclass
class Reconcile(beam.PTransform):
    """Summaries of the shards -> one element, for others to wait for.

    Raises, in the worker, PhotochromError: keys without exactly one row.

    Attributes:
        sources: what was listed.
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
            | "Wrong" >> beam.FlatMap(_wrong)
            | "Some" >> beam.combiners.Top.Smallest(_EXAMPLES)
            | "Check" >> beam.Map(_check)
        )


def _keys(summary: dict[str, Any], config: PrepareConfig) -> Iterator[str]:
    for path in shards.row_files(summary, config):
        yield from (row["key"] for row in json_lines.read(path))


def _wrong(element: tuple[str, dict[str, Iterable[None]]]) -> list[str]:
    key, found = element
    is_right = any(True for _ in found["listed"]) and sum(1 for _ in found["written"]) == 1
    return [] if is_right else [key]


def _check(wrong: list[str]) -> bool:
    if wrong:
        raise errors.PhotochromError(
            "the run does not add up: keys without exactly one row in items-*.jsonl and failures-*.jsonl, such as "
            f"{wrong}; if somebody edited these files, delete the folder `shards` and run the same command again"
        )
    return True
