"""Streams of training and validation batches; their order is a function of the seed and the step."""

import dataclasses
import functools
import re
from typing import Any

import tensorflow as tf

from photochrom import errors
from photochrom.dataset import WEIGHT
from photochrom.model.signature import AB
from trainer.data import augment, film, key_selection
from trainer.data.cached_features import CachedFeatures
from trainer.data.dataset import Dataset

# The tensors of a batch that hold the frozen backbone's maps, where they are cached.
MAPS = "maps"
# [B, 1, 1, 1] float32 of a batch with unlabelled photographs: 0 for these, whose ab is 0 and means nothing, else 1.
LABELLED = "labelled"


@dataclasses.dataclass(frozen=True)
class TrainStream:
    """The endless stream of training batches.

    An epoch's shard order, record order, flips, crops and film depend on (seed, epoch) alone. A run that is resumed
    at `step` therefore receives the same batches as an uninterrupted one: the epoch of that step starts from its first
    batch, and the batches already done are skipped before they are parsed.

    Attributes:
        dataset: its train split is read.
        batch_size: photographs, of all hosts together.
        shuffle_buffer: records.
        seed: seed of the order and of all random changes.
        crop: side of random crops, px; 0 for whole photographs.
        film: share of photographs with simulated film, 0..1.
        mirror: whether half of the photographs are mirrored.
        repeats: [shards, records] float32, of `expected_repeats`; None: each photograph occurs once in an epoch.
        features: the backbone's maps; with them a batch has the maps as a tuple named MAPS, and no random changes.
        unlabelled: a dataset of the same sizes and compression, whose train split is read as further shards; with it a
            batch has LABELLED.
    """

    dataset: Dataset
    batch_size: int
    shuffle_buffer: int
    seed: int
    crop: int = 0
    film: float = 0.0
    mirror: bool = True
    repeats: tf.RaggedTensor | None = None
    features: CachedFeatures | None = None
    unlabelled: Dataset | None = None

    def __post_init__(self) -> None:
        examples = self._examples
        if examples < self.batch_size:
            raise errors.UsageError(f"--batch_size is {self.batch_size}, the train split has {examples} photographs")

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return self._examples // self.batch_size

    @property
    def _examples(self) -> int:
        return sum(one.examples("train") for one in (self.dataset, self.unlabelled) if one)

    @property
    def _files(self) -> list[str]:
        """All shards, those of the unlabelled dataset last."""
        return [file for one in (self.dataset, self.unlabelled) if one for file in one.files("train")]

    def labelled(self) -> "TrainStream":
        """Returns the stream of the labelled photographs alone."""
        if self.unlabelled is None:
            return self
        repeats = None if self.repeats is None else self.repeats[: len(self.dataset.files("train"))]
        return dataclasses.replace(self, repeats=repeats, unlabelled=None)

    def batches(self, step: int, host: int = 0, hosts: int = 1) -> tf.data.Dataset:
        """Returns the batches from `step` (0 is the first) on, in the format of `Dataset.transform`.

        Each of several hosts receives its own rows of every batch, `batch_size` / `hosts` of them.
        """
        epoch, done = divmod(step, self.steps_per_epoch)
        epochs = tf.data.Dataset.range(epoch, tf.int64.max)
        rows = self.batch_size // hosts
        batches = epochs.flat_map(self._epoch).skip(done)
        own = slice(host * rows, (host + 1) * rows)
        batches = batches.map(lambda batch, seed: (tuple(column[own] for column in batch), seed * hosts + [0, host]))
        return batches.map(self._to_tensors, tf.data.AUTOTUNE, deterministic=True).prefetch(2)

    def _epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """Returns one epoch's batches in order: ((serialized examples, shards, positions, all [B]), seed [2])."""
        seed = epoch + self.seed
        files = self._files
        shards = tf.data.Dataset.from_tensor_slices(files).enumerate().shuffle(len(files), seed)
        read = functools.partial(self._read, seed=seed)
        examples = shards.interleave(read, cycle_length=4, num_parallel_calls=4, deterministic=True)
        if self.repeats is not None:
            examples = examples.repeat()  # by chance an epoch may have too few
        batches = examples.shuffle(self.shuffle_buffer, seed).batch(self.batch_size, drop_remainder=True)
        seeds = tf.data.Dataset.range(self.steps_per_epoch).map(lambda batch: tf.stack([seed, batch]))
        return tf.data.Dataset.zip(batches, seeds)

    def _read(self, shard: tf.Tensor, file: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
        """Returns the (serialized example, shard, position) of each record in a shard, as often as it occurs."""
        records = self.dataset.read(file).enumerate().map(lambda position, serialized: (serialized, shard, position))
        if self.repeats is None:
            return records
        expected = self.repeats[shard]
        counts = tf.cast(expected + tf.random.stateless_uniform(tf.shape(expected), tf.stack([seed, shard])), tf.int64)
        return records.flat_map(lambda *record: tf.data.Dataset.from_tensors(record).repeat(counts[record[2]]))

    def _to_tensors(self, batch: tuple[tf.Tensor, ...], seed: tf.Tensor) -> dict[str, Any]:
        serialized, *places = batch
        tensors = self.dataset.transform(serialized)
        if self.features:
            return {**tensors, MAPS: self.features.maps(*places)}
        if self.unlabelled is None:
            return self._augment(tensors, seed)
        is_labelled = (places[0] < len(self.dataset.files("train")))[:, None, None, None]
        labels = {AB: 0.0, WEIGHT: 1.0}
        tensors.update({name: tf.where(is_labelled, tensors[name], value) for name, value in labels.items()})
        return {**self._augment(tensors, seed), LABELLED: tf.cast(is_labelled, tf.float32)}

    def _augment(self, tensors: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        if self.mirror:
            tensors = augment.mirror(tensors, seed)
        if self.crop:
            tensors = augment.crop(tensors, self.crop, seed)
        return film.simulate(tensors, self.film, seed) if self.film else tensors


def expected_repeats(
    dataset: Dataset, shares: dict[re.Pattern[str], float], unlabelled: Dataset | None = None
) -> tf.RaggedTensor | None:
    """Returns how often each training record is expected in an epoch, [shards, records] float32; None without shares.

    Args:
        dataset: the dataset, of which the lists of records suffice.
        shares: share of each source, a pattern of keys, in the photographs of an epoch.
        unlabelled: a dataset whose shards follow.

    Raises:
        UsageError: a source has too few records for its share, or the list of a shard's records is missing.
    """
    if not shares:
        return None
    keys = [shard for one in (dataset, unlabelled) if one for shard in one.keys("train")]
    try:
        flat = key_selection.repeats(shares, [key for shard in keys for key in shard])
    except ValueError as error:
        raise errors.UsageError(str(error)) from error
    return tf.RaggedTensor.from_row_lengths(flat, [len(shard) for shard in keys])


def validation_batches(dataset: Dataset, batch_size: int, examples: int, pattern: str = "") -> tf.data.Dataset:
    """Returns the first `examples` (0: all) photographs of the validation split, always in the same order.

    Args:
        dataset: the dataset.
        batch_size: photographs in a batch.
        examples: their greatest number.
        pattern: regular expression that is found in their keys.

    Raises:
        UsageError: no key matches.
    """
    serialized = dataset.read(dataset.files("validation"))
    if pattern:
        serialized = _matching(serialized, dataset, re.compile(pattern))
    batches = serialized.take(examples or -1).batch(batch_size)
    return batches.map(dataset.transform, tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def _matching(serialized: tf.data.Dataset, dataset: Dataset, pattern: re.Pattern[str]) -> tf.data.Dataset:
    """Returns the validation records whose keys match."""
    chosen = key_selection.matches(pattern, [key for shard in dataset.keys("validation") for key in shard])
    if not any(chosen):
        raise errors.UsageError(f"--validate_on {pattern.pattern!r} matches no key of the validation split")
    pairs = tf.data.Dataset.zip(serialized, tf.data.Dataset.from_tensor_slices(chosen))
    return pairs.filter(lambda _, is_chosen: is_chosen).map(lambda record, _: record)
