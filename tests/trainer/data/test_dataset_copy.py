"""Training on a dataset in a bucket through a local copy: network errors, interruption, lack of space, changes."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from photochrom import cli
from photochrom.dataset import shard_prefix
from photochrom.storage import files
from tests.support import variables
from tests.support.bucket_server import CUT, FLIPPED, LOST, RESET, every
from trainer import evaluate, train
from trainer.data.dataset_copy import DatasetCopy
from trainer.model import weights

# One worker trains the bundle that two tests compare.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("test_dataset_copy")]

FLAGS = (
    "--backbone=none",
    "--width=4",
    "--decoder_width=8",
    "--batch_size=4",
    "--steps=2",
    "--fine_tune_steps=0",
    "--confidence_steps=0",
)
SHARDS = [f"{split}-0000{i}-of-00002.tfrecord" for split in ("train", "validation") for i in range(2)]


def train_on(data, folder, *flags):
    return train.run([f"--data={data}", f"--model_dir={folder}", *FLAGS, *flags])


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    """The bundle of a run on the local dataset."""
    return train_on(dataset, tmp_path_factory.mktemp("runs") / "local")


def read_objects(store):
    """Returns the names of the objects whose content was requested, one for each request."""
    asked = (request for request in store.requests if request.query.get("alt") == "media")
    return [request.path.rpartition("%2F")[2] for request in asked]


@pytest.fixture
def remote(bucket, dataset):
    """The dataset in a bucket, with a file that training does not read."""
    files.copy_folder(str(dataset), f"{bucket}/lab")
    files.write_bytes(f"{bucket}/lab/items-train-00000-of-00002.jsonl", b"{}")
    return f"{bucket}/lab"


def test_sources_in_a_bucket_are_weighted_and_validated_on(bucket, dataset, tmp_path):
    files.copy_folder(str(dataset), f"{bucket}/lab")
    flags = ("--source_weights=^train/0/=0.9", "--validate_on=/0/", f"--cache_dir={tmp_path / 'cache'}")
    made = train_on(f"{bucket}/lab", tmp_path / "run", *flags)
    assert made.info["metrics"]["examples"] == 2


def test_network_errors_do_not_change_trained_weights(store, remote, trained, tmp_path):
    cache = f"--cache_dir={tmp_path / 'cache'}"
    store.fault = every(4, "503", "429", RESET, LOST, CUT)
    made = train_on(remote, tmp_path / "remote", cache)
    variables.assert_same(made, trained)
    assert str(tmp_path) not in json.dumps(made.info)
    store.clear()
    assert train_on(f"{remote}/", tmp_path / "remote", cache).digest == made.digest
    assert read_objects(store) == ["dataset_info.json"] * 2  # to check the flags, and to find the copy
    assert not list((tmp_path / "cache").rglob("items-*"))


def test_killed_copy_resumes_with_missing_files(store, remote, tmp_path):
    argv = [f"--data={remote}", f"--model_dir={tmp_path / 'run'}", f"--cache_dir={tmp_path / 'cache'}", *FLAGS]
    code = (
        "import sys\nfrom photochrom import cli\nfrom photochrom.storage import local_cache\n"
        "from trainer import train\nlocal_cache._THREADS = 1\n"
        "sys.exit(cli.call(train.run, sys.argv[1:]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, *argv], env=os.environ, stderr=subprocess.DEVNULL) as process:

        def kill(request):
            if request.path.endswith(SHARDS[2]):
                process.send_signal(signal.SIGKILL)

        store.fault = kill
        assert process.wait() == -signal.SIGKILL
    (half,) = (tmp_path / "cache").iterdir()
    assert [name for name in SHARDS if (half / name).exists()] == SHARDS[:2]
    (half / ".photochrom-tmp-of-the-killed").write_bytes(b"half")
    store.clear()
    assert cli.call(train.run, argv) == 0
    assert sorted(read_objects(store)) == ["dataset_info.json", "dataset_info.json", *SHARDS[2:]]
    assert not list(half.glob(".photochrom-tmp-*"))


def test_corrupted_transfer_is_discarded(store, remote, tmp_path):
    store.fault = lambda request: FLIPPED if request.path.endswith(SHARDS[0]) else None
    copy = DatasetCopy(remote, str(tmp_path))
    with pytest.raises(OSError, match="do not match the object's CRC-32C"):
        copy.bring(shard_prefix("train"))
    assert not (copy.folder / SHARDS[0]).exists()


def test_copy_damaged_on_disk_is_replaced(remote, dataset, tmp_path):
    copy = DatasetCopy(remote, str(tmp_path))
    copy.bring(shard_prefix("train"))
    data = bytearray((copy.folder / SHARDS[0]).read_bytes())
    data[100] ^= 1
    (copy.folder / SHARDS[0]).write_bytes(data)
    DatasetCopy(remote, str(tmp_path)).bring(shard_prefix("train"))
    assert (copy.folder / SHARDS[0]).read_bytes() == (dataset / SHARDS[0]).read_bytes()


def test_shard_replaced_during_copy_is_reported(remote, tmp_path):
    copy = DatasetCopy(remote, str(tmp_path))
    files.write_bytes(f"{remote}/{SHARDS[0]}", b"another")
    with pytest.raises(OSError, match=f"{SHARDS[0]} was replaced while it was copied; the same command copies it"):
        copy.bring(shard_prefix("train"))


def test_each_state_of_a_dataset_has_its_copy(remote, tmp_path):
    first = DatasetCopy(remote, str(tmp_path)).folder
    assert DatasetCopy(remote, str(tmp_path)).folder == first
    info = json.loads(files.read_bytes(f"{remote}/dataset_info.json"))
    files.write_bytes(f"{remote}/dataset_info.json", json.dumps({**info, "digest": "sha256:" + "1" * 64}).encode())
    assert DatasetCopy(remote, str(tmp_path)).folder != first


def test_copy_without_space_is_refused_beforehand(store, remote, tmp_path, monkeypatch, capsys):
    flags = [f"--data={remote}", f"--model_dir={tmp_path / 'run'}", f"--cache_dir={tmp_path / 'cache'}", *FLAGS]
    assert cli.call(train.run, [*flags, "--cache_gb=0.00001"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"needs 0\.\d+ GB more, \S+/cache holds 0\.000 GB and may hold 1e-05 \(--cache_gb\); allow", said)
    full = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert cli.call(train.run, flags) == 2
    assert "has 0.000 GB left; make room, or name a folder on a larger disk" in capsys.readouterr().err
    assert not set(read_objects(store)) & set(SHARDS)


def test_missing_dataset_is_one_line(bucket, tmp_path, capsys):
    for data, said in (
        (f"{bucket}/none", "is no complete dataset"),
        ("gs://no-such-bucket/lab", "there is no bucket gs:"),
    ):
        assert cli.call(train.run, [f"--data={data}", f"--model_dir={tmp_path}", *FLAGS]) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("flag", ["model_dir", "promote_if_better", "cache_dir"])
def test_bucket_paths_of_local_flags_are_refused(store, flag, capsys):
    flags = {"data": "gs://b/lab", "model_dir": "run", flag: "gs://b/run"}
    assert cli.call(train.run, [*(f"--{name}={value}" for name, value in flags.items()), *FLAGS]) == 2
    assert f"--{flag} is gs://b/run, expected a local folder: " in capsys.readouterr().err
    assert not store.requests


def test_evaluate_reads_and_writes_buckets(store, remote, bucket, learned, dataset, tmp_path):
    files.copy_folder(str(learned.path), f"{bucket}/model")
    local = evaluate.run([f"--model={learned.path}", f"--data={dataset}", f"--output={tmp_path / 'local'}"])
    store.fault = every(5, "503", RESET, CUT)
    summary = evaluate.run([f"--model={bucket}/model", f"--data={remote}", f"--output={bucket}/evaluation"])
    store.clear()
    assert summary["methods"] == local["methods"]
    assert json.loads(files.read_bytes(f"{bucket}/evaluation/summary.json"))["methods"] == local["methods"]
    assert files.read_bytes(f"{bucket}/evaluation/metrics.csv") == (tmp_path / "local/metrics.csv").read_bytes()


def test_training_starts_from_bundle_in_bucket(remote, bucket, trained, tmp_path):
    files.copy_folder(str(trained.path), f"{bucket}/start")
    begun = train_on(remote, tmp_path / "begun", f"--init={bucket}/start", f"--cache_dir={tmp_path / 'cache'}")
    assert begun.info["init"] == trained.digest


def test_weights_changed_in_bucket_are_copied_again(store, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for content in (b"first", b"other"):
        files.write_bytes(f"{bucket}/net.h5", content)
        found = weights.fetch(f"{bucket}/net.h5", "ResNet50")
        assert found.path.read_bytes() == content and found.sha256 == hashlib.sha256(content).hexdigest()
    store.clear()
    weights.fetch(f"{bucket}/net.h5", "ResNet50")
    assert read_objects(store) == []
