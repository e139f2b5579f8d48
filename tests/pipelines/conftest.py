"""A dataset that the real job prepared from real photographs, shared by the tests that read one."""

import pathlib

import pytest

from photochrom.records import LabRecord, read_tfrecords
from photochrom.storage import files
from pipelines import prepare

ARGS = ("--image_size=64", "--split=train=0.7,validation=0.3", "--num_shards=2", "--direct_num_workers=2")


def read_examples(dataset: pathlib.Path) -> dict[str, list[LabRecord]]:
    """Returns the records of each split, in their order."""
    found: dict[str, list[LabRecord]] = {}
    for path in sorted(dataset.glob("*.tfrecord")):
        with files.open_read(str(path)) as file:
            found.setdefault(path.name.split("-")[0], []).extend(map(LabRecord.from_example, read_tfrecords(file)))
    return found


@pytest.fixture(scope="session")
def dataset(photo_folder, tmp_path_factory) -> tuple[pathlib.Path, dict[str, list[LabRecord]]]:
    """(folder, records by split)."""
    output = tmp_path_factory.mktemp("dataset") / "data [1]*?% {x}"  # TensorFlow takes some paths for patterns
    prepare.run(["--input", str(photo_folder), "--output", str(output), *ARGS])
    return output, read_examples(output)
