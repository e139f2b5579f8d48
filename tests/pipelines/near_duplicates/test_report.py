from pipelines import splits
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import leaks

CONFIG = PrepareConfig(input=("x",), output="y", split="train=0.5,validation=0.5")
SHARES = splits.parse(CONFIG.split)


def summary(split, *members):
    return {"split": split, "near_duplicates": [list(member) for member in members]}


def test_pairs_on_different_sides_are_counted():
    summaries = [summary("train", ("a", "a"), ("b", "a"), ("x", "x"), ("y", "x")), summary("validation", ("c", "a"))]
    found = leaks.report(summaries, CONFIG)
    assert (found["groups"], found["inputs"], found["largest_group"]) == (2, 5, 3)
    assert found["overlap"] == 2  # a and c, b and c


def test_pairs_that_the_keys_alone_would_part_are_counted():
    keys = [f"photos/{i}.jpg" for i in range(20)]
    in_train = sum(splits.side(key, SHARES, 0) == "train" for key in keys)
    found = leaks.report([summary("train", *((key, keys[0]) for key in keys))], CONFIG)
    assert 0 < in_train < 20
    assert (found["across_splits"], found["overlap"]) == (in_train * (20 - in_train), 0)


def test_nobody_having_looked_is_not_the_same_as_none_found():
    assert leaks.report([summary("train")], CONFIG) == dict.fromkeys(
        ("groups", "inputs", "largest_group", "across_splits", "overlap"), 0
    )
    ignoring = PrepareConfig(input=("x",), output="y", near_duplicates="ignore")
    assert leaks.report([summary("train")], ignoring) is None
