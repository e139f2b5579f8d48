"""Both Beam jobs on a Flink of three addresses, all in a bucket; a host dies, or its link is cut, during the run."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
from google.cloud import storage

from photochrom import demo
from tests.support import bucket_server

# tests/clusters is no package: pytest finds its modules by path alone.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import flink_cluster
import hosts
import trees

pytestmark = [pytest.mark.hosts, pytest.mark.xdist_group("cluster")]
JOB_SECONDS = 400


@pytest.fixture
def network():
    try:
        with hosts.bridged(3) as made:
            yield made
    except hosts.Unavailable as error:
        pytest.skip(f"NOT TESTED ON SEVERAL HOSTS: {error}")


@pytest.fixture
def bucket(network, monkeypatch):
    """A bucket that all hosts reach: its client's handle, and the server."""
    with bucket_server.running(network[0]) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        server.make_bucket("archive")
        yield storage.Client.create_anonymous_client().bucket("archive"), server


@pytest.fixture
def cluster(network, bucket, tmp_path):
    environment = {"STORAGE_EMULATOR_HOST": bucket[1].address}
    try:
        with flink_cluster.running(tmp_path / "flink", hosts=network[1], environment=environment) as found:
            yield found
    except flink_cluster.Unavailable as error:
        pytest.skip(f"NOT TESTED ON FLINK: {error}")


def photochrom(*arguments):
    code = "import sys; from photochrom import cli; sys.exit(cli.main())"
    environment = {**os.environ, "PYTHONPATH": str(flink_cluster.PROJECT)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=JOB_SECONDS, check=False, env=environment)


def contents(bucket, prefix):
    """Returns the objects of a run that are the same in every run, by their names in its folder."""
    found = {blob.name.removeprefix(prefix): blob for blob in bucket.list_blobs(prefix=prefix)}
    return {name: blob.download_as_bytes() for name, blob in found.items() if name.split("/")[-1] not in trees.VARYING}


def upload(archive, paths, copies):
    """Uploads each file to the bucket's `input` folder several times."""
    for i in range(copies):
        for path in paths:
            archive.blob(f"input/{i}/{path.parent.name}-{path.name}").upload_from_filename(path)


class Fault(threading.Thread):
    """Injects a fault as soon as an object of a prefix exists."""

    def __init__(self, bucket, prefix, inject):
        super().__init__(daemon=True)
        self.bucket, self.prefix, self.inject, self.was_done = bucket, prefix, inject, False
        self.start()

    def run(self):
        end = time.monotonic() + JOB_SECONDS
        while time.monotonic() < end and not any(self.bucket.list_blobs(prefix=self.prefix)):
            time.sleep(0.05)
        self.inject()
        self.was_done = True


def cut_for_a_while(host):
    """Cuts a host off for longer than Flink needs to notice."""
    host.cut()
    time.sleep(20)
    host.join()


def run_both(bucket, cluster, job, fault, *cluster_flags):
    """Runs a job on the cluster, with a fault, and locally; returns the objects, which must be the same."""
    done = photochrom(*job, "--output=gs://archive/flink", *cluster.flags(), *cluster_flags)
    fault.join(30)
    assert fault.was_done
    assert done.returncode == 0, done.stderr
    local = photochrom(*job, "--output=gs://archive/local")
    assert local.returncode == 0, local.stderr
    made = contents(bucket, "flink/")
    assert made == contents(bucket, "local/")
    return made


def test_colorize_survives_a_cut_link(network, bucket, cluster, tint):
    archive, _ = bucket
    gray = [path for path in sorted((demo.SAMPLES / "grayscale").rglob("*")) if path.is_file()]
    upload(archive, gray, 8)
    job = ["colorize", "--input=gs://archive/input", f"--model={tint}", "--batch_size=4"]
    cutter = Fault(archive, "flink/images/", lambda: cut_for_a_while(network[1][-1]))
    made = run_both(archive, cluster, job, cutter)
    assert sum(name.startswith("images/") for name in made) == 8 * len(gray)


def test_prepare_survives_a_dead_host(bucket, cluster, photo_folder, tmp_path):
    archive, _ = bucket
    photographs = sorted(photo_folder.rglob("*.jpg"))
    upload(archive, photographs, 4)
    job = ["prepare", "--input=gs://archive/input", "--num_shards=4", "--image_size=64"]
    killer = Fault(archive, "flink/train-", cluster.task_managers[0].kill)
    made = run_both(archive, cluster, job, killer, f"--temp_location={tmp_path}")
    assert sum(name.startswith("train-") for name in made) == 4
    assert cluster.task_managers[0].wait(10) == -signal.SIGKILL
