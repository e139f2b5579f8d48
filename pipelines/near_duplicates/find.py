"""Finds the inputs that are copies of one another, so that a split can keep them together.

    signatures -> buckets of hashes -> pairs with close hashes -> pairs of the same picture -> groups

A shuffle transfers 20 bytes for each of a picture's 16 buckets and 16 bytes for each pair with close hashes, packed
into one element for each file and lot of buckets. One worker connects the pairs of the same picture to groups.
"""

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from photochrom import dataset
from photochrom.sources import keys
from photochrom.sources.source import Source
from photochrom.storage import files
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import perceptual_hash, same_picture, signatures

# A picture in a bucket; its id is the digest of its key.
_ROW = np.dtype([("bucket", "<u4"), ("hash", "<u8"), ("id", "<u8")])
_PAIR = np.dtype([("least", "<u8"), ("most", "<u8")])
# The buckets are shuffled in 256 lots, by the upper 8 of their 20 bits.
_LOT_SHIFT = 12
# In a bucket a picture is compared with this many that follow it in the order of hashes, and paired with the closest
# few: the cost of a bucket is linear in its size, not quadratic, even if all pictures of an archive are alike.
_COMPARED = 1024
_PAIRED = 8
# Rows compared at once; memory is at most this times _COMPARED.
_BLOCK = 2048


@dataclasses.dataclass
class FindNearDuplicates(beam.PTransform):
    """Sources -> `groups`: (key, the least key of its group), for inputs with a near-duplicate; `files` of signatures.

    Attributes:
        config: the job's settings.
        total: side input, the number of sources.
        progress_folder: the folder of the workers' counts.
    """

    config: PrepareConfig
    total: beam.pvalue.AsSingleton
    progress_folder: str

    def expand(self, sources: beam.PCollection) -> Any:  # a dict as a hint makes Beam warn
        paths = (
            sources
            | "AssignFile" >> beam.Map(_to_file, self.total)
            | "GroupByFile" >> beam.GroupByKey()
            | "WriteSignatures" >> beam.ParDo(signatures.WriteSignatures(self.config, self.progress_folder))
        )
        edges = (
            paths
            | "AssignBuckets" >> beam.FlatMap(assign_buckets)
            | "GroupByLot" >> beam.GroupByKey()
            | "CompareHashes" >> beam.FlatMap(_pairs_by_file, self.total)
            | "GroupByFirst" >> beam.GroupByKey()
            | "ComparePictures" >> beam.ParDo(ComparePictures(self.config), self.total)
        )
        groups = edges | "CollectEdges" >> beam.combiners.ToList() | "Connect" >> beam.FlatMap(connect)
        return {"groups": groups, "files": paths}


def _to_file(source: Source, total: int) -> tuple[str, Source]:
    return signatures.file_of(keys.digest(source.key), total), source


def assign_buckets(path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (lot, rows of the pictures in its buckets) for the pictures of a file of signatures."""
    lots: dict[int, list[tuple[int, int, int]]] = collections.defaultdict(list)
    for key, signature in signatures.read(path):
        for probe in perceptual_hash.probes(signature):
            lots[probe.bucket >> _LOT_SHIFT].append((*probe, keys.digest(key)))
    yield from ((lot, np.array(rows, _ROW).tobytes()) for lot, rows in lots.items())


def _pairs_by_file(lot: tuple[int, Iterable[bytes]], total: int) -> Iterator[tuple[str, bytes]]:
    """Yields (file of the first, pairs with close hashes)."""
    pairs = close_pairs(np.frombuffer(b"".join(lot[1]), _ROW))
    names = np.array([signatures.file_of(int(least), total) for least in pairs["least"]])
    yield from ((str(name), pairs[names == name].tobytes()) for name in np.unique(names))


def close_pairs(rows: np.ndarray) -> np.ndarray:
    """Returns the pairs of ids whose hashes are close, of those in a bucket together; sorted, each once.

    A picture may be in a bucket in both orientations.
    """
    rows = np.unique(rows)  # sorted by bucket, hash and id
    pairs = [_close_in_block(rows[i : i + _BLOCK + _COMPARED]) for i in range(0, len(rows), _BLOCK)]
    # np.unique returns the machine's byte order.
    return np.unique(np.concatenate(pairs)).astype(_PAIR) if pairs else np.zeros(0, _PAIR)


def _close_in_block(rows: np.ndarray) -> np.ndarray:
    """Pairs each of the first _BLOCK rows with the closest that follow it."""
    found = []
    for ahead in range(1, min(_COMPARED, len(rows) - 1) + 1):
        count = min(_BLOCK, len(rows) - ahead)
        one, other = rows[:count], rows[ahead : ahead + count]
        together = one["bucket"] == other["bucket"]
        if not together.any():  # nor any further ahead, as the rows are sorted
            break
        distance = np.bitwise_count(one["hash"] ^ other["hash"])
        close = np.flatnonzero(together & (distance <= perceptual_hash.MAX_DISTANCE) & (one["id"] != other["id"]))
        found.append(np.stack([close, distance[close], np.full(len(close), ahead)]))
    row, distance, ahead = np.concatenate(found, axis=1) if found else np.zeros([3, 0], np.intp)
    order = np.lexsort([ahead, distance, row])
    row, ahead = row[order], ahead[order]
    closest = np.arange(len(row)) - np.searchsorted(row, row) < _PAIRED
    row, ahead = row[closest], ahead[closest]
    ids = np.sort(np.stack([rows["id"][row], rows["id"][row + ahead]], axis=1).astype(np.uint64), axis=1)
    pairs = np.zeros(len(ids), _PAIR)
    pairs["least"], pairs["most"] = ids.T
    return pairs


class ComparePictures(beam.DoFn):
    """(File of the first, pairs of ids) -> the pairs of keys whose signatures are of the same picture."""

    def __init__(self, config: PrepareConfig):
        self._config = config

    def setup(self) -> None:
        self._open = functools.lru_cache(maxsize=2)(_by_id)

    def process(self, element: tuple[str, Iterable[bytes]], total: int) -> Iterator[tuple[str, str]]:
        folder, (name, parts) = files.join(self._config.output, dataset.SIGNATURES), element
        pairs = np.unique(np.frombuffer(b"".join(parts), _PAIR)).tolist()
        by_second = collections.defaultdict(list)
        for least, most in pairs:
            by_second[signatures.file_of(most, total)].append((least, most))
        for second, some in sorted(by_second.items()):
            firsts, seconds = self._open(files.join(folder, name)), self._open(files.join(folder, second))
            for least, most in some:
                (key, signature), (other_key, other) = firsts[least], seconds[most]
                if same_picture.are_same(signature, other):
                    yield key, other_key


def _by_id(path: str) -> dict[int, tuple[str, bytes]]:
    return {keys.digest(key): (key, signature) for key, signature in signatures.read(path)}


def connect(edges: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yields (key, the least key of its group) for each key in an edge, sorted: connected components by union-find."""
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while parents.setdefault(key, key) != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for ends in edges:
        least, most = sorted(map(root, ends))
        parents[most] = least
    yield from ((key, root(key)) for key in sorted(parents))
