"""Choice of a dataset's records by their keys: the share of each source in training, the part for validation."""

import collections
import re
from collections.abc import Iterable, Sequence

# A collection that is repeated more often would be learned by heart.
_MOST_REPEATS = 100
# Subset of the photographs whose keys the expression does not match.
UNMATCHED = "(no match)"
# Shares that differ by less are equal: the rest of shares that add up to 1 is rarely 0.
_NO_SHARE = 1e-9


def compile_pattern(flag: str, pattern: str) -> re.Pattern[str]:
    """Returns the compiled regular expression of a flag; raises ValueError if it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--{flag} {pattern!r} is no regular expression: {error}") from error


def compile_subsets(pattern: str) -> re.Pattern[str]:
    """Returns the compiled expression of --subsets; raises ValueError if it is none, or has no group."""
    compiled = compile_pattern("subsets", pattern)
    if pattern and not compiled.groups:
        raise ValueError(f"--subsets {pattern!r} has no group, expected one around the subset's name: '^(\\w+)-'")
    return compiled


def subset(pattern: re.Pattern[str], key: str) -> str:
    """Returns the name of the subset of a key: the first group of the expression."""
    found = pattern.search(key)
    return (found.group(1) or UNMATCHED) if found else UNMATCHED


def parse_shares(texts: Iterable[str]) -> dict[re.Pattern[str], float]:
    """Returns the pattern of each source and its share of the training photographs.

    Args:
        texts: `REGEX=SHARE` each.

    Raises:
        ValueError: one is malformed, or the shares add up to more than 1.
    """
    shares: dict[re.Pattern[str], float] = {}
    for text in texts:
        pattern, _, share = text.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not pattern or not 0 <= value <= 1:
            raise ValueError(f"--source_weights is {text!r}, expected REGEX=SHARE with a share of 0 to 1")
        shares[compile_pattern("source_weights", pattern)] = value
    if sum(shares.values()) > 1 + _NO_SHARE:
        raise ValueError(f"the shares of --source_weights add up to {sum(shares.values()):g}, expected at most 1")
    return shares


def matches(pattern: re.Pattern[str], keys: Iterable[str]) -> list[bool]:
    """Returns for each key whether the pattern is found in it."""
    return [bool(pattern.search(key)) for key in keys]


def repeats(shares: dict[re.Pattern[str], float], keys: Sequence[str]) -> list[float]:
    """Returns the expected number of times that each record occurs in an epoch.

    Args:
        shares: of `parse_shares`.
        keys: of all N records.

    Returns:
        N numbers, N in sum: of each source its share, of the records that no pattern matches what is left.

    Raises:
        ValueError: a source has no record, or too few for its share.
    """
    sources = [next((pattern for pattern in shares if pattern.search(key)), None) for key in keys]
    counts = collections.Counter(sources)
    wanted: dict[re.Pattern[str] | None, float] = {None: 1 - sum(shares.values())}
    wanted.update(shares.items())
    for source, share in wanted.items():
        if share * len(keys) > _MOST_REPEATS * counts[source] and share > _NO_SHARE:
            name = source.pattern if source else "the other photographs"
            raise ValueError(
                f"--source_weights: {name} has {counts[source]} of {len(keys)} training photographs, for a share of "
                f"{share:g} each would be repeated over {_MOST_REPEATS} times an epoch"
            )
    return [wanted[source] * len(keys) / counts[source] for source in sources]
