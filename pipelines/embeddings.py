"""Caches a pretrained network's features of each training record, shard by shard, next to the records.

DATASET/embeddings/train-00000-of-00016.npy is a NumPy array [examples, D] float16 in the order of the shard's records:
the maps of one record, fine to coarse, each flattened, concatenated. An array allows random access, so that training
may shuffle records and look up their features afterwards. The .json of the same name states the digests of the records
and of the network. The records and the dataset's digest do not depend on it.
"""

import contextlib
import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, RunInference

from photochrom import dataset, errors, records
from photochrom.dataset import Embedding
from photochrom.model import loaded
from photochrom.model.bundle import Bundle
from photochrom.storage import files
from pipelines import shards
from pipelines.config import PrepareConfig
from pipelines.shards import ShardSummary

DTYPE = "float16"
_BATCH_SIZE = 16


@dataclasses.dataclass(frozen=True)
class ShardFeatures:
    """The origin of a shard's features, as the .json states it.

    Attributes:
        name: the shard's.
        examples: number of records.
        records_sha256: digest of the file of records, hex.
        bundle_digest: digest of the features bundle.
        shapes: [h, w, C] of the network's maps, fine to coarse.
    """

    name: str
    examples: int
    records_sha256: str
    bundle_digest: str
    shapes: list[list[int]]


@dataclasses.dataclass
class EmbedShards(beam.PTransform):
    """ShardSummary -> ShardFeatures, the files of features written."""

    config: PrepareConfig
    bundle: Bundle

    def expand(self, summaries: beam.PCollection) -> beam.PCollection:
        return summaries | "SpreadShards" >> beam.Reshuffle() | RunInference(ShardHandler(self.config, self.bundle))


class ShardHandler(ModelHandler[ShardSummary, ShardFeatures, loaded.Model]):
    """Runs a features bundle over whole shards; only their summaries pass between steps, never the maps."""

    def __init__(self, config: PrepareConfig, bundle: Bundle):
        super().__init__()
        self._config = config
        self._bundle = bundle

    def load_model(self) -> loaded.Model:
        return loaded.Model(self._bundle)

    def batch_elements_kwargs(self) -> dict[str, Any]:
        return {"max_batch_size": 1}

    def run_inference(
        self, batch: Sequence[ShardSummary], model: loaded.Model, inference_args: dict[str, Any] | None = None
    ) -> Iterable[ShardFeatures]:
        return [self._kept(summary) or self._embed(summary, model) for summary in batch]

    def _kept(self, summary: ShardSummary) -> ShardFeatures | None:
        """Returns the features that an earlier run wrote, if they are of the same records and the same network."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = ShardFeatures(**json.loads(files.read_bytes(self._path(dataset.features_origin(summary.name)))))
            stated = found.name, found.records_sha256, found.bundle_digest
            is_same = stated == (summary.name, summary.sha256, self._bundle.digest)
            if is_same and files.exists(self._path(dataset.features_array(summary.name))):
                beam.metrics.Metrics.counter(type(self), "embeddings-kept").inc(found.examples)
                return found
        return None

    def _embed(self, summary: ShardSummary, model: loaded.Model) -> ShardFeatures:
        shapes: list[list[int]] = []
        with files.create(self._path(dataset.features_array(summary.name))) as file:
            for maps in map(model.features, _batches(self._config, summary)):
                if not shapes:
                    shapes = [list(one.shape[1:]) for one in maps]
                    width = sum(math.prod(shape) for shape in shapes)
                    header = {"descr": "<f2", "fortran_order": False, "shape": (summary.examples, width)}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(_flatten(maps, summary.name))
        made = ShardFeatures(summary.name, summary.examples, summary.sha256, self._bundle.digest, shapes)
        origin = json.dumps(dataclasses.asdict(made), sort_keys=True).encode()
        files.write_bytes(self._path(dataset.features_origin(summary.name)), origin)
        beam.metrics.Metrics.counter(type(self), "embeddings-written").inc(summary.examples)
        return made

    def _path(self, name: str) -> str:
        return files.join(self._config.output, name)


def _batches(config: PrepareConfig, summary: ShardSummary) -> Iterator[np.ndarray]:
    """Yields the L* of a shard's records, [B, H, W, 1] float32."""
    examples = shards.read_records(summary.file, config)
    while batch := list(itertools.islice(examples, _BATCH_SIZE)):
        lightness = np.stack([record.lightness for record in batch])
        yield lightness[..., None].astype(np.float32) / np.float32(records.LIGHTNESS_SCALE)


def _flatten(maps: list[np.ndarray], name: str) -> bytes:
    """Returns the rows of a batch: each record's maps, flattened, as little-endian float16."""
    rows = np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1).astype("<f2")
    if not np.isfinite(rows).all():
        raise errors.PhotochromError(
            f"features of {name} exceed the range of {DTYPE}, 65504; train without --cached_features"
        )
    return rows.tobytes()


def describe(embedded: Iterable[ShardFeatures], bundle: Bundle | None) -> Embedding | None:
    """Returns the description of the features for dataset_info.json, or None if there are none."""
    embedded = sorted(embedded, key=lambda one: one.name)
    if bundle is None or not embedded:
        return None
    return Embedding(
        backbone=bundle.info["backbone"],
        weights_digest=bundle.info["weights_digest"],
        bundle_digest=bundle.digest,
        dtype=DTYPE,
        shapes=embedded[0].shapes,
        records_sha256={one.name: one.records_sha256 for one in embedded},
    )


def delete_others(config: PrepareConfig, embedded: Iterable[ShardFeatures]) -> None:
    """Deletes features of another plan or another network, which are never read."""
    kept = {one.name for one in embedded}
    stored = {dataset.shard_of(path) for path in shards.stored(config, dataset.EMBEDDINGS)}
    for name in sorted(stored - kept):
        files.delete_within(config.output, [dataset.features_array(name), dataset.features_origin(name)])
