"""A prepared dataset as streams of training tensors, whose order is a function of the seed and the step."""

import dataclasses
import json
import pathlib
from typing import Any

import tensorflow as tf

from photochrom import errors, records
from photochrom.color import ab_bins
from photochrom.model import signature
from trainer.data import augment, film
from trainer.data.cached_features import CachedFeatures

# What of the transform's outputs the trainer takes.
WEIGHT = "weight"
_NEEDED = (signature.LIGHTNESS, signature.AB, WEIGHT)
# The maps that the frozen backbone gives, where they are cached.
MAPS = "maps"


class Dataset:
    """A dataset that was checked, with its tensorflow-transform graph.

    Attributes:
        folder: where it lies.
        digest: of its records and settings, as `photochrom prepare` stated it.
        image_size: px, of L*.
        ab_stride: px of L* per px of ab.
    """

    def __init__(self, path: str | pathlib.Path, image_size: int = 0, name: str = ""):
        """Opens the dataset.

        Args:
            path: its folder.
            image_size: what it must have, px; 0 takes what it has.
            name: what messages call it, where that is not its folder.

        Raises:
            UsageError: no dataset there, an incomplete one, or one that does not fit.
        """
        self.folder = pathlib.Path(path)
        self._name = name or str(path)
        try:
            self._info = info = records.check_dataset_info(self._read_json("dataset_info.json"), self._name)
        except ValueError as error:
            raise errors.UsageError(str(error)) from error
        self._splits = info["splits"]
        self._compression = "GZIP" if info["settings"].get("compression") == "gzip" else ""
        self.digest: str = info["digest"]
        self.image_size: int = info["settings"]["image_size"]
        self.ab_stride: int = info["settings"]["ab_stride"]
        self._check_sizes(image_size)
        self._check_prior()
        # It must outlive the streams that call it.
        self._transform = self._load_transform()

    def cached_features(self, backbone: dict[str, str]) -> CachedFeatures:
        """Returns the training records' features by this backbone, as features_bundle.describe gives it.

        Raises:
            UsageError: there are none, or others.
        """
        return CachedFeatures(self.folder, self._info, backbone)

    def examples(self, split: str) -> int:
        """Returns how many photographs are in `train`, `validation` or `test`."""
        return self._splits.get(split, {}).get("examples", 0)

    def files(self, split: str) -> list[str]:
        """Returns the split's shards in order.

        Raises:
            UsageError: the split is empty, or shards are missing.
        """
        if not self.examples(split):
            raise errors.UsageError(f"{self._name} has no photographs in its {split} split, at least 1 is needed")
        found = sorted(str(file) for file in self.folder.glob(f"{split}-*.tfrecord*"))
        expected = len(self._splits[split]["shard_lengths"])
        if len(found) != expected:
            raise errors.UsageError(
                f"{self._name} has {len(found)} {split} shards, dataset_info.json says {expected}; copy it again"
            )
        return found

    def read(self, files: Any) -> tf.data.Dataset:
        """Returns the serialized examples of shards, one after the other."""
        return tf.data.TFRecordDataset(files, self._compression)

    def transform(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Turns [B] serialized examples into training tensors.

        Returns:
            `lightness` [B, S, S, 1] L*, `ab` [B, S/s, S/s, 2], `weight` [B, S/s, S/s, 1], all float32.
        """
        outputs = self._transform.transform_fn(records.parse_examples(serialized))
        size, small = self.image_size, self.image_size // self.ab_stride
        shapes = {signature.LIGHTNESS: (size, size, 1), signature.AB: (small, small, 2), WEIGHT: (small, small, 1)}
        return {name: tf.ensure_shape(outputs[name], (None, *shape)) for name, shape in shapes.items()}

    def _check_sizes(self, image_size: int) -> None:
        if image_size not in (0, self.image_size):
            raise errors.UsageError(
                f"--image_size is {image_size}, the dataset {self._name} was prepared at {self.image_size}"
            )
        if self.image_size % signature.SIZE_STEP:
            raise errors.UsageError(
                f"{self._name} has pictures of {self.image_size} px, expected a multiple of {signature.SIZE_STEP} px"
            )
        if self.ab_stride not in (1, 2, 4, 8, 16):
            raise errors.UsageError(f"{self._name} has ab_stride {self.ab_stride}, the model makes 1, 2, 4, 8 or 16")

    def _check_prior(self) -> None:
        prior = self._read_json("statistics/statistics.json").get("ab_prior")
        expected = len(ab_bins.centres())
        if not isinstance(prior, list) or len(prior) != expected:
            found = f"{len(prior)} bins" if isinstance(prior, list) else "none"
            raise errors.UsageError(
                f"{self._name}/statistics/statistics.json has an ab_prior of {found}, expected {expected} bins"
            )

    def _load_transform(self) -> Any:
        place = "transform_fn/transform_fn"
        try:
            loaded = tf.saved_model.load(str(self.folder / place))
        except OSError as error:
            raise errors.UsageError(
                f"{self._name}/{place} is no SavedModel; make the dataset again with `photochrom prepare`"
            ) from error
        blank = records.LabRecord.blank(self.image_size, self.ab_stride).to_example()
        outputs = loaded.transform_fn(records.parse_examples(tf.constant([blank])))
        missing = [name for name in _NEEDED if name not in outputs]
        if missing:
            raise errors.UsageError(
                f"{self._name}/{place} gives {', '.join(sorted(outputs))}; training needs {', '.join(missing)} too"
            )
        return loaded

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise errors.UsageError(
                f"{self._name} is no whole dataset: {name} is missing or broken; expected a folder that "
                "`photochrom prepare` wrote"
            ) from error


@dataclasses.dataclass(frozen=True)
class TrainStream:
    """The endless stream of training batches.

    An epoch's shard order, record order, flips, crops and film follow from (seed, epoch) alone. So a run that is
    resumed at `step` sees the batches that it would have seen undisturbed: the epoch of that step is
    begun again, and the batches already done are skipped before they are parsed.

    With `features` the batches have the backbone's maps too, as a tuple named MAPS, and nothing is changed at random.
    """

    dataset: Dataset
    batch_size: int
    shuffle_buffer: int
    seed: int
    crop: int = 0
    film: float = 0.0
    mirror: bool = True
    features: CachedFeatures | None = None

    def __post_init__(self) -> None:
        examples = self.dataset.examples("train")
        if examples < self.batch_size:
            raise errors.UsageError(f"--batch_size is {self.batch_size}, the train split has {examples} photographs")

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the train split."""
        return self.dataset.examples("train") // self.batch_size

    def batches(self, step: int, host: int = 0, hosts: int = 1) -> tf.data.Dataset:
        """Returns the batches from `step` (0 is the first) on, as `Dataset.transform` gives them.

        Of several hosts each gets its own rows of every batch, `batch_size` / `hosts` of them.
        """
        epoch, done = divmod(step, self.steps_per_epoch)
        epochs = tf.data.Dataset.range(epoch, tf.int64.max)
        rows = self.batch_size // hosts
        batches = epochs.flat_map(self._epoch).skip(done)
        own = slice(host * rows, (host + 1) * rows)
        batches = batches.map(lambda batch, seed: (tuple(column[own] for column in batch), seed * hosts + [0, host]))
        return batches.map(self._to_tensors, tf.data.AUTOTUNE, deterministic=True).prefetch(2)

    def _epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """Returns one epoch's ((serialized examples, shards, positions, all [B]), seed [2]) in its order."""
        seed = epoch + self.seed
        files = self.dataset.files("train")
        shards = tf.data.Dataset.from_tensor_slices(files).enumerate().shuffle(len(files), seed)
        examples = shards.interleave(self._read, cycle_length=4, num_parallel_calls=4, deterministic=True)
        batches = examples.shuffle(self.shuffle_buffer, seed).batch(self.batch_size, drop_remainder=True)
        seeds = tf.data.Dataset.range(self.steps_per_epoch).map(lambda batch: tf.stack([seed, batch]))
        return tf.data.Dataset.zip(batches, seeds)

    def _read(self, shard: tf.Tensor, file: tf.Tensor) -> tf.data.Dataset:
        """Returns the (serialized example, shard, position) of each record in a shard."""
        return self.dataset.read(file).enumerate().map(lambda position, serialized: (serialized, shard, position))

    def _to_tensors(self, batch: tuple[tf.Tensor, ...], seed: tf.Tensor) -> dict[str, Any]:
        serialized, *places = batch
        tensors = self.dataset.transform(serialized)
        if self.features:
            return {**tensors, MAPS: self.features.maps(*places)}
        return self._augment(tensors, seed)

    def _augment(self, tensors: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        if self.mirror:
            tensors = augment.mirror(tensors, seed)
        if self.crop:
            tensors = augment.crop(tensors, self.crop, seed)
        return film.simulate(tensors, self.film, seed) if self.film else tensors


def validation_batches(dataset: Dataset, batch_size: int, examples: int) -> tf.data.Dataset:
    """Returns the first `examples` (0: all) photographs of the validation split, always in the same order."""
    serialized = dataset.read(dataset.files("validation")).take(examples or -1).batch(batch_size)
    return serialized.map(dataset.transform, tf.data.AUTOTUNE, deterministic=True).prefetch(2)
