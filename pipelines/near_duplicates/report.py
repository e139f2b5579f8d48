"""Counts groups of near-duplicates, and pairs in different splits, from the shards' summaries."""

import collections
from collections.abc import Iterable

from photochrom.dataset import NearDuplicates
from pipelines import splits
from pipelines.config import PrepareConfig
from pipelines.shards import ShardSummary


def count_groups(summaries: Iterable[ShardSummary], config: PrepareConfig) -> NearDuplicates | None:
    """Returns the counts for dataset_info.json; None if the job did not search for near-duplicates.

    Args:
        summaries: those of all shards.
        config: the job's settings.
    """
    if config.near_duplicates == "ignore":
        return None
    shares = splits.parse(config.split)
    now: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    alone: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for summary in summaries:
        for key, representative in summary.near_duplicates:
            now[representative][summary.split] += 1
            alone[representative][splits.side(key, shares, config.seed)] += 1
    sizes = [group.total() for group in now.values()]
    return NearDuplicates(
        groups=len(sizes),
        inputs=sum(sizes),
        overlap=sum(_pairs_apart(group) for group in now.values()),
        largest_group=max(sizes, default=0),
        across_splits=sum(_pairs_apart(group) for group in alone.values()),
    )


def _pairs_apart(split_sizes: collections.Counter[str]) -> int:
    """Returns the number of pairs of inputs in different splits, from the number of inputs in each."""
    return (split_sizes.total() ** 2 - sum(count**2 for count in split_sizes.values())) // 2
