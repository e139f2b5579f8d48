"""The frozen backbone's features of each training record, as `photochrom prepare --embed` stored them."""

import pathlib

import numpy as np
import tensorflow as tf

from photochrom import dataset, errors
from photochrom.dataset import DatasetInfo, Embedding, Split


class CachedFeatures:
    """The backbone's maps of all training records, by shard and position; memory-mapped, so pages load on demand."""

    def __init__(self, folder: pathlib.Path, info: DatasetInfo, backbone: dict[str, str]):
        """Opens the features of a dataset.

        Args:
            folder: the dataset's.
            info: its dataset_info.json.
            backbone: the required network, in the format of trainer.training.features_bundle.describe.

        Raises:
            UsageError: there are none, or they are of other records or another network.
        """
        self._folder = folder
        embedding, shards = info.embedding, info.split("train")
        if not embedding:
            raise errors.UsageError(
                f"--cached_features is given, but {folder} has none; run the same `photochrom prepare` with --embed"
            )
        _check_backbone(folder, embedding, backbone)
        self._check_records(shards, embedding.records_sha256)
        self._shapes = embedding.shapes
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._arrays = [
            self._open(dataset.shard_of(file), examples) if examples else None
            for file, examples in sorted(zip(shards.files, shards.shard_lengths, strict=True))
        ]

    def maps(self, shards: tf.Tensor, positions: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the maps of records, [B, h, w, C] float32 each, fine to coarse.

        Args:
            shards, positions: [B] int64, indices of their shards in sorted order, and positions within these.
        """

        def look_up(shards: np.ndarray, positions: np.ndarray) -> np.ndarray:
            return np.stack([self._arrays[shard][i] for shard, i in zip(shards, positions, strict=True)])

        rows = tf.numpy_function(look_up, [shards, positions], tf.float16)
        parts = tf.split(tf.ensure_shape(rows, (None, sum(self._sizes))), self._sizes, axis=1)
        return tuple(
            tf.cast(tf.reshape(part, [-1, *shape]), tf.float32) for part, shape in zip(parts, self._shapes, strict=True)
        )

    def _check_records(self, shards: Split, embedded: dict[str, str]) -> None:
        stored = zip(shards.files, shards.sha256, shards.shard_lengths, strict=True)
        if embedded != {dataset.shard_of(file): digest for file, digest, examples in stored if examples}:
            raise errors.UsageError(
                f"{self._folder} has cached features of other records than its present ones; run `photochrom prepare` "
                "with --embed again"
            )

    def _open(self, shard: str, examples: int) -> np.ndarray:
        path = self._folder / dataset.features_array(shard)
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise errors.UsageError(f"{path} is missing or broken ({error}); run prepare --embed again") from error
        if array.shape != (examples, sum(self._sizes)) or array.dtype != np.float16:
            raise errors.UsageError(
                f"{path} holds {array.dtype} {list(array.shape)}, expected float16 {[examples, sum(self._sizes)]}; "
                "run prepare --embed again"
            )
        return array


def _check_backbone(folder: pathlib.Path, embedding: Embedding, backbone: dict[str, str]) -> None:
    for name, ours in backbone.items():
        theirs = getattr(embedding, name)
        if theirs != ours:
            raise errors.UsageError(
                f"{folder} has cached features of {name} {theirs}, the run's is {ours}; give prepare --embed the "
                "bundle that `photochrom features` writes for the same network and weights"
            )
