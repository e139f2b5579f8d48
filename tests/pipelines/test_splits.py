import collections

import pytest

from photochrom.dataset import Shard
from photochrom.sources import keys
from pipelines import splits

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def test_parse_reads_shares_and_drops_empty_ones():
    assert splits.parse("train=0.9, validation=0.1,test=0") == {"train": 0.9, "validation": 0.1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train=0.9,validation=0.2", r"adds up to 1\.1, expected 1"),
        ("train=most", "expected NAME=SHARE"),
        ("training=1", "expected a name of train, validation, test"),
        ("train=2,test=-1", "a share between 0 and 1"),
        ("", "expected NAME=SHARE"),
    ],
)
def test_parse_names_the_fault(text, message):
    with pytest.raises(ValueError, match=message):
        splits.parse(text)


@pytest.mark.parametrize(
    ("num_shards", "inputs", "expected"),
    [(0, 10, (1, 1, 1)), (0, 10_000, (8, 1, 1)), (16, 10, (16, 2, 2)), (0, 0, (1, 1, 1))],
)
def test_count_shards(num_shards, inputs, expected):
    assert tuple(splits.count_shards(SHARES, num_shards, inputs).values()) == expected


def test_assign_is_stable():
    counts = {"train": 16, "validation": 2, "test": 2}
    found = [splits.assign(f"photos/{i}.jpg", SHARES, counts, seed=0) for i in range(4)]
    # Golden: the shard of a key must never change, or records would move between train and test.
    assert found == [Shard("test", 1, 2), Shard("train", 6, 16), Shard("train", 5, 16), Shard("test", 0, 2)]


def test_assign_respects_shares_and_spreads_evenly():
    counts = {"train": 4, "validation": 1, "test": 1}
    found = [splits.assign(f"key{i}", SHARES, counts, seed=3) for i in range(10_000)]
    by_split = collections.Counter(shard.split for shard in found)
    assert by_split["train"] == pytest.approx(8000, abs=150)
    assert by_split["test"] == pytest.approx(1000, abs=100)
    by_shard = collections.Counter(shard.number for shard in found if shard.split == "train")
    assert min(by_shard.values()) > 0.9 * max(by_shard.values())


def test_seed_changes_the_split():
    counts = {"train": 1, "validation": 1, "test": 1}
    found = {tuple(splits.assign(f"key{i}", SHARES, counts, seed).split for i in range(50)) for seed in range(3)}
    assert len(found) == 3


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "--stratify '\\(' is no regular expression"), ("a+", "has no group, expected one")]
)
def test_kinds_need_an_expression_with_groups(pattern, message):
    with pytest.raises(ValueError, match=message):
        splits.compile_kinds(pattern)


def test_kind_is_named_by_all_groups():
    pattern = splits.compile_kinds(r"^(\w+)/(?:(\w+)-)?\d")
    found = [splits.kind(key, pattern) for key in ("a/b-1", "a/1", "a/c-1", "other")]
    assert found == ["a\0b", "a\0", "a\0c", ""]


@pytest.mark.parametrize(("count", "sizes"), [(200, [160, 20, 20]), (10, [8, 1, 1]), (3, [2, 1, 0]), (1, [1, 0, 0])])
def test_divide_gives_each_split_its_share(count, sizes):
    names = [f"key{i}" for i in range(count)]
    edges = splits.divide((keys.fraction(name, 5) for name in names), SHARES)
    found = collections.Counter(splits.side(name, SHARES, 5, edges) for name in names)
    assert [found[name] for name in SHARES] == sizes
    # In the order of their digests, whatever the order of the keys.
    assert splits.divide((keys.fraction(name, 5) for name in reversed(names)), SHARES) == edges
    parts = [splits.side(name, SHARES, 5, edges) for name in sorted(names, key=lambda name: keys.fraction(name, 5))]
    assert parts == sorted(parts, key=list(SHARES).index)
