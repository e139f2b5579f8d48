from photochrom.dataset import NearDuplicates
from pipelines import splits
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import report
from pipelines.shards import ShardSummary

CONFIG = PrepareConfig(input=("x",), output="y", split="train=0.5,validation=0.5")
SHARES = splits.parse(CONFIG.split)


def summary(split, *members):
    return ShardSummary(
        name=f"{split}-00000-of-00001",
        file="",
        split=split,
        examples=len(members),
        inputs=len(members),
        refused={},
        near_duplicates=[list(member) for member in members],
        sha256="",
        plan_digest="",
    )


def test_pairs_in_different_splits_are_counted():
    summaries = [summary("train", ("a", "a"), ("b", "a"), ("x", "x"), ("y", "x")), summary("validation", ("c", "a"))]
    found = report.count_groups(summaries, CONFIG)
    assert (found.groups, found.inputs, found.largest_group) == (2, 5, 3)
    assert found.overlap == 2  # a and c, b and c


def test_pairs_separated_by_keys_alone_are_counted():
    keys = [f"photos/{i}.jpg" for i in range(20)]
    in_train = sum(splits.side(key, SHARES, 0) == "train" for key in keys)
    found = report.count_groups([summary("train", *((key, keys[0]) for key in keys))], CONFIG)
    assert 0 < in_train < 20
    assert (found.across_splits, found.overlap) == (in_train * (20 - in_train), 0)


def test_no_search_differs_from_none_found():
    assert report.count_groups([summary("train")], CONFIG) == NearDuplicates(0, 0, 0)
    ignoring = PrepareConfig(input=("x",), output="y", near_duplicates="ignore")
    assert report.count_groups([summary("train")], ignoring) is None
