"""Exact histograms of all training records, counted shard by shard.

No record passes between steps: a worker reads a shard and returns its counts. Counts are integers, so their sum is
exact and independent of the order of addition.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np

from photochrom import records
from photochrom.color import ab_bins
from pipelines import shards
from pipelines.config import PrepareConfig

# name -> number of bins: codes of lightness, integer a* and b* from -128, bins of photochrom.color.ab_bins
SIZES = {"lightness_counts": 256, "a_counts": 256, "b_counts": 256, "ab_counts": len(ab_bins.centres())}

Histograms = dict[str, np.ndarray]


@dataclasses.dataclass
class CountShards(beam.PTransform):
    """Batches of names of files of records -> a PCollection of one [n] int64 for each of `SIZES`.

    Attributes:
        config: the job's settings.
    """

    config: PrepareConfig

    def expand(self, batches: beam.PCollection) -> Any:  # a tuple as a hint makes Beam warn
        total = (
            batches
            | "Names" >> beam.FlatMap(lambda columns: list(columns[0]))
            | "Count" >> beam.Map(_count_shard, self.config)
            | "Sum" >> beam.CombineGlobally(_sum)
        )
        return tuple(total | name >> beam.Map(lambda histograms, name: histograms[name], name) for name in SIZES)


def _count_shard(name: bytes, config: PrepareConfig) -> Histograms:
    return count(shards.read_records(name.decode(), config))


def count(examples: Iterable[records.LabRecord]) -> Histograms:
    """Returns the histograms of records: name -> [n] int64, with n as in `SIZES`."""
    lightness = np.zeros(256, np.int64)
    pairs = np.zeros(256 * 256, np.int64)  # of a* and b*, each plus 128
    for example in examples:
        lightness += np.bincount(example.lightness.ravel(), minlength=256)
        a, b = np.moveaxis(example.ab.astype(np.intp) + 128, -1, 0)
        pairs += np.bincount((a * 256 + b).ravel(), minlength=256 * 256)
    by_value = pairs.reshape(256, 256)
    bins = np.zeros(SIZES["ab_counts"], np.int64)
    np.add.at(bins, ab_bins.nearest_to(_all_pairs()), by_value)
    return dict(zip(SIZES, (lightness, by_value.sum(axis=1), by_value.sum(axis=0), bins), strict=True))


def _all_pairs() -> np.ndarray:
    """Returns [256, 256, 2] float32: every pair of a* and b* that a record can hold."""
    values = np.arange(-128, 128, dtype=np.float32)
    return np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1)


def _sum(histograms: Iterable[Histograms]) -> Histograms:
    total = {name: np.zeros(size, np.int64) for name, size in SIZES.items()}
    for one in histograms:
        for name, counts in one.items():
            total[name] += counts
    return total
