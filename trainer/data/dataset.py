"""A prepared dataset, checked: its files, and its graph from serialized records to training tensors."""

import json
import pathlib
from typing import Any

import tensorflow as tf

from photochrom import dataset, errors, records
from photochrom.color import ab_bins
from photochrom.dataset import TRAINING_TENSORS, Shard
from photochrom.model import loaded, signature
from photochrom.storage import json_lines
from trainer.data.cached_features import CachedFeatures


class Dataset:
    """A checked dataset with its tensorflow-transform graph.

    Attributes:
        folder: its local folder.
        digest: digest of its records and settings, from dataset_info.json.
        image_size: px, of L*.
        ab_stride: px of L* per px of ab.
    """

    def __init__(self, path: str | pathlib.Path, image_size: int = 0, name: str = ""):
        """Opens the dataset.

        Args:
            path: its folder.
            image_size: required size, px; 0 accepts any.
            name: for messages, where it differs from the folder.

        Raises:
            UsageError: no dataset there, an incomplete one, or one that does not fit.
        """
        self.folder = pathlib.Path(path)
        self._name = name or str(path)
        try:
            self._info = info = dataset.DatasetInfo.from_json(self._read_json(dataset.INFO), self._name)
        except ValueError as error:
            raise errors.UsageError(str(error)) from error
        self._compression = "GZIP" if info.compression == "gzip" else ""
        self.digest, self.image_size, self.ab_stride = info.digest, info.image_size, info.ab_stride
        self._check_sizes(image_size)
        self._check_prior()
        # Kept: it must outlive the streams that call it.
        self._transform = self._load_transform()

    def cached_features(self, backbone: dict[str, str]) -> CachedFeatures:
        """Returns the cached features of the training records.

        Args:
            backbone: the network, in the format of trainer.training.features_bundle.describe.

        Raises:
            UsageError: the dataset has none, or those of another network.
        """
        return CachedFeatures(self.folder, self._info, backbone)

    def examples(self, split: str) -> int:
        """Returns how many photographs are in `train`, `validation` or `test`."""
        return self._info.split(split).examples

    def files(self, split: str) -> list[str]:
        """Returns the split's shards in order.

        Raises:
            UsageError: the split is empty, or shards are missing.
        """
        if not self.examples(split):
            raise errors.UsageError(f"{self._name} has no photographs in its {split} split, at least 1 is needed")
        found = sorted(str(path) for path in self.folder.iterdir() if dataset.is_records_file(path.name, split))
        expected = len(self._info.split(split).shard_lengths)
        if len(found) != expected:
            raise errors.UsageError(
                f"{self._name} has {len(found)} {split} shards, {dataset.INFO} says {expected}; copy it again"
            )
        return found

    def keys(self, split: str) -> list[list[str]]:
        """Returns the keys of the records of each shard of `files`, in order; the shards themselves are not needed.

        Raises:
            UsageError: the list of a shard's records is missing or broken.
        """
        count = len(self._info.split(split).shard_lengths)
        return [self._shard_keys(name) for name in sorted(Shard(split, i, count).name for i in range(count))]

    def _shard_keys(self, shard: str) -> list[str]:
        name = dataset.items_file(shard)
        try:
            rows = list(json_lines.read(str(self.folder / name)))
            keys = {int(row["position"]): str(row["key"]) for row in rows}
            return [keys[position] for position in range(len(rows))]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise errors.UsageError(
                f"{self._name} is no complete dataset: {name} is missing or broken; copy it again"
            ) from error

    def read(self, files: Any) -> tf.data.Dataset:
        """Returns the serialized examples of shards, in order."""
        return tf.data.TFRecordDataset(files, self._compression)

    def transform(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Converts [B] serialized examples to training tensors.

        Returns:
            `lightness` [B, S, S, 1] L*, `ab` [B, S/s, S/s, 2], `weight` [B, S/s, S/s, 1], all float32.
        """
        outputs = self._transform.transform_fn(records.parse_examples(serialized))
        size, small = self.image_size, self.image_size // self.ab_stride
        shapes = (size, size, 1), (small, small, 2), (small, small, 1)
        return {
            name: tf.ensure_shape(outputs[name], (None, *shape))
            for name, shape in zip(TRAINING_TENSORS, shapes, strict=True)
        }

    def _check_sizes(self, image_size: int) -> None:
        if image_size not in (0, self.image_size):
            raise errors.UsageError(
                f"--image_size is {image_size}, the dataset {self._name} was prepared at {self.image_size}"
            )
        if self.image_size % signature.SIZE_STEP:
            raise errors.UsageError(
                f"{self._name} has pictures of {self.image_size} px, expected a multiple of {signature.SIZE_STEP} px"
            )

    def _check_prior(self) -> None:
        prior = self._read_json(dataset.STATISTICS).get("ab_prior")
        expected = len(ab_bins.centres())
        if not isinstance(prior, list) or len(prior) != expected:
            found = f"{len(prior)} bins" if isinstance(prior, list) else "none"
            raise errors.UsageError(
                f"{self._name}/{dataset.STATISTICS} has an ab_prior of {found}, expected {expected} bins"
            )

    def _load_transform(self) -> Any:
        path = dataset.TRANSFORM_GRAPH
        transform = loaded.load(str(self.folder / path), f"{self._name}/{path}")
        blank = records.LabRecord.blank(self.image_size, self.ab_stride).to_example()
        outputs = transform.transform_fn(records.parse_examples(tf.constant([blank])))
        missing = [name for name in TRAINING_TENSORS if name not in outputs]
        if missing:
            raise errors.UsageError(
                f"{self._name}/{path} has outputs {', '.join(sorted(outputs))}; training also needs "
                f"{', '.join(missing)}"
            )
        return transform

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise errors.UsageError(
                f"{self._name} is no complete dataset: {name} is missing or broken; expected a folder that "
                "`photochrom prepare` wrote"
            ) from error
