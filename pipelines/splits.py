"""The split and the shard of each input: arithmetic on stable digests of keys, without Beam."""

import itertools
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from photochrom.dataset import Shard
from photochrom.sources import keys

DEFAULT = "train=0.9,validation=0.05,test=0.05"
NAMES = ("train", "validation", "test")
_INPUTS_PER_SHARD = 1000


def parse(text: str) -> dict[str, float]:
    """Parses `train=0.9,validation=0.1`.

    Raises:
        ValueError: a name or number is invalid, or the shares do not add up to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise ValueError(f"--split has {part!r}, expected NAME=SHARE such as {DEFAULT}") from None
        if name not in NAMES or not 0 <= shares[name] <= 1:
            raise ValueError(f"--split has {part!r}, expected a name of {', '.join(NAMES)} and a share between 0 and 1")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise ValueError(f"--split {text} adds up to {sum(shares.values()):g}, expected 1; for example {DEFAULT}")
    return {name: share for name, share in shares.items() if share}


def count_shards(shares: dict[str, float], num_shards: int, inputs: int) -> dict[str, int]:
    """Returns the number of shards of each split.

    Args:
        shares: split -> share.
        num_shards: of the largest split; 0: one for each 1000 inputs.
        inputs: number of inputs in all.
    """
    largest = max(shares.values())
    num_shards = num_shards or math.ceil(inputs * largest / _INPUTS_PER_SHARD) or 1
    return {name: max(1, round(num_shards * share / largest)) for name, share in shares.items()}


def compile_kinds(pattern: str) -> re.Pattern[str]:
    """Returns the compiled expression of --stratify.

    Raises:
        ValueError: it is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--stratify {pattern!r} is no regular expression: {error}") from error
    if not compiled.groups:
        raise ValueError(f"--stratify {pattern!r} has no group, expected one around the kind: '/(\\w+)-[^/]*$'")
    return compiled


def kind(key: str, pattern: re.Pattern[str]) -> str:
    """Returns the kind of a key: the groups of an expression that is found in it; "" where none is."""
    found = pattern.search(key)
    return "\0".join(group or "" for group in found.groups()) if found else ""


def divide(positions: Iterable[float], shares: dict[str, float]) -> list[float]:
    """Returns the edges for `side` that give each split its share of some keys, to the nearest number of keys.

    Args:
        positions: keys.fraction of each key.
        shares: split -> share.
    """
    ordered = np.sort(np.fromiter(positions, np.float64))
    ends = (round(edge * len(ordered)) for edge in itertools.accumulate(shares.values()))
    return [float(ordered[end]) if end < len(ordered) else 1.0 for end in ends]


def side(key: str, shares: dict[str, float], seed: int, edges: Sequence[float] = ()) -> str:
    """Returns the split of a key.

    Args:
        key: the input's.
        shares: split -> share.
        seed: of the digests.
        edges: position, 0 to 1, at which each split ends, from `divide`; by default the shares themselves, so that the
            split does not depend on other inputs.
    """
    position = keys.fraction(key, seed)
    ends = edges or itertools.accumulate(shares.values())
    return next((name for name, edge in zip(shares, ends, strict=True) if position < edge), next(reversed(shares)))


def assign(
    key: str,
    shares: dict[str, float],
    counts: dict[str, int],
    seed: int,
    representative: str = "",
    edges: Sequence[float] = (),
) -> Shard:
    """Returns the shard of a key.

    Args:
        key: the input's.
        shares: split -> share.
        counts: split -> number of shards.
        seed: of the digests.
        representative: the key that determines the split, common to all near-duplicates; "" for the key itself.
            The key alone determines the shard within the split.
        edges: of the splits, see `side`.
    """
    name = side(representative or key, shares, seed, edges)
    return Shard(name, keys.digest(key, seed) % counts[name], counts[name])
