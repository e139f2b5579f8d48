"""Whole runs of the job on real photographs."""

import collections
import hashlib
import json
import pathlib
import shutil
import tarfile
import zipfile

import pytest
import tensorflow as tf

from photochrom import errors
from pipelines import prepare
from tests.support import counters

pytestmark = pytest.mark.job  # whole jobs or trainings

SPLIT = "--split=train=0.7,validation=0.3"
SIZE = "--image_size=64"


def run(inputs, output, *flags):
    return prepare.run([*(f"--input={path}" for path in inputs), f"--output={output}", SIZE, SPLIT, *flags])


def digests(folder: pathlib.Path, *patterns: str) -> dict[str, str]:
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def rows(folder: pathlib.Path, kind: str) -> list[dict]:
    return [
        json.loads(line) for path in sorted(folder.glob(f"{kind}-*.jsonl")) for line in path.read_text().splitlines()
    ]


@pytest.fixture
def archives(photo_folder, tmp_path):
    """The same photographs as zip, tar, tar.gz and manifest, with some bad members in each."""
    paths = sorted(photo_folder.rglob("*.jpg"))
    with zipfile.ZipFile(tmp_path / "box.zip", "w") as box:
        for path in paths[:8]:
            box.write(path, path.relative_to(photo_folder).as_posix())
        box.writestr("../escape.jpg", paths[0].read_bytes())
        box.writestr("gone.jpg", paths[0].read_bytes()[:500])
    for name, mode, members in (("plain.tar", "w", paths[8:12]), ("roll.tar.gz", "w:gz", paths[12:16])):
        with tarfile.open(tmp_path / name, mode) as roll:
            for path in members:
                roll.add(path, path.relative_to(photo_folder).as_posix())
    listed = [str(path) for path in paths[16:]] + [str(tmp_path / "missing.jpg")]
    (tmp_path / "list.txt").write_text("\n".join(listed) + "\n")
    return [tmp_path / name for name in ("box.zip", "plain.tar", "roll.tar.gz", "list.txt")]


def test_each_input_becomes_a_record_or_failure(archives, tmp_path):
    output = tmp_path / "dataset"
    result = run(archives, output)
    info = json.loads((output / "dataset_info.json").read_text())
    assert (info["inputs"], info["examples"]) == (27, 24)
    assert info["refused"] == {"list:unsafe_name": 1, "read:not_found": 1, "decode:undecodable": 1}
    items, failures = rows(output, "items"), rows(output, "failures")
    keys = [row["key"] for row in items + failures]
    assert len(keys) == len(set(keys)) == 27
    assert {"box.zip!../escape.jpg", "box.zip!gone.jpg"} <= {row["key"] for row in failures}
    assert "roll.tar.gz!coffee/0.jpg" in {row["key"] for row in items} or any("roll.tar.gz!" in k for k in keys)
    assert not (output / ".prepare").exists()
    counted = counters.of(result)
    assert counted["records-written"] + sum(v for k, v in counted.items() if k.startswith("refused-")) == 27


def test_tensorflow_alone_reads_shards(dataset):
    path, examples = dataset
    info = json.loads((path / "dataset_info.json").read_text())
    for split in ("train", "validation"):
        files = [str(path / name) for name in info["splits"][split]["files"]]
        read = [item.numpy() for item in tf.data.TFRecordDataset(files)]
        assert [len(list(tf.data.TFRecordDataset(f))) for f in files] == info["splits"][split]["shard_lengths"]
        assert read == [example.to_example() for example in examples[split]]


def test_items_state_positions_in_shards(dataset):
    path, _ = dataset
    by_place = {(row["shard"], row["position"]): row["key"] for row in rows(path, "items")}
    for file in sorted(path.glob("*.tfrecord")):
        for position, serialized in enumerate(tf.data.TFRecordDataset(str(file))):
            key = tf.train.Example.FromString(serialized.numpy()).features.feature["key"].bytes_list.value[0]
            assert by_place[file.stem, position] == key.decode()


@pytest.mark.parametrize(
    "workers",
    [
        ("--direct_num_workers=1", "--direct_running_mode=in_memory"),
        ("--direct_num_workers=3", "--direct_running_mode=multi_processing"),
    ],
)
def test_bytes_do_not_depend_on_workers(dataset, photo_folder, tmp_path, workers):
    path, _ = dataset  # made by two threads
    run([photo_folder], tmp_path / "again", "--num_shards=2", *workers)
    patterns = ("*.tfrecord", "items-*.jsonl", "dataset_info.json", "statistics/statistics.json", "features.json")
    assert digests(tmp_path / "again", *patterns) == digests(path, *patterns)


def test_gzip_shards_hold_the_same_records(dataset, photo_folder, tmp_path):
    _, examples = dataset
    run([photo_folder], tmp_path / "gz", "--num_shards=2", "--compression=gzip")
    paths = sorted(map(str, (tmp_path / "gz").glob("train-*.tfrecord.gz")))
    read = [item.numpy() for item in tf.data.TFRecordDataset(paths, compression_type="GZIP")]
    assert read == [example.to_example() for example in examples["train"]]


def test_second_run_keeps_shards_and_restores_missing(photo_folder, tmp_path):
    output = tmp_path / "dataset"
    run([photo_folder], output, "--num_shards=2")
    before = digests(output, "*.tfrecord", "dataset_info.json")
    kept = output / "train-00000-of-00002.tfrecord"
    written = kept.stat().st_mtime_ns
    (output / "train-00001-of-00002.tfrecord").unlink()
    (output / "dataset_info.json").unlink()
    result = run([photo_folder], output, "--num_shards=2")
    assert digests(output, "*.tfrecord", "dataset_info.json") == before
    assert kept.stat().st_mtime_ns == written
    counted = counters.of(result)
    assert counted["shards-kept"] == 2 and counted["shards-written"] == 1


def test_kinds_have_the_same_share_of_each_split(photo_folder, tmp_path):
    output, stratified = tmp_path / "dataset", "--stratify=/([^/]+)/[^/]+$"
    run([photo_folder], output, stratified, "--num_shards=2", "--near_duplicates=ignore")
    found = collections.defaultdict(collections.Counter)
    for row in rows(output, "items"):
        found[row["key"].split("/")[-2]][row["split"]] += 1
    assert len(found) > 1
    for sizes in found.values():
        assert sizes["train"] == round(0.7 * sizes.total())
    result = run([photo_folder], output, stratified, "--num_shards=2", "--near_duplicates=ignore")
    assert "shards-written" not in counters.of(result)
    with pytest.raises(
        errors.UsageError, match=r"made with --stratify=/\(\[\^/\]\+\)/.*, now it is ''; choose another"
    ):
        run([photo_folder], output, "--num_shards=2", "--near_duplicates=ignore")


def test_only_gray_photographs_are_an_error(gray_folder, tmp_path):
    with pytest.raises(errors.PhotochromError, match="no photograph could be used for training"):
        run([gray_folder / "box1"], tmp_path / "dataset")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_size=100"], "--image_size is 100, expected at least 32 and at most 4096 and a multiple of 32 px"),
        (["--split=train=0.5,test=0.1"], "adds up to 0.6, expected 1"),
        (["--num_shards=-1"], "--num_shards is -1"),
        (["--no_such_flag=1"], "unknown flag '--no_such_flag'"),
        (["--input=/no/such/folder"], "--input /no/such/folder does not exist"),
        (["--input=/no/such/*.jpg"], "matches no file"),
    ],
)
def test_usage_errors_precede_any_work(photo_folder, tmp_path, flags, message):
    with pytest.raises(errors.UsageError, match=message):
        prepare.run([f"--input={photo_folder}", f"--output={tmp_path / 'out'}", SIZE, SPLIT, *flags])
    assert not (tmp_path / "out").exists()


def test_cluster_with_bucket_output_needs_temp_location(photo_folder):
    cluster = ["--runner=PortableRunner", "--job_endpoint=localhost:1"]
    with pytest.raises(errors.UsageError, match="needs --temp_location=FOLDER, which all workers have"):
        prepare.run([f"--input={photo_folder}", "--output=gs://bucket/out", *cluster])


def test_output_of_another_dataset_is_refused(dataset, photo_folder):
    path, _ = dataset
    with pytest.raises(errors.UsageError, match="made with --image_size=64, now it is 128; choose another folder"):
        run([photo_folder], path, "--image_size=128")


def test_output_with_other_files_is_refused(photo_folder, tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(errors.UsageError, match="holds other files"):
        run([photo_folder], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_unwritable_output_is_refused(photo_folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UsageError, match="is a file, or below one; expected a folder"):
        run([photo_folder], tmp_path / "file" / "out")


def test_output_inside_input_is_refused(photo_folder):
    with pytest.raises(errors.UsageError, match="is inside --input"):
        run([photo_folder], photo_folder / "dataset")


def test_rows_that_mismatch_the_listing_are_named(photo_folder, tmp_path):
    run([photo_folder], tmp_path / "out")
    path = max(tmp_path.glob("out/items-*.jsonl"), key=lambda path: path.stat().st_size)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]))
    with pytest.raises(Exception, match="does not add up") as raised:
        run([photo_folder], tmp_path / "out")
    assert json.loads(lines[0])["key"] in str(raised.value)
    for summary in tmp_path.glob("out/shards/*"):
        summary.unlink()
    run([photo_folder], tmp_path / "out")


def test_shard_without_its_failures_is_rewritten(photo_folder, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(photo_folder, photos)
    (photos / "broken.jpg").write_bytes(b"broken")
    run([photos], tmp_path / "out")
    (failures,) = tmp_path.glob("out/failures-*.jsonl")
    before = failures.read_bytes()
    failures.unlink()
    run([photos], tmp_path / "out")
    assert failures.read_bytes() == before
