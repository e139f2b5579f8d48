"""The features that a pretrained network sees in each training record, laid beside the records shard by shard.

DATASET/embeddings/train-00000-of-00016.npy is a NumPy array [examples, D] float16 in the order of the shard's records:
the maps of one record, fine to coarse, each flattened, one after the other. Being an array it can be read at any place,
so that training may shuffle records and look up their features afterwards. The .json beside it says of which records
and of which network they are. The records themselves know nothing of it: the dataset is the same without.
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

from photochrom import errors, records
from photochrom.model import signature
from photochrom.model.bundle import Bundle
from photochrom.storage import files
from pipelines import shards
from pipelines.config import PrepareConfig

FOLDER = "embeddings"
DTYPE = "float16"
_BATCH_SIZE = 16
Summary = dict[str, Any]


@dataclasses.dataclass
class EmbedShards(beam.PTransform):
    """Summaries of shards -> what lies in FOLDER for each of them, its files written."""

    config: PrepareConfig
    bundle: Bundle

    def expand(self, summaries: beam.PCollection) -> beam.PCollection:
        return summaries | "SpreadShards" >> beam.Reshuffle() | RunInference(ShardHandler(self.config, self.bundle))


class ShardHandler(ModelHandler[Summary, Summary, Any]):
    """Runs a features bundle over whole shards: only their summaries pass from step to step, never the maps."""

    def __init__(self, config: PrepareConfig, bundle: Bundle):
        super().__init__()
        self._config = config
        self._bundle = bundle

    def load_model(self) -> Any:
        import tensorflow as tf  # here, so that only workers that embed wait for it

        return tf.saved_model.load(self._bundle.saved_model)

    def batch_elements_kwargs(self) -> dict[str, Any]:
        return {"max_batch_size": 1}

    def run_inference(
        self, batch: Sequence[Summary], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Summary]:
        return [self._kept(summary) or self._embed(summary, model) for summary in batch]

    def _kept(self, summary: Summary) -> Summary | None:
        """Returns what an earlier run left, if it is of the same records and the same network."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = json.loads(files.read_bytes(self._path(summary, "json")))
            same = found["records_sha256"] == summary["sha256"] and found["bundle_digest"] == self._bundle.digest
            if same and files.exists(self._path(summary, "npy")):
                beam.metrics.Metrics.counter(type(self), "embeddings-kept").inc(found["examples"])
                return found
        return None

    def _embed(self, summary: Summary, model: Any) -> Summary:
        shapes: list[list[int]] = []
        with files.create(self._path(summary, "npy")) as file:
            for maps in self._maps(summary, model):
                if not shapes:
                    shapes = [list(one.shape[1:]) for one in maps]
                    width = sum(math.prod(shape) for shape in shapes)
                    header = {"descr": "<f2", "fortran_order": False, "shape": (summary["examples"], width)}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(_flatten(maps, summary["name"]))
        embedded = {
            "name": summary["name"],
            "examples": summary["examples"],
            "records_sha256": summary["sha256"],
            "bundle_digest": self._bundle.digest,
            "shapes": shapes,
        }
        files.write_bytes(self._path(summary, "json"), json.dumps(embedded, sort_keys=True).encode())
        beam.metrics.Metrics.counter(type(self), "embeddings-written").inc(summary["examples"])
        return embedded

    def _maps(self, summary: Summary, model: Any) -> Iterator[list[np.ndarray]]:
        """Yields the network's maps [B, h, w, C] of the shard's records, batch by batch."""
        import tensorflow as tf

        predict = model.signatures[signature.NAME]
        for lightness in _batches(self._config, summary):
            outputs = predict(**{signature.LIGHTNESS: tf.constant(lightness)})
            yield [outputs[signature.MAP.format(i)].numpy() for i in range(len(outputs))]

    def _path(self, summary: Summary, suffix: str) -> str:
        return files.join(self._config.output, FOLDER, f"{summary['name']}.{suffix}")


def _batches(config: PrepareConfig, summary: Summary) -> Iterator[np.ndarray]:
    """Yields the L* of a shard's records, [B, H, W, 1] float32."""
    examples = shards.read_records(summary["file"], config)
    while batch := list(itertools.islice(examples, _BATCH_SIZE)):
        lightness = np.stack([record.lightness for record in batch])
        yield lightness[..., None].astype(np.float32) / np.float32(records.LIGHTNESS_SCALE)


def _flatten(maps: list[np.ndarray], name: str) -> bytes:
    """Returns the rows of a batch: each record's maps, flattened, as little-endian float16."""
    rows = np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1).astype("<f2")
    if not np.isfinite(rows).all():
        raise errors.PhotochromError(
            f"features of {name} are beyond what {DTYPE} holds, 65504; train without --cached_features"
        )
    return rows.tobytes()


def describe(embedded: Iterable[Summary], bundle: Bundle | None) -> dict[str, Any] | None:
    """Returns what dataset_info.json says of the features, or None where there are none."""
    embedded = sorted(embedded, key=lambda one: one["name"])
    if bundle is None or not embedded:
        return None
    return {
        "backbone": bundle.info["backbone"],
        "weights_digest": bundle.info["weights_digest"],
        "bundle_digest": bundle.digest,
        "dtype": DTYPE,
        "shapes": embedded[0]["shapes"],
        "records_sha256": {one["name"]: one["records_sha256"] for one in embedded},
    }


def delete_others(config: PrepareConfig, embedded: Iterable[Summary]) -> None:
    """Deletes features of another plan or another network, which nothing would read."""
    names = {one["name"] for one in embedded}
    for info in list(files.list_folder(files.join(config.output, FOLDER))):
        if info.path.rsplit("/", 1)[1].rsplit(".", 1)[0] not in names:
            files.delete(info.path)
