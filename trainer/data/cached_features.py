"""What the frozen backbone sees in each training record, as `photochrom prepare --embed` laid it beside the records."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from photochrom import errors

_FOLDER = "embeddings"


class CachedFeatures:
    """The backbone's maps of all training records, looked up by place. Pages of them are read as they are needed."""

    def __init__(self, folder: pathlib.Path, info: dict[str, Any], backbone: dict[str, str]):
        """Opens what lies in a dataset.

        Args:
            folder: the dataset's.
            info: its dataset_info.json.
            backbone: the network whose features they must be, as trainer.training.features_bundle.describe gives it.

        Raises:
            UsageError: there are none, or they are of other records or another network.
        """
        self._folder = folder
        embedding = info.get("embedding")
        if not embedding:
            raise errors.UsageError(
                f"--cached_features is given, but {folder} has none; run the same `photochrom prepare` with --embed"
            )
        _check_backbone(folder, embedding, backbone)
        self._check_records(info["splits"]["train"], embedding["records_sha256"])
        self._shapes: list[list[int]] = embedding["shapes"]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        shards = info["splits"]["train"]
        self._arrays = [
            self._open(_stem(file), examples) if examples else None
            for file, examples in sorted(zip(shards["files"], shards["shard_lengths"], strict=True))
        ]

    def maps(self, shards: tf.Tensor, positions: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the maps of records, [B, h, w, C] float32 each, fine to coarse.

        Args:
            shards, positions: [B] int64, the numbers of their shards in sorted order, and their places within these.
        """

        def look_up(shards: np.ndarray, positions: np.ndarray) -> np.ndarray:
            return np.stack([self._arrays[shard][place] for shard, place in zip(shards, positions, strict=True)])

        rows = tf.numpy_function(look_up, [shards, positions], tf.float16)
        parts = tf.split(tf.ensure_shape(rows, (None, sum(self._sizes))), self._sizes, axis=1)
        return tuple(
            tf.cast(tf.reshape(part, [-1, *shape]), tf.float32) for part, shape in zip(parts, self._shapes, strict=True)
        )

    def _check_records(self, shards: dict[str, Any], embedded: dict[str, str]) -> None:
        of_records = zip(shards["files"], shards["sha256"], shards["shard_lengths"], strict=True)
        if embedded != {_stem(file): digest for file, digest, examples in of_records if examples}:
            raise errors.UsageError(
                f"{self._folder} has cached features of other records than it has now; run `photochrom prepare` with "
                "--embed again"
            )

    def _open(self, stem: str, examples: int) -> np.ndarray:
        path = self._folder / _FOLDER / f"{stem}.npy"
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


def _check_backbone(folder: pathlib.Path, embedding: dict[str, Any], backbone: dict[str, str]) -> None:
    for name, ours in backbone.items():
        if embedding[name] != ours:
            raise errors.UsageError(
                f"{folder} has cached features of {name} {embedding[name]}, the run's is {ours}; give prepare --embed "
                "what `photochrom features` makes of the same network and weights"
            )


def _stem(file: str) -> str:
    return file.partition(".")[0]
