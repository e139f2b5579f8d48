"""Counts near-duplicates on different sides of the split, from what the shards say that they hold."""

import collections
from collections.abc import Iterable
from typing import Any

from pipelines import splits
from pipelines.config import PrepareConfig


def report(summaries: Iterable[dict[str, Any]], config: PrepareConfig) -> dict[str, int] | None:
    """Returns what dataset_info.json says of near-duplicates; None if nobody looked for them.

    Args:
        summaries: of all shards, each with `split` and `near_duplicates`: [key, least key of its group] pairs.
        config: the job's settings.

    Returns:
        groups: of two or more inputs; inputs: in all groups; largest_group: inputs in the largest;
        across_splits: pairs within a group that the keys alone would lay on different sides;
        overlap: pairs within a group that do lie on different sides.
    """
    if config.near_duplicates == "ignore":
        return None
    shares = splits.parse(config.split)
    now: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    alone: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for summary in summaries:
        for key, representative in summary["near_duplicates"]:
            now[representative][summary["split"]] += 1
            alone[representative][splits.side(key, shares, config.seed)] += 1
    sizes = [group.total() for group in now.values()]
    return {
        "groups": len(sizes),
        "inputs": sum(sizes),
        "largest_group": max(sizes, default=0),
        "across_splits": sum(_pairs_apart(group) for group in alone.values()),
        "overlap": sum(_pairs_apart(group) for group in now.values()),
    }


def _pairs_apart(sides: collections.Counter[str]) -> int:
    """Returns how many pairs of inputs are on different sides, of the number of inputs on each."""
    return (sides.total() ** 2 - sum(count**2 for count in sides.values())) // 2
