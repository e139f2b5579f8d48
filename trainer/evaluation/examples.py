"""Photographs for evaluation as L*a*b*, from a prepared dataset or from image files."""

import abc
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from photochrom import dataset, errors, photograph, records, settings
from photochrom.color import ab_bins
from photochrom.imaging import decoding
from photochrom.imaging.sandbox import decoder
from photochrom.sources import inputs, keys, member_reader
from photochrom.sources.source import Source
from photochrom.storage import files
from trainer import fit


@dataclasses.dataclass(frozen=True)
class Example:
    """One photograph.

    Attributes:
        key: its stable name.
        lab: [S, S, 3] float32 CIE L*a*b*.
        content: SHA-256 of the record or file, hex.
    """

    key: str
    lab: np.ndarray
    content: str


class Examples(abc.ABC):
    """Photographs of one size. Each pass resets the records of used and skipped photographs.

    Attributes:
        description: their source, for the summary.
        train_mean: mean a* and b* of the dataset's train split, if known.
        ab_weights: [Q] float64, the class-rebalancing weight of each bin of photochrom.color.ab_bins, if known.
        failures: the photographs that the last pass skipped.
    """

    def __init__(
        self,
        description: dict[str, Any],
        train_mean: tuple[float, float] | None = None,
        ab_weights: np.ndarray | None = None,
    ):
        self.description = description
        self.train_mean = train_mean
        self.ab_weights = ab_weights
        self.failures: list[errors.Failure] = []
        self._used: list[tuple[str, str]] = []

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the largest number of photographs in a pass."""

    @abc.abstractmethod
    def _read(self) -> Iterator[Example | errors.Failure]:
        """Yields the photographs, and failures in place of those that cannot be used."""

    def __iter__(self) -> Iterator[Example]:
        self.failures, self._used = [], []
        for one in self._read():
            if isinstance(one, errors.Failure):
                self.failures.append(one)
            else:
                self._used.append((one.key, one.content))
                yield one

    @property
    def digest(self) -> str:
        """The digest of keys and contents of the photographs that the last pass used, in its order."""
        return settings.digest(self._used)


def open_examples(
    found: inputs.Input, split: str, image_size: int, limit: int, spool: str, enlarge: bool = False
) -> Examples:
    """Opens the dataset or the photographs of --data.

    Args:
        found: the checked --data.
        split: of a dataset.
        image_size: side of the pictures, px.
        limit: the most photographs; 0 for all.
        spool: folder for the members of compressed tars.
        enlarge: whether photographs of any size are evaluated.

    Raises:
        UsageError: the data is unusable.
    """
    if files.exists(files.join(found.path, dataset.INFO)):
        return _Dataset(found.path, split, image_size, limit)
    return _Photographs(found, image_size, limit, spool, enlarge)


class _Dataset(Examples):
    """A split of a dataset by `photochrom prepare`, in the order of its shards."""

    def __init__(self, folder: str, split: str, image_size: int, limit: int):
        info = fit.read_info(folder)
        fit.check_evaluation(info, folder, split, image_size)
        start = files.join(folder, "")
        found = (file.path for file in files.list_folder(folder))
        self._shards = [path for path in found if dataset.is_records_file(path.removeprefix(start), split)]
        expected = len(info.split(split).shard_lengths)
        if len(self._shards) != expected:
            raise errors.UsageError(
                f"--data {folder} has {len(self._shards)} {split} shards, {dataset.INFO} says {expected}; copy it again"
            )
        self._compression = info.compression
        examples = info.split(split).examples
        self._count = min(limit or examples, examples)
        statistics = _read_statistics(folder)
        super().__init__(
            {
                "kind": "dataset",
                "path": folder,
                "split": split,
                "dataset_digest": info.digest,
                "near_duplicates": _near_duplicates(info),
            },
            _train_mean(statistics),
            _ab_weights(statistics, folder),
        )

    def __len__(self) -> int:
        return self._count

    def _read(self) -> Iterator[Example]:
        for data in itertools.islice(self._read_shards(), self._count):
            record = records.LabRecord.from_example(data)
            yield Example(record.key, record.to_lab(), hashlib.sha256(data).hexdigest())

    def _read_shards(self) -> Iterator[bytes]:
        for path in self._shards:
            with files.open_read(path) as file:
                try:
                    yield from records.read_tfrecords(file, self._compression)
                except errors.ReadError as error:
                    raise errors.UsageError(f"{path}: {error}; copy it again") from error


def _near_duplicates(info: dataset.DatasetInfo) -> dict[str, int] | None:
    """Returns how many groups of near-duplicates there are, of how many inputs, and how many pairs the split parts."""
    found = info.near_duplicates
    return {name: getattr(found, name) for name in ("groups", "inputs", "overlap")} if found else None


def _read_statistics(folder: str) -> dict[str, Any]:
    path = files.join(folder, dataset.STATISTICS)
    return json.loads(files.read_bytes(path)) if files.exists(path) else {}


def _train_mean(statistics: dict[str, Any]) -> tuple[float, float] | None:
    return (statistics["a"]["mean"], statistics["b"]["mean"]) if {"a", "b"} <= statistics.keys() else None


def _ab_weights(statistics: dict[str, Any], folder: str) -> np.ndarray | None:
    if "ab_weights" not in statistics:
        return None
    weights, bins = np.asarray(statistics["ab_weights"], np.float64), len(ab_bins.centres())
    if weights.shape != (bins,) or not (weights > 0).all():
        raise errors.UsageError(
            f"--data {folder} has {len(weights)} ab_weights in {dataset.STATISTICS}, expected {bins} above 0; "
            "prepare it again"
        )
    return weights


class _Photographs(Examples):
    """Colour photographs in folders and archives, in the order of their keys' digests."""

    def __init__(self, found: inputs.Input, image_size: int, limit: int, spool: str, enlarge: bool):
        super().__init__({"kind": "photographs", "path": found.path, "near_duplicates": None})
        listed = (source for file in inputs.list_files(found) for source in inputs.expand(file, spool))
        self._sources = sorted((s for s in listed if _may_be_photograph(s)), key=lambda s: (keys.digest(s.key), s.key))
        if not self._sources:
            raise errors.UsageError(
                f"--data {found.path} holds no photographs; expected a dataset that `photochrom prepare` wrote, or "
                f"files that end in {', '.join(sorted(decoding.IMAGE_SUFFIXES))}, loose or in archives"
            )
        self._image_size, self._enlarge = image_size, enlarge
        self._count = min(limit or len(self._sources), len(self._sources))

    def __len__(self) -> int:
        return self._count

    def _read(self) -> Iterator[Example | errors.Failure]:
        left = self._count
        for source in self._sources:
            if not left:
                return
            try:
                yield source.failure or self._decode(source.key, member_reader.read(source))
                left -= source.failure is None
            except errors.DataError as error:
                yield errors.Failure.of(source.key, error)

    def _decode(self, key: str, data: bytes) -> Example:
        opened = decoder.Decoder(decoder.DEFAULT_MAX_PIXELS)
        lab = photograph.to_lab(data, self._image_size, opened, enlarge=self._enlarge).lab
        return Example(key, lab, hashlib.sha256(data).hexdigest())


def _may_be_photograph(source: Source) -> bool:
    if source.failure:
        return source.failure.reason not in errors.IGNORED
    return source.key.lower().endswith(tuple(decoding.IMAGE_SUFFIXES))
