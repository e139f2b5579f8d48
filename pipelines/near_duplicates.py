"""Finds the inputs that are copies of one another, so that a split can keep them together.

    signatures -> buckets by uncertain hash -> pairs with close hashes -> pairs of the same picture -> groups

What crosses a shuffle is 16 bytes for each of a picture's 16 buckets, and its signature, 384 bytes, once. The pairs
that are left come together in one place.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

from photochrom import keys, perceptual_hash, same_picture
from photochrom.archives import Source
from pipelines import signatures
from pipelines.config import PrepareConfig

# In a bucket a picture is compared with this many that follow it in the order of hashes, and paired with the closest
# few: what a bucket costs grows with its size, not with the square of it, also if all pictures of an archive are alike.
_COMPARED = 1024
_PAIRED = 8

# A picture in a shuffle: the digest of its key, 8 bytes.
Id = bytes
Signed = tuple[str, bytes]


@dataclasses.dataclass
class FindNearDuplicates(beam.PTransform):
    """Sources -> `groups`: (key, the least key of its group), for inputs with a near-duplicate; `files`: of signatures.

    Attributes:
        config: the job's settings.
        total: side input, the number of sources.
        progress_folder: where workers leave their counts.
    """

    config: PrepareConfig
    total: beam.pvalue.AsSingleton
    progress_folder: str

    def expand(self, sources: beam.PCollection) -> Any:  # Beam warns of a hint that is a dict
        paths = (
            sources
            | "AssignFile" >> beam.Map(_to_file, self.total)
            | "GroupByFile" >> beam.GroupByKey()
            | "WriteSignatures" >> beam.ParDo(signatures.WriteSignatures(self.config, self.progress_folder))
        )
        signed = paths | "ReadSignatures" >> beam.FlatMap(_read)
        pairs = (
            signed
            | "LayInBuckets" >> beam.FlatMap(_to_buckets)
            | "GroupByBucket" >> beam.GroupByKey()
            | "CompareHashes" >> beam.FlatMapTuple(close_pairs)
            | "OncePerPair" >> beam.Distinct()
        )
        edges = (
            {"signed": signed, "pairs": pairs | "BothEnds" >> beam.FlatMap(_by_end)}
            | "Join" >> beam.CoGroupByKey()
            | "SignPairs" >> beam.FlatMapTuple(_signed_pairs)
            | "GroupByPair" >> beam.GroupByKey()
            | "ComparePictures" >> beam.FlatMapTuple(_edges)
        )
        groups = edges | "ToOnePlace" >> beam.combiners.ToList() | "Connect" >> beam.FlatMap(connect)
        return {"groups": groups, "files": paths}


def _to_file(source: Source, total: int) -> tuple[str, Source]:
    return signatures.file_of(source, total), source


def _read(path: str) -> Iterator[tuple[Id, Signed]]:
    for key, signature in signatures.read(path):
        yield keys.digest(key).to_bytes(8, "big"), (key, signature)


def _to_buckets(element: tuple[Id, Signed]) -> Iterator[tuple[int, bytes]]:
    """Yields (bucket, 8 bytes of hash and 8 of id)."""
    name, (_, signature) = element
    for probe in perceptual_hash.probes(signature):
        yield probe.bucket, probe.hash.to_bytes(8, "big") + name


def close_pairs(_: int, members: Iterable[bytes]) -> Iterator[tuple[Id, Id]]:
    """Yields the pairs of ids in a bucket whose hashes are close, the lesser id first.

    A picture may lie in a bucket both ways round.
    """
    rows = np.frombuffer(b"".join(sorted(set(members))), ">u8").reshape(-1, 2).astype(np.uint64)
    if len(rows) < 2:
        return
    for first in range(0, len(rows), _COMPARED):
        yield from _pairs_of_block(rows, first)


def _pairs_of_block(rows: np.ndarray, first: int) -> Iterator[tuple[Id, Id]]:
    """Pairs rows[first : first + _COMPARED] with the closest that follow each, within _COMPARED."""
    hashes, names = rows[first : first + 2 * _COMPARED].T
    count = min(_COMPARED, len(hashes))
    distances = np.bitwise_count(hashes[:count, None] ^ hashes[None]).astype(np.int32)  # [count, count or more]
    ahead = np.arange(len(hashes))[None] - np.arange(count)[:, None]
    distances[(ahead <= 0) | (ahead > _COMPARED) | (names[:count, None] == names[None])] = perceptual_hash.HASH_BITS
    # Of equally close ones the next: no two are alike, so that it is the same ones every time.
    order = distances * (4 * _COMPARED) + ahead
    closest_few = np.argpartition(order, min(_PAIRED, len(hashes)) - 1, axis=1)[:, :_PAIRED]
    for row, closest in enumerate(closest_few):
        for other in closest[distances[row, closest] <= perceptual_hash.MAX_DISTANCE]:
            least, most = sorted((int(names[row]), int(names[other])))
            yield least.to_bytes(8, "big"), most.to_bytes(8, "big")


def _by_end(pair: tuple[Id, Id]) -> Iterator[tuple[Id, bytes]]:
    for end in pair:
        yield end, b"".join(pair)


def _signed_pairs(_: Id, joined: Mapping[str, Iterable]) -> Iterator[tuple[bytes, Signed]]:
    """Yields each pair that a picture is in, with the picture's key and signature."""
    signed = list(joined["signed"])
    for pair in joined["pairs"]:
        yield from ((pair, one) for one in signed)


def _edges(_: bytes, signed: Iterable[Signed]) -> Iterator[tuple[str, str]]:
    for (key, signature), (other_key, other) in itertools.combinations(sorted(signed), 2):
        if same_picture.are_same(signature, other):
            yield key, other_key


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
