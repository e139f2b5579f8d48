import itertools
import json
import shutil

import numpy as np
import pytest

from photochrom import errors
from trainer.data.dataset import Dataset, TrainStream, validation_batches


def _take(batches, count):
    return [{name: tensor.numpy() for name, tensor in batch.items()} for batch in itertools.islice(batches, count)]


def _assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


@pytest.fixture
def copied(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "lab")


def _edit(file, change):
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def test_tensors_have_their_shapes_and_units(dataset):
    (batch,) = _take(validation_batches(Dataset(dataset), 8, examples=3), 1)
    assert {name: values.shape for name, values in batch.items()} == {
        "lightness": (3, 64, 64, 1),
        "ab": (3, 32, 32, 2),
        "weight": (3, 32, 32, 1),
    }
    assert 20 < batch["lightness"].mean() < 80
    assert batch["ab"].min() < -30


@pytest.mark.parametrize("step", [1, 4, 7])
def test_stream_continues_at_any_step(dataset, step):
    stream = TrainStream(Dataset(dataset), batch_size=4, shuffle_buffer=8, seed=0)
    assert stream.steps_per_epoch == 3
    _assert_same(_take(stream.batches(step), 3), _take(stream.batches(0), step + 3)[step:])


def test_epochs_hold_all_photographs_in_new_orders(dataset):
    stream = TrainStream(Dataset(dataset), batch_size=4, shuffle_buffer=8, seed=0)
    lightness = [batch["lightness"].mean(axis=(1, 2, 3)) for batch in _take(stream.batches(0), 6)]
    first, second = np.concatenate(lightness[:3]), np.concatenate(lightness[3:])
    np.testing.assert_allclose(sorted(first), sorted(second), atol=1e-3)
    assert not np.allclose(first, second, atol=1e-3)


def test_seeds_give_other_orders_and_some_pictures_are_mirrored(dataset):
    opened = Dataset(dataset)
    one, other = (_take(TrainStream(opened, 12, 12, seed).batches(0), 1)[0] for seed in (0, 1))
    assert not np.array_equal(one["lightness"], other["lightness"])
    rows = {picture[0, :, 0].tobytes() for picture in one["lightness"]}
    again = {picture[0, :, 0].tobytes() for picture in other["lightness"]}
    assert 0 < len(rows & again) < 12


def test_ab_is_mirrored_with_its_lightness(dataset):
    batch = _take(TrainStream(Dataset(dataset), 12, 12, 0).batches(0), 1)[0]
    # In these pictures blue is light: they go together pixel by pixel, whichever way they face.
    small = batch["lightness"][:, ::2, ::2, 0]
    pairs = zip(small, batch["ab"][..., 1], strict=True)
    assert all(np.corrcoef(lightness.ravel(), b.ravel())[0, 1] < -0.9 for lightness, b in pairs)


def test_image_size_must_be_the_datasets(dataset):
    with pytest.raises(errors.UsageError, match=r"--image_size is 96, the dataset .* was prepared at 64"):
        Dataset(dataset, 96)


def test_missing_dataset_is_one_line(tmp_path):
    with pytest.raises(errors.UsageError, match=r"nothing is no complete dataset: dataset_info.json is missing"):
        Dataset(tmp_path / "nothing")


def test_missing_prior_names_both_sides(copied):
    _edit(copied / "statistics" / "statistics.json", lambda values: values.pop("ab_prior"))
    with pytest.raises(errors.UsageError, match=r"has an ab_prior of none, expected \d+ bins"):
        Dataset(copied)
    _edit(copied / "statistics" / "statistics.json", lambda values: values.update(ab_prior=[0.5, 0.5]))
    with pytest.raises(errors.UsageError, match=r"has an ab_prior of 2 bins, expected \d+ bins"):
        Dataset(copied)


def test_other_format_and_odd_sizes_are_refused(copied):
    _edit(copied / "dataset_info.json", lambda values: values["settings"].update(image_size=72))
    with pytest.raises(errors.UsageError, match="has pictures of 72 px, expected a multiple of 32 px"):
        Dataset(copied)
    _edit(copied / "dataset_info.json", lambda values: values.update(format_version=9))
    with pytest.raises(errors.UsageError, match="holds no dataset of format 1"):
        Dataset(copied)


def test_missing_shards_and_empty_splits_are_named(copied):
    next(copied.glob("train-00001*")).unlink()
    with pytest.raises(errors.UsageError, match=r"has 1 train shards, dataset_info\.json says 2"):
        Dataset(copied).files("train")
    with pytest.raises(errors.UsageError, match="has no photographs in its test split"):
        Dataset(copied).files("test")


def test_batch_larger_than_the_split_is_refused(dataset):
    with pytest.raises(errors.UsageError, match="--batch_size is 16, the train split has 12 photographs"):
        TrainStream(Dataset(dataset), 16, 8, 0)


def test_missing_transform_is_named(copied):
    shutil.rmtree(copied / "transform_fn")
    with pytest.raises(errors.UsageError, match="transform_fn is no SavedModel"):
        Dataset(copied)
