import json
import subprocess
import sys

import pytest

from photochrom import dataset
from photochrom.dataset import DatasetInfo, Embedding, NearDuplicates, Shard, Split

SETTINGS = {"image_size": 64, "ab_stride": 2, "compression": "gzip"}
INFO = DatasetInfo(
    digest="sha256:00",
    settings=SETTINGS,
    splits={"train": Split(3, (2, 1), ("train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"), ("a", "b"))},
    photochrom_version="1",
    inputs=4,
    examples=3,
    refused={"screen:toned": 1},
    near_duplicates=NearDuplicates(1, 2, 0, 2, 1),
    embedding=Embedding("net", "sha256:01", "sha256:02", "float16", [[2, 2, 8]], {"train-00000-of-00002": "a"}),
)
# The least that a dataset of this format states.
LEAST = {
    "format_version": 1,
    "digest": "sha256:00",
    "settings": {"image_size": 64, "ab_stride": 2},
    "splits": {"train": {"examples": 1, "shard_lengths": [1]}},
}


def test_shard_is_named_as_tensorflow_datasets_does():
    assert Shard("train", 3, 64).name == "train-00003-of-00064"


def test_shard_files_are_named_after_the_shard():
    name = Shard("test", 0, 2).name
    assert dataset.shard_files(name) == [
        "test-00000-of-00002.tfrecord",
        "test-00000-of-00002.tfrecord.gz",
        "items-test-00000-of-00002.jsonl",
        "failures-test-00000-of-00002.jsonl",
        "shards/test-00000-of-00002.json",
    ]
    assert dataset.features_array(name) == "embeddings/test-00000-of-00002.npy"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_shard_of_inverts_the_names_of_files(compression):
    name = Shard("train", 1, 16).name
    stored = [dataset.records_file(name, compression), dataset.summary_file(name)]
    features = [dataset.features_array(name), dataset.features_origin(name)]
    assert {dataset.shard_of(f"gs://bucket.eu/lab.v1/{file}") for file in stored + features} == {name}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train-00000-of-00001.tfrecord", True),
        ("train-00000-of-00001.tfrecord.gz", True),
        ("validation-00000-of-00001.tfrecord", False),
        ("items-train-00000-of-00001.jsonl", False),
        ("shards/train-00000-of-00001.json", False),
        ("train-notes.txt", False),
    ],
)
def test_is_records_file_accepts_shards_of_the_split(name, expected):
    assert dataset.is_records_file(name, "train") is expected


def test_dataset_info_survives_a_round_trip_through_json():
    text = json.dumps(INFO.to_json(), sort_keys=True)
    again = DatasetInfo.from_json(json.loads(text), "lab")
    assert again == INFO
    assert json.dumps(again.to_json(), sort_keys=True) == text
    assert (again.image_size, again.ab_stride, again.compression) == (64, 2, "gzip")


def test_dataset_info_reads_datasets_that_state_less():
    info = DatasetInfo.from_json(LEAST, "lab")
    assert (info.compression, info.near_duplicates, info.embedding) == ("none", None, None)
    assert info.split("train").examples == 1 and info.split("test") == Split(0, ())
    counted = {"groups": 7, "inputs": 15, "overlap": 3}
    assert DatasetInfo.from_json({**LEAST, "near_duplicates": counted}, "lab").near_duplicates.overlap == 3
    assert DatasetInfo.from_json({**LEAST, "near_duplicates": {"groups": 7}}, "lab").near_duplicates is None
    assert DatasetInfo.from_json({**LEAST, "of a later version": 1}, "lab") == info


@pytest.mark.parametrize("info", [None, [], {}, {"format_version": 99}])
def test_dataset_info_refuses_other_formats(info):
    with pytest.raises(ValueError, match=r"x holds no dataset of format 1 .*photochrom prepare"):
        DatasetInfo.from_json(info, "x")


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"settings": {"image_size": 64}}, "ab_stride"),
        ({"settings": None}, "None"),
        ({"splits": {"train": {"examples": 1}}}, "shard_lengths"),
        ({"splits": []}, "list"),
        ({"embedding": {"backbone": "net"}}, "weights_digest"),
    ],
)
def test_dataset_info_names_missing_fields(change, missing):
    with pytest.raises(ValueError, match=rf"x/dataset_info\.json is incomplete: .*{missing}"):
        DatasetInfo.from_json({**LEAST, **change}, "x")


def test_dataset_info_requires_a_digest():
    values = {name: value for name, value in LEAST.items() if name != "digest"}
    with pytest.raises(ValueError, match=r"x/dataset_info\.json is incomplete: .*digest"):
        DatasetInfo.from_json(values, "x")


def test_module_needs_no_tensorflow():
    code = "import sys, photochrom.dataset; print(sorted({'tensorflow', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
