"""The dataset folder, which `photochrom prepare` writes and training reads: names of its files, dataset_info.json.

    DATASET/
      train-00000-of-00004.tfrecord        a shard: Lab records, in photochrom.records' format; .gz if compressed
      items-train-00000-of-00004.jsonl     a row for each record of the shard
      failures-train-00000-of-00004.jsonl  a row for each refused input, if there are any
      shards/train-00000-of-00004.json     digest of the shard's inputs, and its totals; written after the shard
      embeddings/train-00000-of-00004.npy  features of the shard's records, on request; .json: whose they are
      signatures/00003-of-00010.jsonl      signatures of the inputs, from which near-duplicates are found
      statistics/                          histograms of the train split, as JSON and as pictures
      transform_fn/                        tensorflow-transform's graph: raw features -> training tensors
      features.json                        the features of a record
      prepare.json                         the settings, written first
      README.md                            the dataset's card: licence, counts, statistics, samples
      dataset_info.json                    digest, settings, splits, counts; written last

| training tensor | dtype, shape             | unit                                           |
|-----------------|--------------------------|------------------------------------------------|
| `lightness`     | float32 [B, H, W, 1]     | L*, 0..100                                     |
| `ab`            | float32 [B, H/s, W/s, 2] | CIE a*, b*                                     |
| `weight`        | float32 [B, H/s, W/s, 1] | class-rebalancing weight of the ab bin, mean 1 |

All names are relative to the folder, which may be in a bucket. This module needs neither TensorFlow nor NumPy.
"""

import dataclasses
import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

from photochrom.model.signature import AB, LIGHTNESS, MAX_IMAGE_SIZE, STRIDES

FORMAT_VERSION = 1

INFO = "dataset_info.json"
CARD = "README.md"
SETTINGS = "prepare.json"
FEATURES_FILE = "features.json"
STATISTICS_FOLDER = "statistics"
STATISTICS = f"{STATISTICS_FOLDER}/statistics.json"
GAMUT_PLOT = f"{STATISTICS_FOLDER}/gamut.png"
CONTACT_SHEET = f"{STATISTICS_FOLDER}/contact_sheet.png"
TRANSFORM = "transform_fn"
# The SavedModel within TRANSFORM, as tensorflow-transform names it.
TRANSFORM_GRAPH = f"{TRANSFORM}/transform_fn"
SUMMARIES = "shards"
SIGNATURES = "signatures"
EMBEDDINGS = "embeddings"

# The training tensors. `lightness` and `ab` have the names of the model's signature.
WEIGHT = "weight"
TRAINING_TENSORS = (LIGHTNESS, AB, WEIGHT)


class Feature(NamedTuple):
    """A feature of a record, as features.json states it."""

    dtype: str
    shape: tuple[str | int, ...] = ()
    unit: str = ""


FEATURES = {
    "key": Feature("bytes"),
    "lightness": Feature("bytes of uint8", ("height", "width"), "CIE L* x 255/100"),
    "ab": Feature("bytes of int8", ("height/ab_stride", "width/ab_stride", 2), "CIE a*, b*"),
    "height": Feature("int64", unit="px"),
    "width": Feature("int64", unit="px"),
    "ab_stride": Feature("int64", unit="px"),
    "source_height": Feature("int64", unit="px"),
    "source_width": Feature("int64", unit="px"),
}


class Shard(NamedTuple):
    """One file of a split."""

    split: str
    number: int
    num_shards: int

    @property
    def name(self) -> str:
        """The file's name without its suffix, as TensorFlow Datasets writes it."""
        return f"{self.split}-{self.number:05d}-of-{self.num_shards:05d}"


_SUFFIXES = {"none": ".tfrecord", "gzip": ".tfrecord.gz"}


def records_file(shard: str, compression: str) -> str:
    """Returns the file of a shard's records; `compression` is `none` or `gzip`."""
    return shard + _SUFFIXES[compression]


def items_file(shard: str) -> str:
    """Returns the file with a row for each record of a shard."""
    return f"items-{shard}.jsonl"


def items_prefix(split: str) -> str:
    """Returns how the names of a split's files of `items_file` begin."""
    return f"items-{shard_prefix(split)}"


def failures_file(shard: str) -> str:
    """Returns the file with a row for each refused input of a shard."""
    return f"failures-{shard}.jsonl"


def summary_file(shard: str) -> str:
    """Returns the file of a shard's totals."""
    return f"{SUMMARIES}/{shard}.json"


def shard_files(shard: str) -> list[str]:
    """Returns all files that a shard may have, its summary last."""
    stored = [records_file(shard, compression) for compression in _SUFFIXES]
    return [*stored, items_file(shard), failures_file(shard), summary_file(shard)]


def features_array(shard: str) -> str:
    """Returns the file of the cached features of a shard's records."""
    return f"{EMBEDDINGS}/{shard}.npy"


def features_origin(shard: str) -> str:
    """Returns the file that states the records and the network of `features_array`."""
    return f"{EMBEDDINGS}/{shard}.json"


def shard_of(path: str) -> str:
    """Returns the name of the shard that a file of records, features or totals belongs to."""
    return path.rpartition("/")[2].partition(".")[0]


def shard_prefix(split: str) -> str:
    """Returns how the names of a split's files of records begin."""
    return f"{split}-"


def is_records_file(name: str, split: str) -> bool:
    """Whether a name in the dataset's folder is that of a file of records of the split."""
    return name.startswith(shard_prefix(split)) and _SUFFIXES["none"] in name


@dataclasses.dataclass(frozen=True)
class Split:
    """The shards of a split, in order.

    Attributes:
        examples: records in all.
        shard_lengths: records in each shard.
        files: names of the files of records.
        sha256: digest of each file, hex.
    """

    examples: int
    shard_lengths: tuple[int, ...]
    files: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """Groups of near-duplicates among the inputs.

    Attributes:
        groups: number of groups of two or more inputs.
        inputs: number of inputs in all groups.
        overlap: pairs within a group that are in different splits.
        largest_group: number of inputs in it.
        across_splits: pairs within a group that would be in different splits by their keys alone.
    """

    groups: int
    inputs: int
    overlap: int
    largest_group: int = 0
    across_splits: int = 0


@dataclasses.dataclass(frozen=True)
class Embedding:
    """The cached features of the training records.

    Attributes:
        backbone: name of the network.
        weights_digest: digest of its weights.
        bundle_digest: digest of the features bundle.
        dtype: type of the arrays.
        shapes: [h, w, C] of the network's maps, fine to coarse.
        records_sha256: shard -> digest of the file of the records.
    """

    backbone: str
    weights_digest: str
    bundle_digest: str
    dtype: str
    shapes: list[list[int]]
    records_sha256: dict[str, str]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The content of dataset_info.json.

    Attributes:
        digest: digest of settings and splits, and so of all that decides the records.
        settings: those of `photochrom prepare`, by name.
        splits: name -> its shards.
        photochrom_version: the version that wrote the dataset.
        inputs: number of listed inputs.
        examples: records in all splits.
        refused: stage:reason -> inputs.
        near_duplicates: None if they were not searched for.
        embedding: None without cached features.
    """

    digest: str
    settings: dict[str, Any]
    splits: dict[str, Split]
    photochrom_version: str = ""
    inputs: int = 0
    examples: int = 0
    refused: dict[str, int] = dataclasses.field(default_factory=dict)
    near_duplicates: NearDuplicates | None = None
    embedding: Embedding | None = None
    format_version: int = FORMAT_VERSION

    @property
    def image_size(self) -> int:
        """Side of the records, px."""
        return self.settings["image_size"]

    @property
    def ab_stride(self) -> int:
        """Px of L* for one px of ab, along each axis."""
        return self.settings["ab_stride"]

    @property
    def compression(self) -> str:
        """`none` or `gzip`, of the files of records."""
        return self.settings.get("compression", "none")

    def split(self, name: str) -> Split:
        """Returns a split, empty if the dataset has none of that name."""
        return self.splits.get(name, Split(0, ()))

    def to_json(self) -> dict[str, Any]:
        """Returns the content for json.dumps."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Any, path: str) -> "DatasetInfo":
        """Reads what `to_json` returned, also that of versions with fewer fields.

        Args:
            values: parsed JSON.
            path: the dataset's, for messages.

        Raises:
            ValueError: it is of another format, or incomplete.
        """
        found = values.get("format_version") if isinstance(values, dict) else None
        if found != FORMAT_VERSION:
            raise ValueError(
                f"{path} holds no dataset of format {FORMAT_VERSION} (found {found}); "
                "make it again with `photochrom prepare`"
            )
        try:
            info = cls(**_known(cls, values) | _parts(values))
            misfits = list(_misfits(info))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}/{INFO} is incomplete: {error!r}; run `photochrom prepare` again") from error
        if misfits:
            raise ValueError(f"{path}/{INFO}: {'; '.join(misfits)}; run `photochrom prepare` again")
        return info


def _misfits(info: DatasetInfo) -> Iterator[str]:
    """Yields the values that no dataset of `photochrom prepare` has, and what is expected."""
    if not (_is_count(info.image_size) and 0 < info.image_size <= MAX_IMAGE_SIZE):
        yield f"image_size is {info.image_size!r:.60}, expected 1 to {MAX_IMAGE_SIZE} px"
    if not (_is_count(info.ab_stride) and info.ab_stride in STRIDES):
        yield f"ab_stride is {info.ab_stride!r:.60}, expected one of {STRIDES}"
    if info.compression not in tuple(_SUFFIXES):
        yield f"compression is {info.compression!r:.60}, expected one of {', '.join(_SUFFIXES)}"
    for name, split in info.splits.items():
        if not all(map(_is_count, (split.examples, *split.shard_lengths))):
            yield f"the numbers of the split {name!r:.60} are no whole numbers"


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _parts(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a DatasetInfo that are dataclasses themselves."""
    operator.itemgetter("image_size", "ab_stride")(values["settings"])  # raises KeyError
    duplicates = values.get("near_duplicates") or {}
    counted = {"groups", "inputs", "overlap"} <= duplicates.keys()
    embedding = values.get("embedding")
    return {
        "splits": {
            name: Split(**{key: _frozen(value) for key, value in _known(Split, split).items()})
            for name, split in values["splits"].items()
        },
        "near_duplicates": NearDuplicates(**_known(NearDuplicates, duplicates)) if counted else None,
        "embedding": Embedding(**_known(Embedding, embedding)) if embedding else None,
    }


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values that a dataclass has a field for."""
    return {field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
