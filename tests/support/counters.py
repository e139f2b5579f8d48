"""Beam's counters of a finished job."""

import collections


def of(result) -> collections.Counter[str]:
    """Returns name -> count, summed over all steps with a counter of that name."""
    found: collections.Counter[str] = collections.Counter()
    for counter in result.metrics().query()["counters"]:
        found[counter.key.metric.name] += counter.committed
    return found
