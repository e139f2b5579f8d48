"""Batching: full batches of scans whose network inputs have one shape."""

import collections
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.utils.windowed_value import WindowedValue

from serving.scans import Candidate


class BatchByShape(beam.DoFn):
    """Candidate -> batches: lists of up to `batch_size` candidates whose network inputs have one shape.

    Batches do not cross the border of a bundle, so nothing is lost when a bundle is repeated.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size

    def start_bundle(self) -> None:
        self._waiting: dict[tuple[int, ...], list[Candidate]] = collections.defaultdict(list)

    def process(self, candidate: Candidate) -> Iterator[list[Candidate]]:
        shape = candidate.scan.lightness.shape
        waiting = self._waiting[shape]
        waiting.append(candidate)
        if len(waiting) == self._batch_size:
            del self._waiting[shape]
            yield waiting

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for batch in self._waiting.values():
            yield beam.transforms.window.GlobalWindows.windowed_value(batch)
        self._waiting.clear()
