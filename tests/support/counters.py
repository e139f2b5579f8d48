"""Beam's counters of a finished job."""

import collections


def of(result) -> collections.Counter[str]:
    """Returns name -> count, over all steps that count under that name."""
    found: collections.Counter[str] = collections.Counter()
    for counter in result.metrics().query()["counters"]:
        found[counter.key.metric.name] += counter.committed
    return found
