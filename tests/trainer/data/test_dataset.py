import json
import shutil

import pytest

from photochrom import errors
from trainer.data.dataset import Dataset


@pytest.fixture
def copied(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "lab")


def _edit(file, change):
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def test_image_size_must_match_the_dataset(dataset):
    with pytest.raises(errors.UsageError, match=r"--image_size is 96, the dataset .* was prepared at 64"):
        Dataset(dataset, 96)


def test_missing_dataset_is_one_line(tmp_path):
    with pytest.raises(errors.UsageError, match=r"nothing is no complete dataset: dataset_info.json is missing"):
        Dataset(tmp_path / "nothing")


def test_missing_prior_names_both_sizes(copied):
    _edit(copied / "statistics" / "statistics.json", lambda values: values.pop("ab_prior"))
    with pytest.raises(errors.UsageError, match=r"has an ab_prior of none, expected \d+ bins"):
        Dataset(copied)
    _edit(copied / "statistics" / "statistics.json", lambda values: values.update(ab_prior=[0.5, 0.5]))
    with pytest.raises(errors.UsageError, match=r"has an ab_prior of 2 bins, expected \d+ bins"):
        Dataset(copied)


def test_other_formats_and_odd_sizes_are_refused(copied):
    _edit(copied / "dataset_info.json", lambda values: values["settings"].update(image_size=72))
    with pytest.raises(errors.UsageError, match="has pictures of 72 px, expected a multiple of 32 px"):
        Dataset(copied)
    _edit(copied / "dataset_info.json", lambda values: values.update(format_version=9))
    with pytest.raises(errors.UsageError, match="holds no dataset of format 1"):
        Dataset(copied)


def test_files_names_missing_shards_and_empty_splits(copied):
    next(copied.glob("train-00001*")).unlink()
    with pytest.raises(errors.UsageError, match=r"has 1 train shards, dataset_info\.json says 2"):
        Dataset(copied).files("train")
    with pytest.raises(errors.UsageError, match="has no photographs in its test split"):
        Dataset(copied).files("test")


def test_missing_transform_is_named(copied):
    shutil.rmtree(copied / "transform_fn")
    with pytest.raises(errors.UsageError, match=r"transform_fn is no SavedModel: saved_model\.pb cannot be read"):
        Dataset(copied)
