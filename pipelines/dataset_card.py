"""The card of a dataset, DATASET/README.md: origin, licence, counts, statistics and samples, for people and hubs."""

from collections.abc import Iterable, Iterator
from typing import Any

from photochrom import dataset
from photochrom.dataset import DatasetInfo
from photochrom.model import front_matter
from photochrom.model.front_matter import escaped, linked
from pipelines.config import PrepareConfig

_NOT_STATED = "not stated"


def write_card(config: PrepareConfig, info: DatasetInfo, statistics: dict[str, Any]) -> str:
    """Returns the card as Markdown with YAML front matter; like all files of a dataset without the name of its folder.

    Args:
        config: has the licence, the credit and the homepage.
        info: the content of dataset_info.json.
        statistics: the content of statistics.json.
    """
    return front_matter.encode(_front(config, info)) + "\n".join(
        [f"\n# {escaped(_title(info))}", "", *_body(config, info, statistics)]
    )


def _title(info: DatasetInfo) -> str:
    return f"{info.examples} photographs in CIE L*a*b*"


def _front(config: PrepareConfig, info: DatasetInfo) -> dict[str, Any]:
    return {
        "pretty_name": _title(info),
        **front_matter.licence(config.licence),
        "task_categories": ["image-to-image"],
        "size_categories": [_size_category(info.examples)],
        "tags": ["colorization", "photographs", "tfrecord", "cielab"],
    }


def _size_category(examples: int) -> str:
    """Returns the name that hubs have for a number of examples."""
    below, names = 1_000, ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
    for name in names:
        if examples < below:
            return name
        below *= 10
    return "1B<n<10B"


def _body(config: PrepareConfig, info: DatasetInfo, statistics: dict[str, Any]) -> Iterator[str]:
    yield "Colour photographs as CIE L\\*a\\*b\\* records, to train colorizers of black-and-white photographs."
    yield ""
    yield from _table(("", ""), _facts(config, info))
    yield "## Splits\n"
    splits = ((name, split.examples, len(split.shard_lengths)) for name, split in info.splits.items())
    yield from _table(("split", "records", "files"), splits)
    yield "Copies of a photograph that were found are in one split.\n" if info.near_duplicates else ""
    yield "## Refused inputs\n"
    if info.refused:
        yield from _table(("stage: reason", "inputs"), info.refused.items())
        yield "`failures-*.jsonl` has a row for each.\n"
    else:
        yield "None.\n"
    yield "## Statistics\n\nIn CIE units, over the split `train`.\n"
    moments = ((f"{name}*", statistics[key]) for name, key in (("L", "lightness"), ("a", "a"), ("b", "b")))
    rows = ((name, f"{found['mean']:.2f}", f"{found['std']:.2f}") for name, found in moments)
    yield from _table(("", "mean", "standard deviation"), rows)
    yield f"![share of the pixels at each a* and b*]({dataset.GAMUT_PLOT})\n"
    if info.split("train").examples:
        yield "## Samples\n\nThe first records of the split `train`, with their keys.\n"
        yield f"![photographs]({dataset.CONTACT_SHEET})\n"


def _facts(config: PrepareConfig, info: DatasetInfo) -> Iterator[tuple[str, str]]:
    yield "licence", linked(config.licence) or _NOT_STATED
    yield "credit", escaped(config.credit) or _NOT_STATED
    yield "homepage", linked(config.homepage) or _NOT_STATED
    yield "digest", f"`{info.digest}`"
    yield "made by", f"Photochrom {info.photochrom_version}, `photochrom prepare`"
    yield "records", f"{info.examples}, of {info.inputs} inputs"
    yield "size", f"{info.image_size}x{info.image_size} px, a\\* and b\\* at 1/{info.ab_stride} of it"
    yield "format", f"TFRecord, compression {info.compression}; `{dataset.FEATURES_FILE}` has the features of a record"


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yields a table; cells are Markdown, but for the names of splits and reasons, which have no markup."""
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)
    yield ""
