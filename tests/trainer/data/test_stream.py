import collections
import itertools
import re

import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from trainer.data import key_selection
from trainer.data.dataset import Dataset
from trainer.data.stream import LABELLED, TrainStream, expected_repeats, validation_batches

pytestmark = pytest.mark.job  # whole jobs or trainings


def _take(batches, count):
    return [{name: tensor.numpy() for name, tensor in batch.items()} for batch in itertools.islice(batches, count)]


def _assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_validation_batches_have_shapes_and_units(dataset):
    (batch,) = _take(validation_batches(Dataset(dataset), 8, examples=3), 1)
    assert {name: values.shape for name, values in batch.items()} == {
        "lightness": (3, 64, 64, 1),
        "ab": (3, 32, 32, 2),
        "weight": (3, 32, 32, 1),
    }
    assert 20 < batch["lightness"].mean() < 80
    assert batch["ab"].min() < -30


@pytest.mark.parametrize("step", [1, 4, 7])
def test_batches_resume_at_any_step(dataset, step):
    stream = TrainStream(Dataset(dataset), batch_size=4, shuffle_buffer=8, seed=0)
    assert stream.steps_per_epoch == 3
    _assert_same(_take(stream.batches(step), 3), _take(stream.batches(0), step + 3)[step:])


def test_epochs_reorder_all_photographs(dataset):
    stream = TrainStream(Dataset(dataset), batch_size=4, shuffle_buffer=8, seed=0)
    lightness = [batch["lightness"].mean(axis=(1, 2, 3)) for batch in _take(stream.batches(0), 6)]
    first, second = np.concatenate(lightness[:3]), np.concatenate(lightness[3:])
    np.testing.assert_allclose(sorted(first), sorted(second), atol=1e-3)
    assert not np.allclose(first, second, atol=1e-3)


def _counts(stream, epochs):
    """Returns how often each photograph occurs in some epochs, the most frequent first."""
    batches = _take(stream.batches(0), epochs * stream.steps_per_epoch)
    rows = [picture.tobytes() for batch in batches for picture in batch["lightness"]]
    return sorted(collections.Counter(rows).values(), reverse=True)


def test_sources_have_their_shares(dataset):
    opened = Dataset(dataset)
    first = opened.keys("train")[0][0]
    repeats = expected_repeats(opened, key_selection.parse_shares([f"^{re.escape(first)}$=0.5"]))
    stream = TrainStream(opened, 4, 8, 0, mirror=False, repeats=repeats)
    often, *others = _counts(stream, epochs=8)
    assert sum([often, *others]) == 96
    assert 40 <= often <= 56
    assert len(others) == 11
    _assert_same(_take(stream.batches(4), 3), _take(stream.batches(0), 7)[4:])


def test_source_with_share_0_is_left_out(dataset):
    opened = Dataset(dataset)
    dropped = opened.keys("train")[0][:3]
    repeats = expected_repeats(opened, key_selection.parse_shares([f"^{re.escape(key)}$=0" for key in dropped]))
    assert len(_counts(TrainStream(opened, 4, 8, 0, mirror=False, repeats=repeats), epochs=8)) == 9


def test_validation_batches_take_matching_keys(dataset):
    opened = Dataset(dataset)
    keys = [key for shard in opened.keys("validation") for key in shard]
    (whole,) = _take(validation_batches(opened, 8, 0), 1)
    (part,) = _take(validation_batches(opened, 8, 0, f"^({re.escape(keys[1])}|{re.escape(keys[3])})$"), 1)
    _assert_same([part], [{name: values[[1, 3]] for name, values in whole.items()}])
    with pytest.raises(errors.UsageError, match="'paintings' matches no key"):
        validation_batches(opened, 8, 0, "paintings")


def test_unlabelled_photographs_are_in_the_stream(dataset, unlabelled):
    stream = TrainStream(Dataset(dataset), 8, 16, 0, crop=32, film=1.0, unlabelled=Dataset(unlabelled))
    assert stream.steps_per_epoch == 2  # of 12 and 4
    batches = _take(stream.batches(0), 2)
    labelled = np.concatenate([batch[LABELLED].ravel() for batch in batches])
    assert sorted(labelled) == [0] * 4 + [1] * 12
    for name, value in (("ab", 0), ("weight", 1)):
        pictures = np.concatenate([batch[name] for batch in batches])
        assert (pictures[labelled == 0] == value).all() and (pictures[labelled == 1] != value).any()
    assert LABELLED not in _take(stream.labelled().batches(0), 1)[0]


def test_sources_of_unlabelled_photographs_are_weighed(dataset, unlabelled):
    opened = Dataset(dataset)
    shares = key_selection.parse_shares(["^train/0/=0"])  # the keys of both datasets
    repeats = expected_repeats(opened, shares, Dataset(unlabelled))
    assert [float(tf.reduce_sum(shard)) for shard in repeats] == pytest.approx([0, 12, 0, 4])
    stream = TrainStream(opened, 4, 16, 0, repeats=repeats, unlabelled=Dataset(unlabelled))
    assert [float(tf.reduce_sum(shard)) for shard in stream.labelled().repeats] == pytest.approx([0, 12])


def test_seed_changes_order_and_mirroring(dataset):
    opened = Dataset(dataset)
    one, other = (_take(TrainStream(opened, 12, 12, seed).batches(0), 1)[0] for seed in (0, 1))
    assert not np.array_equal(one["lightness"], other["lightness"])
    rows = {picture[0, :, 0].tobytes() for picture in one["lightness"]}
    again = {picture[0, :, 0].tobytes() for picture in other["lightness"]}
    assert 0 < len(rows & again) < 12


def test_ab_is_mirrored_with_its_lightness(dataset):
    batch = _take(TrainStream(Dataset(dataset), 12, 12, 0).batches(0), 1)[0]
    # In these pictures blue is light: lightness and b* correlate pixel by pixel, mirrored or not.
    small = batch["lightness"][:, ::2, ::2, 0]
    pairs = zip(small, batch["ab"][..., 1], strict=True)
    assert all(np.corrcoef(lightness.ravel(), b.ravel())[0, 1] < -0.9 for lightness, b in pairs)


def test_batch_larger_than_the_split_is_refused(dataset):
    with pytest.raises(errors.UsageError, match="--batch_size is 16, the train split has 12 photographs"):
        TrainStream(Dataset(dataset), 16, 8, 0)


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_rows_of_each_batch(dataset, hosts):
    stream = TrainStream(Dataset(dataset), batch_size=4, shuffle_buffer=8, seed=0, mirror=False)
    whole = _take(stream.batches(1), 3)
    parts = [_take(stream.batches(1, host, hosts), 3) for host in range(hosts)]
    joined = [{name: np.concatenate([part[i][name] for part in parts]) for name in whole[i]} for i in range(3)]
    _assert_same(joined, whole)


def test_random_changes_depend_on_seed_and_step(dataset):
    opened = Dataset(dataset)
    one, again, other = (_take(TrainStream(opened, 4, 8, seed, crop=32, film=1.0).batches(2), 2) for seed in (0, 0, 1))
    _assert_same(one, again)
    assert one[0]["lightness"].shape == (4, 32, 32, 1) and one[0]["ab"].shape == (4, 16, 16, 2)
    assert not np.array_equal(one[0]["lightness"], other[0]["lightness"])


def test_validation_batches_keep_the_order_of_records(dataset):
    opened = Dataset(dataset)
    (first,), (again,) = (_take(validation_batches(opened, 4, examples=0), 9) for _ in range(2))
    assert len(first["lightness"]) == opened.examples("validation") == 4
    _assert_same([first], [again])
